package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

// maxIDBytes is the most bytes of an id that a client chooses.
const maxIDBytes = 256

// CheckID refuses ids that can't name a thing: 1 to 256 bytes of UTF-8 without control characters can, but
// for the two that clients and proxies take out of a path. What names the thing in the error.
func CheckID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s is empty", what)
	case len(id) > maxIDBytes:
		return fmt.Errorf("%s is longer than %d bytes: it has %d", what, maxIDBytes, len(id))
	case !utf8.ValidString(id):
		return errors.New(what + " is not UTF-8")
	case id == "." || id == "..":
		return errors.New(what + " is . or .., which no path can name")
	case strings.ContainsFunc(id, unicode.IsControl):
		return errors.New(what + " has a control character")
	}
	return nil
}

type countedKey struct{}

// limitRate counts requests under /v1: for their tenant, those whose headers name a caller for that caller,
// and all of them. For the others the caller may stand in the body, so their handler calls LimitCaller. What
// a tenant or a caller has too many of takes nothing from all.
func (r *Router) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !isBelow(req.URL.Path, "/v1") {
			next.ServeHTTP(w, req)
			return
		}
		if decision := r.cfg.Limits.Tenant(auth.From(req.Context()).Tenant); !decision.Allowed {
			r.refuse(w, req, decision, "too many requests of this tenant; retry after the time in retry-after")
			return
		}
		caller, err := r.cfg.Caller(req)
		if err != nil {
			r.Fail(w, req, http.StatusBadRequest, err.Error())
			return
		}
		if caller != "" {
			if !r.count(w, req, "caller\x00"+caller) {
				return
			}
			req = req.WithContext(context.WithValue(req.Context(), countedKey{}, true))
		}
		if decision := r.cfg.Limits.Global(); !decision.Allowed {
			r.refuse(w, req, decision, "this node has too many requests; retry after the time in retry-after")
			return
		}
		next.ServeHTTP(w, req)
	})
}

// LimitCaller counts a request under /v1 whose headers name no caller: for the caller that its body names,
// else for its key. It reports whether the request may go on; if not, it has been answered.
func (r *Router) LimitCaller(w http.ResponseWriter, req *http.Request, caller string) bool {
	if counted, _ := req.Context().Value(countedKey{}).(bool); counted || !isBelow(req.URL.Path, "/v1") {
		return true
	}
	if caller != "" {
		return r.count(w, req, "caller\x00"+caller)
	}
	return r.count(w, req, "key\x00"+auth.From(req.Context()).Key)
}

func (r *Router) count(w http.ResponseWriter, req *http.Request, caller string) bool {
	decision := r.cfg.Limits.Caller(auth.From(req.Context()).Tenant + "\x00" + caller)
	if !decision.Allowed {
		r.refuse(w, req, decision, "too many requests of this caller or key; retry after the time in retry-after")
		return false
	}
	r.pace(w, req, decision)
	return true
}

func (r *Router) refuse(w http.ResponseWriter, req *http.Request, decision ratelimit.Decision, why string) {
	r.pace(w, req, decision)
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(max(1, decision.RetryAfter.Seconds())))))
	r.Fail(w, req, http.StatusTooManyRequests, why)
}

// pace sets the headers by which clients of the path's surface pace themselves.
func (r *Router) pace(w http.ResponseWriter, req *http.Request, decision ratelimit.Decision) {
	if s, ok := r.cfg.surfaceOf(req); ok && s.Pace != nil && decision.Limit > 0 {
		s.Pace(w.Header(), decision)
	}
}
