// Package pool shows operators the figures of the pool and of the tiers below it, and gives them its levers.
package pool

import (
	"context"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	kvpool "github.com/agent-memory/agent-memory/mlx/kv/pool"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// Memory is the pool with its tiers.
type Memory interface {
	// Pool are the pool's figures.
	Pool() kvpool.Stats
	// Tiers are the states of the tiers below.
	Tiers() []kv.TierStatus
	// EvictBytes takes idle blocks of at least so many bytes out of the pool.
	EvictBytes(ctx context.Context, bytes int64) (kv.Moved, error)
	// EvictOlder takes blocks out of the pool that nobody used for so long.
	EvictOlder(ctx context.Context, age time.Duration) (kv.Moved, error)
	// Flush stores what no lower tier has yet.
	Flush(ctx context.Context) (kv.Moved, error)
	// Trim frees every idle block that a lower tier has.
	Trim() (kv.Moved, error)
}

type module struct{ memory Memory }

// Register adds the module's operations to the router.
func Register(router *httpapi.Router, memory Memory) {
	m := &module{memory}
	api := router.API()
	huma.Register(api, operation("getPool", http.MethodGet, "", "Figures of the pool and of every tier below it"), m.show)
	huma.Register(api, operation("evictFromPool", http.MethodPost, "/evict", "Take idle blocks out of the pool, by bytes or by age"), m.evict)
	huma.Register(api, operation("flushPool", http.MethodPost, "/flush", "Store what no lower tier has yet"), m.flush)
	huma.Register(api, operation("trimPool", http.MethodPost, "/trim", "Free every idle block that a lower tier has"), m.trim)
}

func operation(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/admin/pool" + path, Summary: summary, Tags: []string{"admin"},
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}
}

type poolState struct {
	Budget      int64   `json:"budget_bytes"`
	Resident    int64   `json:"resident_bytes" doc:"Of all blocks, those allocated ahead included"`
	Busy        int64   `json:"busy_bytes" doc:"Of blocks in use, or not durable yet while their tier is healthy"`
	Pending     int64   `json:"pending_bytes" doc:"Of those, blocks that are only waiting to be durable"`
	Blocks      int     `json:"blocks"`
	Utilization float64 `json:"utilization" doc:"Busy over budget, 0 to 1"`
	Tiers       []tier  `json:"tiers" nullable:"false" doc:"Below the pool, the fastest first"`
}

type tier struct {
	Name     string `json:"tier"`
	State    string `json:"state" enum:"healthy,degraded"`
	Problem  string `json:"problem,omitempty" doc:"What is wrong or slow, and what to do"`
	Indexing bool   `json:"indexing" doc:"What lies there is still being counted after a start"`
	Blocks   int    `json:"blocks"`
	Bytes    int64  `json:"bytes" doc:"Physical bytes in use"`
	Budget   int64  `json:"budget_bytes"`
}

type figuresAnswer struct{ Body poolState }

func (m *module) show(context.Context, *struct{}) (*figuresAnswer, error) {
	stats := m.memory.Pool()
	answer := &figuresAnswer{poolState{
		Budget: stats.Budget, Resident: stats.Resident, Busy: stats.Busy, Pending: stats.Unsaved, Blocks: stats.Blocks,
		Utilization: stats.Utilization, Tiers: []tier{},
	}}
	for _, t := range m.memory.Tiers() {
		state := "healthy"
		if !t.Healthy {
			state = "degraded"
		}
		answer.Body.Tiers = append(answer.Body.Tiers, tier{t.Name, state, t.Problem, t.Indexing, t.Blocks, t.Bytes, t.Budget})
	}
	return answer, nil
}

// movedBlocks are the blocks that were moved.
type movedBlocks struct {
	Blocks int   `json:"blocks"`
	Bytes  int64 `json:"bytes"`
}

type movedAnswer struct {
	Body movedBlocks
}

func moveAnswer(m kv.Moved, err error) (*movedAnswer, error) {
	if err != nil {
		return nil, huma.Error503ServiceUnavailable(err.Error())
	}
	answer := &movedAnswer{}
	answer.Body.Blocks, answer.Body.Bytes = m.Blocks, m.Bytes
	return answer, nil
}

// poolEviction says what is to leave the pool.
type poolEviction struct {
	Bytes int64   `json:"bytes,omitempty" minimum:"1" doc:"At least so many"`
	Older float64 `json:"older_than_seconds,omitempty" minimum:"0" maximum:"3155760000" doc:"What nobody used for so long"`
}

type evictInput struct {
	Body poolEviction
}

func (m *module) evict(ctx context.Context, in *evictInput) (*movedAnswer, error) {
	switch {
	case in.Body.Bytes > 0 && in.Body.Older > 0, in.Body.Bytes == 0 && in.Body.Older == 0:
		return nil, huma.Error400BadRequest("give either bytes or older_than_seconds")
	case in.Body.Bytes > 0:
		return moveAnswer(m.memory.EvictBytes(ctx, in.Body.Bytes))
	}
	return moveAnswer(m.memory.EvictOlder(ctx, time.Duration(in.Body.Older*float64(time.Second))))
}

func (m *module) flush(ctx context.Context, _ *struct{}) (*movedAnswer, error) {
	return moveAnswer(m.memory.Flush(ctx))
}

func (m *module) trim(context.Context, *struct{}) (*movedAnswer, error) {
	return moveAnswer(m.memory.Trim())
}
