// Package inflight shows operators the requests that this node was asked and has not answered: whose they are and how far they
// got, never what they say.
package inflight

import (
	"context"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// mostListed is how many requests an answer lists; their number is told beside.
const mostListed = 500

// patience is how long the list waits for a step to end.
const patience = 5 * time.Second

type module struct{ engine *engine.Engine }

// Register adds GET /admin/requests to the router.
func Register(router *httpapi.Router, e *engine.Engine) {
	m := &module{e}
	huma.Register(router.API(), huma.Operation{
		OperationID: "adminListRequests", Method: http.MethodGet, Path: "/admin/requests", Tags: []string{"admin"},
		Summary:  "The requests that this node has accepted and not yet answered",
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}, m.list)
}

type requestUnderWay struct {
	ID        string  `json:"request_id"`
	Tenant    string  `json:"tenant"`
	Agent     string  `json:"agent,omitempty"`
	State     string  `json:"state" enum:"queued,restoring,prefill,decode,preempted" doc:"preempted: it gave its memory to an older one and goes on later"`
	Age       float64 `json:"age_seconds"`
	Prompt    int     `json:"prompt_tokens"`
	Cached    int     `json:"cached_tokens" doc:"Of the prompt's, those that came from a tier so far"`
	Computed  int     `json:"computed_tokens" doc:"Of prompt and answer, those whose KV is there"`
	Generated int     `json:"generated_tokens"`
	Wanted    int     `json:"max_tokens"`
}

type requestsUnderWay struct {
	Requests []requestUnderWay `json:"requests" nullable:"false" doc:"Those that run first; at most 500"`
	Total    int               `json:"total"`
}

type listAnswer struct{ Body requestsUnderWay }

func (m *module) list(ctx context.Context, _ *struct{}) (*listAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := engine.ListUnderWay(ctx, m.engine)
	if err != nil {
		return nil, huma.Error503ServiceUnavailable(err.Error() + "; the device is busy with a long step, ask again")
	}
	answer := &listAnswer{requestsUnderWay{Requests: []requestUnderWay{}, Total: len(all)}}
	for _, u := range all[:min(len(all), mostListed)] {
		answer.Body.Requests = append(answer.Body.Requests, requestUnderWay{
			ID: u.ID, Tenant: u.Tenant, Agent: u.Agent, State: u.State, Age: u.Age.Seconds(),
			Prompt: u.Prompt, Cached: u.Cached, Computed: u.Computed, Generated: u.Generated, Wanted: u.Wanted,
		})
	}
	return answer, nil
}
