// Package profile gives operators the runtime's profiles of this process, for go tool pprof. Stacks name functions, never what
// was asked.
package profile

import (
	"context"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// mostSeconds is the longest time that a profile may take.
const mostSeconds = 60

type module struct{ sampling sync.Mutex }

// Register adds /admin/pprof/{profile} to the router.
func Register(router *httpapi.Router) {
	m := &module{}
	huma.Register(router.API(), huma.Operation{
		OperationID: "adminGetProfile", Method: http.MethodGet, Path: "/admin/pprof/{profile}", Tags: []string{"admin"},
		Summary:  "A profile of this process, for go tool pprof",
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
		Responses: map[string]*huma.Response{"200": {
			Description: "The profile", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		}},
	}, m.show)
}

type input struct {
	Profile string `path:"profile" enum:"cpu,trace,heap,allocs,goroutine,block,mutex,threadcreate" doc:"cpu and trace watch for some seconds"`
	Seconds int    `query:"seconds" minimum:"1" maximum:"60" default:"10" doc:"For how long cpu and trace watch"`
}

func (m *module) show(ctx context.Context, in *input) (*huma.StreamResponse, error) {
	watches := in.Profile == "cpu" || in.Profile == "trace"
	if watches && !m.sampling.TryLock() {
		return nil, huma.Error409Conflict("another profile is being taken; ask again when it is done")
	}
	return &huma.StreamResponse{Body: func(to huma.Context) {
		to.SetHeader("Content-Type", "application/octet-stream")
		to.SetHeader("Content-Disposition", "attachment; filename="+strconv.Quote(in.Profile+".pprof"))
		if watches {
			defer m.sampling.Unlock()
			watch(ctx, to, in.Profile, time.Duration(min(in.Seconds, mostSeconds))*time.Second)
			return
		}
		_ = pprof.Lookup(in.Profile).WriteTo(to.BodyWriter(), 0) // who asked has gone
	}}, nil
}

// watch writes a profile of what happens until the time is over or nobody waits any more.
func watch(ctx context.Context, to huma.Context, kind string, length time.Duration) {
	start, stop := pprof.StartCPUProfile, pprof.StopCPUProfile
	if kind == "trace" {
		start, stop = trace.Start, trace.Stop
	}
	if start(to.BodyWriter()) != nil { // the test runner, say, takes one
		return
	}
	defer stop()
	over := time.NewTimer(length)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
}
