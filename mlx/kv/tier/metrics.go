package tier

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Call is one call of a tier that has ended.
type Call struct {
	Tier  string
	Doing string // "lookup", "get", "put" or "delete"
	Fault string // empty for success, "open" where a breaker spared the tier, else as kv.FaultOf names it
	Took  time.Duration
	Bytes int64 // read or stored
}

// Metrics tells of every call of a tier.
type Metrics struct {
	kv.Tier
	observe func(Call)
	clock   func() time.Time
}

var _ kv.Wrapper = (*Metrics)(nil)

// NewMetrics has observe called, from any goroutine, when a call of the tier has ended.
func NewMetrics(inner kv.Tier, clock func() time.Time, observe func(Call)) *Metrics {
	return &Metrics{inner, observe, clock}
}

func (m *Metrics) ended(doing string, began time.Time, bytes int, err error) {
	call := Call{Tier: m.Name(), Doing: doing, Took: m.clock().Sub(began)}
	switch {
	case err == nil:
		call.Bytes = int64(bytes)
	case errors.Is(err, ErrOpen):
		call.Fault = "open"
	default:
		call.Fault = kv.FaultOf(err)
	}
	m.observe(call)
}

// Unwrap implements kv.Wrapper.
func (m *Metrics) Unwrap() kv.Tier { return m.Tier }

// Lookup implements kv.Tier.
func (m *Metrics) Lookup(ctx context.Context, refs []kv.Ref) ([]kv.Copy, error) {
	began := m.clock()
	copies, err := m.Tier.Lookup(ctx, refs)
	m.ended("lookup", began, 0, err)
	return copies, err
}

// Get implements kv.Tier.
func (m *Metrics) Get(ctx context.Context, ref kv.Ref, buf []byte) ([]byte, error) {
	began := m.clock()
	data, err := m.Tier.Get(ctx, ref, buf)
	m.ended("get", began, len(data), err)
	return data, err
}

// Put implements kv.Tier.
func (m *Metrics) Put(ctx context.Context, e kv.Entry, data []byte) error {
	began := m.clock()
	err := m.Tier.Put(ctx, e, data)
	m.ended("put", began, len(data), err)
	return err
}

// Delete implements kv.Tier.
func (m *Metrics) Delete(ctx context.Context, ref kv.Ref) error {
	began := m.clock()
	err := m.Tier.Delete(ctx, ref)
	m.ended("delete", began, 0, err)
	return err
}
