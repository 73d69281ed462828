package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server answers on a listener.
type Server struct {
	Listener net.Listener
	Handler  http.Handler
	Grace    time.Duration // for answers under way when it is told to stop
	Patience time.Duration // for a client to read some of what it is sent; 0: 30 s
	Log      *slog.Logger
}

// defaultPatience is how long a client may read nothing of an answer that is there.
const defaultPatience = 30 * time.Second

// Run serves until ctx ends, then waits for the answers under way, at most Grace, and closes the listener and
// what is left: a client whose request or reading never ends is not the server's failure.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	result := make(chan error, 1)
	go func() { result <- server.Serve(deadlineListener{s.Listener, cmp.Or(s.Patience, defaultPatience)}) }()
	select {
	case err := <-result:
		return fmt.Errorf("serve HTTP on %s: %w", s.Listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		s.Log.Warn("connections_cut", "note", "they were still open after the last answers", "error", errors.Join(err, server.Close()))
	}
	<-result //nolint:errcheck // it always returns http.ErrServerClosed here
	return nil
}

// deadlineListener is a listener whose connections end when the other side stops reading.
type deadlineListener struct {
	net.Listener
	patience time.Duration
}

// Accept implements net.Listener.
func (p deadlineListener) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &deadlineConn{conn, p.patience}, nil
}

// deadlineConn is a connection on which every piece that is written must be taken in time. So the deadline
// follows progress: a slow reader is served for as long as it reads.
type deadlineConn struct {
	net.Conn
	patience time.Duration
}

// deadlineBytes is how many bytes must be taken within the patience.
const deadlineBytes = 16 << 10

// Write implements net.Conn.
func (p *deadlineConn) Write(data []byte) (written int, err error) {
	for {
		if err := p.SetWriteDeadline(time.Now().Add(p.patience)); err != nil {
			return written, err
		}
		n, err := p.Conn.Write(data[:min(deadlineBytes, len(data))])
		written, data = written+n, data[n:]
		if err != nil || len(data) == 0 {
			return written, err
		}
	}
}
