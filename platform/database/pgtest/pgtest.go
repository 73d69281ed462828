// Package pgtest runs a real Postgres for tests, from the server's binaries, as a user without rights.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment variable with the URL of a server on which tests may make databases. Without
// it each test that needs one starts a cluster of its own.
const Variable = "SEMANTIC_TEST_DATABASE_URL"

// serverTimeout is how long a server may take to start or end.
const serverTimeout = 30 * time.Second

// Server is a Postgres server for one test.
type Server struct {
	t    testing.TB
	url  string // of a database from which others are made
	bin  string
	data string // the cluster's folder
	port int

	mu      sync.Mutex
	process *exec.Cmd
}

// Start returns the server that the environment names, or else starts one that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	if address := os.Getenv(Variable); address != "" {
		return &Server{t: t, url: address}
	}
	return StartOwn(t)
}

// StartOwn starts a server of the test's own, which it may stop.
func StartOwn(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, bin: binaries(t), port: freePort(t)}
	dir, err := os.MkdirTemp("", "postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	chown(t, dir)
	s.data = filepath.Join(dir, "data")
	s.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	if out, err := s.command("initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Run()
	t.Cleanup(s.Stop)
	return s
}

// binaries finds the folder of initdb and postgres.
func binaries(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Fatalf("there is no Postgres: install the package postgresql, put initdb into PATH, or set %s to the URL of a server", Variable)
	}
	return filepath.Dir(found[len(found)-1])
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// unprivileged is the user as whom root runs the server, which refuses root; nil for everybody else.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Fatal("there is neither a user postgres nor nobody to run Postgres as, since it refuses root")
	return nil
}

// chown gives a folder to the server's user.
func chown(t testing.TB, dir string) {
	t.Helper()
	if who := unprivileged(t); who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	c := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...)
	c.Dir = filepath.Dir(s.data)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(s.t)}
	return c
}

// Run starts the server and waits until it answers.
func (s *Server) Run() {
	s.t.Helper()
	process := s.command("postgres", "-D", s.data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories="+filepath.Dir(s.data), "-c", "fsync=off", "-c", "max_connections=60")
	var stderr strings.Builder
	process.Stderr = &stderr
	if err := process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.process = process
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), serverTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url)
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		if ctx.Err() != nil {
			s.Stop()
			s.t.Fatalf("start Postgres: %v\n%s", err, stderr.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends the server at once, with what its clients are doing. Run starts it again with all that was
// committed.
func (s *Server) Stop() {
	s.mu.Lock()
	process := s.process
	s.process = nil
	s.mu.Unlock()
	if process == nil {
		return
	}
	_ = process.Process.Signal(syscall.SIGINT) // breaks connections off
	kill := time.AfterFunc(serverTimeout, func() { _ = process.Process.Kill() })
	defer kill.Stop()
	_ = process.Wait()
}

// Database makes an empty database, which goes with the test, and returns its URL.
func (s *Server) Database() string {
	s.t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	s.Exec(s.url, "CREATE DATABASE "+name)
	if s.process == nil { // somebody else's server
		s.t.Cleanup(func() { s.Exec(s.url, "DROP DATABASE "+name+" WITH (FORCE)") })
	}
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// Exec runs statements on a database as nobody's client.
func (s *Server) Exec(database string, statements ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), serverTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}
