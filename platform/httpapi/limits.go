package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

// maxAgent is the most bytes of an agent's id.
const maxAgent = 256

// AgentOf returns the agent that a request's headers name, or "".
func AgentOf(r *http.Request) string {
	if agent := r.Header.Get("X-Agent-Id"); agent != "" {
		return agent
	}
	return r.Header.Get("X-Session-Id")
}

// CheckAgent refuses ids that can't name an agent: 1 to 256 bytes of UTF-8 without control characters can.
func CheckAgent(id string) error {
	switch {
	case id == "":
		return errors.New("the agent's id is empty")
	case len(id) > maxAgent:
		return fmt.Errorf("the agent's id is longer than %d bytes: it has %d", maxAgent, len(id))
	case !utf8.ValidString(id):
		return errors.New("the agent's id is not UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return errors.New("the agent's id has a control character")
	}
	return nil
}

type countedKey struct{}

// limitRate counts requests under /v1: all of them, and those whose headers name an agent for that agent. For the
// others the agent may stand in the body, so their handler calls LimitCaller.
func (r *Router) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !under(req.URL.Path, "/v1") {
			next.ServeHTTP(w, req)
			return
		}
		if decision := r.cfg.Limits.Global(); !decision.Allowed {
			r.refuse(w, req, decision, "this node has too many requests; retry after the time in retry-after")
			return
		}
		agent := AgentOf(req)
		if agent != "" {
			if err := CheckAgent(agent); err != nil {
				r.Fail(w, req, http.StatusBadRequest, err.Error())
				return
			}
			if !r.count(w, req, "agent\x00"+agent) {
				return
			}
			req = req.WithContext(context.WithValue(req.Context(), countedKey{}, true))
		}
		next.ServeHTTP(w, req)
	})
}

// LimitCaller counts a request whose headers name no agent: for the agent that its body names, else for its key.
// It reports whether the request may go on; if not, it has been answered.
func (r *Router) LimitCaller(w http.ResponseWriter, req *http.Request, agent string) bool {
	if counted, _ := req.Context().Value(countedKey{}).(bool); counted {
		return true
	}
	if agent != "" {
		return r.count(w, req, "agent\x00"+agent)
	}
	return r.count(w, req, "key\x00"+auth.From(req.Context()).Key)
}

func (r *Router) count(w http.ResponseWriter, req *http.Request, caller string) bool {
	decision := r.cfg.Limits.Caller(auth.From(req.Context()).Tenant + "\x00" + caller)
	if !decision.Allowed {
		r.refuse(w, req, decision, "too many requests of this agent or key; retry after the time in retry-after")
		return false
	}
	decision.Describe(w.Header())
	return true
}

func (r *Router) refuse(w http.ResponseWriter, req *http.Request, decision ratelimit.Decision, why string) {
	decision.Describe(w.Header())
	r.Fail(w, req, http.StatusTooManyRequests, why)
}
