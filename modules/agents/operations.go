package agents

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// mostOperations is how many ended operations are remembered.
const mostOperations = 1000

// Operation is work that goes on after its request was answered.
type Operation struct {
	ID     string `json:"operation_id"`
	Status string `json:"status" enum:"running,done,failed"`
	Error  string `json:"error,omitempty"`
	Blocks int    `json:"blocks" doc:"Blocks removed from the tiers below the pool"`
	Bytes  int64  `json:"bytes"`

	tenant string
}

type operations struct {
	mu    sync.Mutex
	known map[string]Operation
	order []string
	work  sync.WaitGroup
}

// start runs an operation of a tenant beside its request.
func (o *operations) start(tenant string, run func(context.Context) (kv.Moved, error)) Operation {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	op := Operation{ID: "op_" + hex.EncodeToString(random[:]), Status: "running", tenant: tenant}
	o.put(op)
	o.work.Go(func() {
		moved, err := run(context.Background())
		end := op
		end.Status, end.Blocks, end.Bytes = "done", moved.Blocks, moved.Bytes
		if err != nil {
			end.Status, end.Error = "failed", err.Error()
		}
		o.put(end)
	})
	return op
}

func (o *operations) put(op Operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil {
		o.known = map[string]Operation{}
	}
	if _, there := o.known[op.ID]; !there {
		o.order = append(o.order, op.ID)
	}
	o.known[op.ID] = op
	if len(o.order) > mostOperations {
		delete(o.known, o.order[0])
		o.order = o.order[1:]
	}
}

// get returns a tenant's operation; an empty tenant stands for all.
func (o *operations) get(tenant, id string) (Operation, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op, there := o.known[id]
	return op, there && (tenant == "" || op.tenant == tenant)
}
