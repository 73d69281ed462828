package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/log"
	"github.com/rs/cors"
)

// requestID is the header with a request's id.
const requestID = "X-Request-Id"

// identify gives every request an id, the client's own if that is valid, and puts it on the answer.
func (r *Router) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		id := req.Header.Get(requestID)
		if !validID(id) {
			id = newID()
		}
		for _, name := range append([]string{requestID}, r.cfg.IDHeaders...) {
			w.Header().Set(name, id)
		}
		if len(req.TransferEncoding) > 0 {
			// It may have had a content-length too, which net/http has taken out by now. Two lengths are how
			// a second request is smuggled behind the first, so nothing more is read from such a connection.
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, req.WithContext(log.WithRequestID(req.Context(), id)))
	})
}

// validID accepts up to 128 letters, digits and signs that are harmless in headers and logs.
func validID(id string) bool {
	for _, c := range id {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("-_.:", c) {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

func newID() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return "req_" + hex.EncodeToString(random[:])
}

// observe counts and logs every request when its answer is complete.
func (r *Router) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		began, route, recorder := time.Now(), r.template(req), &recorder{ResponseWriter: w}
		defer func() { //nolint:contextcheck // the context is the request's
			took := time.Since(began)
			r.cfg.Observe(req.Method, route, recorder.code(), took)
			r.cfg.Log.InfoContext(req.Context(), "request_complete", "method", req.Method, "path", route,
				"status", recorder.code(), "duration_ms", took.Milliseconds())
		}()
		next.ServeHTTP(recorder, req)
	})
}

// trace begins a span for every request but those of balancers and monitors.
func trace(begin func(r *http.Request, route string) (context.Context, func(status int)), template func(*http.Request) string, next http.Handler) http.Handler {
	if begin == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isProbe(req.URL.Path) {
			next.ServeHTTP(w, req)
			return
		}
		answer := &recorder{ResponseWriter: w}
		ctx, end := begin(req, template(req))
		defer func() { end(answer.code()) }()
		next.ServeHTTP(answer, req.WithContext(ctx)) //nolint:contextcheck // it is the request's own, with its span
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int { return max(r.status, http.StatusOK) }

// recoverPanics turns a panic into a 500, or cuts the answer if it has begun.
func (r *Router) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answer := &recorder{ResponseWriter: w}
		defer func() { //nolint:contextcheck // the context is the request's
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause)
			}
			r.cfg.Log.ErrorContext(req.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if answer.status != 0 {
				panic(http.ErrAbortHandler)
			}
			r.Fail(w, req, http.StatusInternalServerError, "an internal error; the server's log tells more under this request id")
		}()
		next.ServeHTTP(answer, req)
	})
}

// refuseStrangers keeps web pages from elsewhere out of a server that asks for no key.
func (r *Router) refuseStrangers(next http.Handler) http.Handler {
	if !r.cfg.LoopbackOnly {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Host == "" && isProbe(req.URL.Path) {
			next.ServeHTTP(w, req) // of HTTP/1.0: no browser sends such a request, so no page can have asked for it
			return
		}
		if !isLocal(req.Host) {
			r.Fail(w, req, http.StatusForbidden, "without API keys this server answers to localhost only"+r.cfg.howToOpen())
			return
		}
		if origin := req.Header.Get("Origin"); origin != "" && !isLocalOrigin(origin) {
			r.Fail(w, req, http.StatusForbidden, "without API keys this server answers to pages of localhost only"+r.cfg.howToOpen())
			return
		}
		next.ServeHTTP(w, req)
	})
}

// howToOpen tells an operator how to let others in.
func (c *Config) howToOpen() string {
	if c.OpenBy == "" {
		return ""
	}
	return "; set " + c.OpenBy + " to open it"
}

// isProbe tells whether balancers and monitors ask for a path.
func isProbe(path string) bool { return isBelow(path, "/health") || isBelow(path, "/metrics") }

func isLocalOrigin(origin string) bool {
	parsed, err := url.Parse(origin)
	return err == nil && isLocal(parsed.Host)
}

// isLocal tells whether a host, with or without a port, is this machine.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// allowOrigins answers for browsers. What is under /admin is never open to pages of other origins.
func (r *Router) allowOrigins(next http.Handler) http.Handler {
	if len(r.cfg.CORSOrigins) == 0 {
		return next
	}
	corsHandler := cors.New(cors.Options{
		AllowedOrigins: r.cfg.CORSOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: r.cfg.exposedHeaders(),
		MaxAge:         600,
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isBelow(req.URL.Path, "/admin") {
			next.ServeHTTP(w, req)
			return
		}
		corsHandler.ServeHTTP(w, req)
	})
}

// requireKey lets requests through whose keys have the scope that the path asks for. There is no other place
// where keys are looked at.
func (r *Router) requireKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		guard, guarded := r.cfg.guardOf(req.URL.Path)
		if !guarded {
			next.ServeHTTP(w, req)
			return
		}
		admitted, leave, err := r.cfg.Keys.Admit(req, guard.Scope)
		if err != nil {
			r.refuseKey(w, req, guard, err)
			return
		}
		defer leave()
		r.cfg.admitted(w, admitted, guard, next)
	})
}

func (r *Router) refuseKey(w http.ResponseWriter, req *http.Request, guard Guard, err error) {
	refusal := &auth.Refusal{Status: http.StatusInternalServerError, Message: "the API key could not be checked"}
	errors.As(err, &refusal)
	message := refusal.Message
	switch refusal.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusForbidden:
		message += guard.Advice
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
	}
	r.Fail(w, req, refusal.Status, message)
}

// refuseEncoded refuses bodies that are compressed: what is read would not be what was sent.
func (r *Router) refuseEncoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if encoding := strings.Join(req.Header.Values("Content-Encoding"), ","); encoding != "" && !strings.EqualFold(encoding, "identity") {
			r.Fail(w, req, http.StatusUnsupportedMediaType, "content-encoding: send the body as it is, not compressed")
			return
		}
		next.ServeHTTP(w, req)
	})
}

// limitBody refuses bodies that are too long: by their announced length at once, else when they are read.
func (r *Router) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.ContentLength > r.cfg.MaxBody {
			r.Fail(w, req, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes; the most is %d", req.ContentLength, r.cfg.MaxBody))
			return
		}
		req.Body = http.MaxBytesReader(w, req.Body, r.cfg.MaxBody)
		next.ServeHTTP(w, req)
	})
}
