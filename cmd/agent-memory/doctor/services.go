package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// oldestPostgres is the first version that has all that the queries use, as server_version_num tells it.
	oldestPostgres = 150000
	// mostSkew is how far two clocks may be apart: the nodes' signs of life are 5 s apart.
	mostSkew = 5 * time.Second
)

// Database asks Postgres for its version and its time. Nothing is written.
func Database(url string, now func() time.Time) Check {
	return Check{"database", func(ctx context.Context) Finding {
		if url == "" {
			return ok("records lie in a file in the cache folder")
		}
		connection, err := pgx.Connect(ctx, url)
		if err != nil {
			return problem("check SEMANTIC_DATABASE_URL, the network to it, and its user's rights", "connecting fails: %s", reasonOf(err))
		}
		defer func() { _ = connection.Close(ctx) }()
		var version int
		var clock time.Time
		began := now()
		if err := connection.QueryRow(ctx, "select current_setting('server_version_num')::int, clock_timestamp()").Scan(&version, &clock); err != nil {
			return problem("look at the database's log", "asking fails: %s", reasonOf(err))
		}
		took := now().Sub(began)
		skew := clock.Sub(began.Add(took / 2)).Abs()
		switch {
		case version < oldestPostgres:
			return problem("upgrade it", "Postgres %d.%d is older than 15", version/10000, version%10000)
		case skew > mostSkew:
			return warning("have both machines' clocks set by NTP", "its clock and this machine's are %s apart", skew.Round(time.Second))
		}
		return ok("Postgres %d.%d answers in %s", version/10000, version%10000, took.Round(time.Microsecond))
	}}
}

// reasonOf tells why, in one line: the driver's other words hold the user and the database, and each address again.
func reasonOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "it does not answer in time"
	}
	first, _, _ := strings.Cut(rootOf(err).Error(), "\n")
	return first
}

// rootOf is the innermost error.
func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// Bucket is where all nodes' blocks are kept.
type Bucket interface {
	Replace(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string, buf []byte) ([]byte, error)
	Delete(ctx context.Context, key string) error
}

// Storage stores an object in the bucket, reads it, and removes it. advise tells what to do about a fault; the bucket
// is nil if there is none.
func Storage(bucket Bucket, advise func(error) string) Check {
	return Check{"bucket", func(ctx context.Context) Finding {
		if bucket == nil {
			return ok("there is none: nothing is kept beyond this node's disk")
		}
		key, data := "doctor-"+rand.Text(), bytes.Repeat([]byte("agent-memory"), 1<<16)
		began := time.Now()
		err := bucket.Replace(ctx, key, data)
		if err != nil {
			return problem(advise(err), "%v", err)
		}
		got, err := bucket.Get(ctx, key, nil)
		if err == nil && !bytes.Equal(got, data) {
			err = errors.New("what was stored comes back as something else")
		}
		if err = errors.Join(err, bucket.Delete(ctx, key)); err != nil {
			return problem(advise(err), "%v", err)
		}
		return ok("storing, reading and removing %s took %s", megabytes(int64(len(data))), time.Since(began).Round(time.Millisecond))
	}}
}

// Port looks whether the server could listen, or does.
func Port(address string) Check {
	return Check{"port", func(ctx context.Context) Finding {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			return errorless(listener.Close(), ok("%s is free", address))
		}
		if isServer(ctx, address) {
			return ok("a server listens on %s already", address)
		}
		return problem("end what has it, or set SEMANTIC_SERVER_PORT", "%v", err)
	}}
}

func errorless(err error, finding Finding) Finding {
	if err != nil {
		return warning("try again", "%v", err)
	}
	return finding
}

// isServer tells whether a server of ours answers.
func isServer(ctx context.Context, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/health/live", net.JoinHostPort(host, port)), http.NoBody)
	if err != nil {
		return false
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return errors.Join(answer.Body.Close()) == nil && answer.StatusCode == http.StatusOK && answer.Header.Get("X-Request-Id") != ""
}
