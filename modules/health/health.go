// Package health tells orchestrators and newcomers how the server is: live, ready, started, and what it is.
package health

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// Engine tells how the engine is.
type Engine interface {
	Status() engine.Status
	Spec() engine.Spec
}

// Config describes the module.
type Config struct {
	Router    *httpapi.Router
	Engine    Engine
	Name      string
	Version   string
	Endpoints []string // shown by GET /
	// Reason tells why requests should not be sent here for causes outside the engine, or "". It may be nil.
	Reason func() string
}

// Module answers for the server's health. Run keeps watching the pool.
type Module struct {
	cfg Config

	mu        sync.Mutex
	isLeaving bool
	pool      pressure
}

// Register adds the module's operations to the router.
func Register(cfg Config) *Module {
	m := &Module{cfg: cfg}
	api := cfg.Router.API()
	huma.Register(api, operation("live", "/health/live", "Whether the process lives"), m.live)
	huma.Register(api, operation("ready", "/health/ready", "Whether requests should be sent here"), m.ready)
	huma.Register(api, operation("startup", "/health/startup", "Whether the model is loaded"), m.startup)
	cfg.Router.Handle(operation("info", "/", "What this server is"), m.info)
	hello := operation("hello", "/api/hello", "Where Claude Code looks whether a server is there")
	hello.Hidden = true
	cfg.Router.Handle(hello, m.hello)
	return m
}

func operation(id, path, summary string) huma.Operation {
	op := huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"health"}}
	op.Responses = map[string]*huma.Response{"200": {Description: "Yes"}}
	if id == "ready" || id == "startup" {
		op.Responses["503"] = &huma.Response{Description: "Not now, with the reason"}
	}
	return op
}

// Leave makes the server not ready for good: it is about to end.
func (m *Module) Leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.isLeaving = true
}

// Run watches the pool's utilisation until ctx ends.
func (m *Module) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		m.sample(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *Module) sample(now time.Time) {
	utilization := m.cfg.Engine.Status().PoolUtilization
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pool.note(utilization, now)
}

// IsReady tells whether requests should be sent here.
func (m *Module) IsReady() bool { return m.reason(m.cfg.Engine.Status()) == "" }

// reason is why the server isn't ready, or "".
func (m *Module) reason(status engine.Status) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.isLeaving || status.Draining:
		return "draining"
	case status.Swapping:
		return "swapping the model: " + status.Phase
	case status.Unloaded:
		return "no model is loaded: an operator unloaded it; /admin/models/load loads one"
	case !status.Started:
		return "not started: " + status.Phase
	case status.Hung:
		return "engine not answering"
	case m.pool.isHigh:
		return "pool utilization over 0.90"
	case m.cfg.Reason != nil:
		return m.cfg.Reason()
	}
	return ""
}

// hello answers clients that ask for nothing but an answer.
func (m *Module) hello(w http.ResponseWriter, _ *http.Request) {
	httpapi.WriteJSON(w, http.StatusOK, "application/json", map[string]string{"message": "hello"})
}

// liveness tells that the process answers.
type liveness struct {
	Status string `json:"status"`
}

type liveAnswer struct {
	Body liveness
}

func (m *Module) live(context.Context, *struct{}) (*liveAnswer, error) {
	answer := &liveAnswer{}
	answer.Body.Status = "live"
	return answer, nil
}

// readiness tells whether requests may be sent here.
type readiness struct {
	Status      string  `json:"status" enum:"ready,not_ready"`
	Reason      string  `json:"reason,omitempty"`
	Utilization float64 `json:"pool_utilization" doc:"Share of the KV budget that sequences hold, 0 to 1"`
}

type readyAnswer struct {
	Status int
	Body   readiness
}

func (m *Module) ready(context.Context, *struct{}) (*readyAnswer, error) {
	status, answer := m.cfg.Engine.Status(), &readyAnswer{Status: http.StatusOK}
	answer.Body.Status, answer.Body.Utilization = "ready", status.PoolUtilization
	if answer.Body.Reason = m.reason(status); answer.Body.Reason != "" {
		answer.Status, answer.Body.Status = http.StatusServiceUnavailable, "not_ready"
	}
	return answer, nil
}

// startProgress tells how far the start is.
type startProgress struct {
	Status   string  `json:"status" enum:"started,starting"`
	Phase    string  `json:"phase" doc:"What the start is doing"`
	Progress float64 `json:"progress" doc:"Of the phase, 0 to 1"`
}

type startupAnswer struct {
	Status int
	Body   startProgress
}

func (m *Module) startup(context.Context, *struct{}) (*startupAnswer, error) {
	status, answer := m.cfg.Engine.Status(), &startupAnswer{Status: http.StatusOK}
	answer.Body.Status, answer.Body.Phase, answer.Body.Progress = "started", status.Phase, status.Progress
	if !status.Started && !status.Unloaded { // the start is over, whatever was unloaded since
		answer.Status, answer.Body.Status = http.StatusServiceUnavailable, "starting"
	}
	return answer, nil
}

// info answers GET /.
func (m *Module) info(w http.ResponseWriter, _ *http.Request) {
	httpapi.WriteJSON(w, http.StatusOK, "application/json", map[string]any{
		"name": m.cfg.Name, "version": m.cfg.Version, "model": m.cfg.Engine.Spec().Name,
		"docs": "/docs", "openapi": "/openapi.json", "endpoints": m.cfg.Endpoints,
	})
}
