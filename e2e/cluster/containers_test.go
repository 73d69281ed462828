//go:build e2e

// Package cluster runs several nodes of the built image with a real Postgres and a real S3 server, all in
// containers, and breaks the network between them. Images are named by E2E_IMAGE, E2E_POSTGRES_IMAGE and
// E2E_S3_IMAGE; E2E_NEXT_IMAGE is one of a later version, E2E_PREVIOUS_IMAGE may be one of an earlier.
package cluster

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// patience stops a hang; nothing is measured by it.
const patience = 5 * time.Minute

// imageOf is the image that a variable names, or the public one.
func imageOf(variable, public string) string {
	if name := os.Getenv(variable); name != "" {
		return name
	}
	return public
}

// container runs one until the test ends, and tells the address of its port from here.
func container(t *testing.T, request testcontainers.ContainerRequest) (testcontainers.Container, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{ContainerRequest: request, Started: true})
	if c != nil {
		t.Cleanup(func() {
			_ = testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0))
		})
	}
	if err != nil {
		t.Fatalf("start %s: %v; is the Docker engine running, and the image there?", request.Image, err)
	}
	address, err := c.PortEndpoint(ctx, request.ExposedPorts[0], "")
	if err != nil {
		t.Fatal(err)
	}
	return c, address
}

// Credentials of the S3 server.
const (
	accessKey = "e2e-access"
	secretKey = "e2e-secret-of-the-bucket"
)

// startS3 runs an S3 server in memory and tells its address from here.
func startS3(t *testing.T) (address string) {
	t.Helper()
	_, address = container(t, testcontainers.ContainerRequest{
		Image: imageOf("E2E_S3_IMAGE", "versity/versitygw:v1.8.0"),
		Cmd:   []string{"--port", ":7070", "posix", "/data"},
		Env:   map[string]string{"ROOT_ACCESS_KEY": accessKey, "ROOT_SECRET_KEY": secretKey},
		Tmpfs: map[string]string{"/data": "rw,size=2g"}, ExposedPorts: []string{"7070/tcp"},
		WaitingFor: wait.ForListeningPort("7070/tcp").WithStartupTimeout(patience),
	})
	return address
}

// startPostgres runs a Postgres and tells its address from here.
func startPostgres(t *testing.T) (address string) {
	t.Helper()
	_, address = container(t, testcontainers.ContainerRequest{
		Image:        imageOf("E2E_POSTGRES_IMAGE", "postgres:17"),
		Env:          map[string]string{"POSTGRES_PASSWORD": secretKey, "POSTGRES_DB": "agents"},
		Tmpfs:        map[string]string{"/var/lib/postgresql/data": "rw,size=1g"},
		ExposedPorts: []string{"5432/tcp"},
		WaitingFor:   wait.ForLog("database system is ready to accept connections").WithStartupTimeout(patience),
	})
	return address
}
