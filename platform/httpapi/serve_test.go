package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// serve runs a server on a free port; stop ends it and returns how it ended.
func serve(t *testing.T, patience time.Duration, handler http.HandlerFunc) (address string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := &httpapi.Server{
		Listener: listener, Handler: handler, Grace: 10 * time.Millisecond, Patience: patience, Log: slog.New(slog.DiscardHandler),
	}
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(cancel)
	return listener.Addr().String(), func() error { cancel(); return <-ended }
}

func dial(t *testing.T, address, request string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Clients that read nothing are let go, whether the answer is one long piece or many.
func TestAClientThatNeverReadsIsLetGo(t *testing.T) {
	gone := make(chan error, 100)
	address, stop := serve(t, 20*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		size := 64 << 20
		if r.URL.Path == "/pieces" {
			size = 1000
		}
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, size))
		}
		gone <- err
	})
	for i := range 20 {
		dial(t, address, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", []string{"/", "/pieces"}[i%2]))
	}
	for range 20 {
		<-gone
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A client that reads slowly, but reads, gets all of an answer that takes many times the patience.
func TestASlowReaderIsServedToTheEnd(t *testing.T) {
	const size = 24 << 20 // more than the system's buffers take
	address, stop := serve(t, 2*time.Second, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), size))
	})
	conn := dial(t, address, "GET / HTTP/1.0\r\n\r\n")
	total := 0
	for buffer := make([]byte, 1<<20); ; time.Sleep(10 * time.Millisecond) {
		n, err := conn.Read(buffer)
		if total += n; err != nil {
			break
		}
	}
	if total < size {
		t.Errorf("%d of %d bytes came", total, size)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What clients leave open is no failure of a server that is told to end.
func TestAServerEndsWellWithOpenConnections(t *testing.T) {
	entered := make(chan struct{}, 10)
	address, stop := serve(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	dial(t, address, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
	dial(t, address, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
	dial(t, address, "GET / HTT")
	<-entered
	<-entered
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Two lengths are how a request is smuggled: the connection ends behind the answer, and what follows is not
// read.
func TestAConnectionWithTwoLengthsIsClosed(t *testing.T) {
	h, seen := router(nil)
	address, stop := serve(t, time.Minute, h.ServeHTTP)
	const two = "Host: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	for _, first := range []string{"GET / HTTP/1.1\r\n" + two, "POST /nowhere HTTP/1.1\r\n" + two} {
		*seen = nil
		conn := dial(t, address, first+"GET /things/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(answer), "Connection: close") || strings.Count(string(answer), "HTTP/1.1 ") != 1 {
			t.Errorf("%q, %v", answer, err)
		}
		if len(*seen) != 1 {
			t.Errorf("%d requests were read", len(*seen))
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
