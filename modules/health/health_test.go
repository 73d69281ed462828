package health_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/health"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

// fixed is an engine in a given state.
type fixed struct{ status engine.Status }

func (f *fixed) Status() engine.Status { return f.status }
func (f *fixed) Spec() engine.Spec     { return engine.Spec{Name: "model"} }

func TestHealthFollowsTheEngine(t *testing.T) {
	e := &fixed{}
	router := httpapi.New(httpapi.Config{Title: "t", Version: "1", Keys: auth.New(auth.Config{}), Limits: ratelimit.New(ratelimit.Config{})})
	module := health.Register(health.Config{Router: router, Engine: e, Name: "agent-memory", Version: "1"})
	handler := router.Handler()
	ask := func(method, path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
		return answer
	}
	expect := func(path string, status int, mention string) {
		t.Helper()
		answer := ask(http.MethodGet, path)
		if answer.Code != status || !strings.Contains(answer.Body.String(), mention) {
			t.Errorf("%s: %d %s; want %d, mentioning %q", path, answer.Code, answer.Body, status, mention)
		}
	}
	e.status = engine.Status{Phase: "weights", Progress: 0.5}
	expect("/health/live", 200, "live")
	expect("/health/startup", 503, `"phase":"weights","progress":0.5`)
	expect("/health/ready", 503, `"reason":"not started: weights"`)
	e.status = engine.Status{Started: true, Phase: "ready", Progress: 1, PoolUtilization: 0.25}
	expect("/health/startup", 200, "started")
	expect("/health/ready", 200, `"status":"ready","pool_utilization":0.25`)
	expect("/", 200, `"model":"model"`)
	for _, path := range []string{"/", "/api/hello"} { // where Claude Code looks for a server
		if answer := ask(http.MethodHead, path); answer.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, answer.Code)
		}
	}
	e.status.Hung = true
	expect("/health/ready", 503, "engine not answering")
	e.status.Hung = false
	e.status = engine.Status{Unloaded: true, Phase: "unloaded", Progress: 1}
	expect("/health/ready", 503, "unloaded")
	expect("/health/startup", 200, "started")
	module.Leave()
	expect("/health/ready", 503, "draining")
	expect("/health/live", 200, "live")
}
