package pool_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// cell is memory that knows whether it was freed.
type cell struct{ freed bool }

func (c *cell) Free() {
	if c.freed {
		panic("freed twice")
	}
	c.freed = true
}

// poolModel is a pool beside what it must hold: the references that the test has, and what it sealed under
// which name.
type poolModel struct {
	pool  *pool.Pool
	held  []*pool.Block
	names map[*pool.Block]kv.Entry
}

const cellBytes = 10

func newPoolModel(r *rapid.T) *poolModel {
	p, err := pool.New(pool.Config{
		Budget: 5 * cellBytes, BlockBytes: cellBytes, Allocate: func() (pool.Memory, error) { return &cell{}, nil },
	})
	if err != nil {
		r.Fatal(err)
	}
	return &poolModel{pool: p, names: map[*pool.Block]kv.Entry{}}
}

// drawEntry draws one of a few names, some of which have the same parent and a common beginning.
func drawEntry(r *rapid.T) kv.Entry {
	e := kv.Entry{Ref: kv.Ref{Key: kv.Key{rapid.Byte().Draw(r, "key") % 8}}}
	e.Parent, e.Tags = kv.Key{e.Key[0] % 2, 1}, make([]kv.Tag, 1+e.Key[0]/2)
	e.Tokens = len(e.Tags)
	return e
}

// drawHeld draws one of the references held.
func (m *poolModel) drawHeld(r *rapid.T) int {
	if len(m.held) == 0 {
		r.Skip()
	}
	return rapid.IntRange(0, len(m.held)-1).Draw(r, "which")
}

func (m *poolModel) Allocate(r *rapid.T) {
	free := m.pool.Free()
	block, err := m.pool.Allocate()
	if (err == nil) != (free > 0) {
		r.Fatalf("%d blocks are free, and take says %v", free, err)
	}
	if err == nil {
		m.held = append(m.held, block)
	}
}

func (m *poolModel) Release(r *rapid.T) {
	i := m.drawHeld(r)
	m.pool.Release(m.held[i])
	m.held = append(m.held[:i], m.held[i+1:]...)
}

func (m *poolModel) Publish(r *rapid.T) {
	i, e := m.drawHeld(r), drawEntry(r)
	if _, sealed := m.names[m.held[i]]; sealed {
		r.Skip()
	}
	m.held[i] = m.pool.Publish(m.held[i], e)
	m.names[m.held[i]] = e
}

func (m *poolModel) Acquire(r *rapid.T) {
	e := drawEntry(r)
	block := m.pool.Acquire(e.Space, e.Key)
	if block == nil {
		return
	}
	if m.names[block].Key != e.Key {
		r.Fatalf("found %v under %v", m.names[block].Key, e.Key)
	}
	m.held = append(m.held, block)
}

func (m *poolModel) Nearest(r *rapid.T) {
	e := drawEntry(r)
	block, n := m.pool.Nearest(e.Space, e.Parent, e.Tags)
	if (block == nil) != (n == 0) {
		r.Fatalf("nearest to %v is %v with %d tokens", e, block, n)
	}
	if block == nil {
		return
	}
	if m.names[block].Parent != e.Parent || n > len(m.names[block].Tags) {
		r.Fatalf("nearest to %v is %v with %d tokens", e, m.names[block], n)
	}
	m.held = append(m.held, block)
}

func (m *poolModel) AllocateAhead(r *rapid.T) {
	before := m.pool.Stats()
	done, err := m.pool.AllocateAhead(2)
	if after := m.pool.Stats(); err != nil || done != (after.Resident > before.Resident) || after.Busy != before.Busy {
		r.Fatalf("done %v, %v: %+v became %+v", done, err, before, after)
	}
}

func (m *poolModel) EvictAll(*rapid.T) { m.pool.EvictAll() }

// Check runs after every action.
func (m *poolModel) Check(r *rapid.T) {
	if err := m.pool.Check(); err != nil {
		r.Fatal(err)
	}
	distinct := map[*pool.Block]bool{}
	for _, block := range m.held {
		distinct[block] = true
		if block.Memory().(*cell).freed {
			r.Fatal("a block in use was freed")
		}
	}
	if busy := m.pool.Stats().Busy; busy != int64(cellBytes*len(distinct)) {
		r.Fatalf("%d bytes are busy for %d blocks in use", busy, len(distinct))
	}
}

func TestSealedBlocksAreSharedReclaimedAndNeverLostWhileInUse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { r.Repeat(rapid.StateMachineActions(newPoolModel(r))) })
}

// Memory that is being allocated ahead belongs to nobody: the pool is as free as before, at every moment.
func TestPreparingIsNoUse(t *testing.T) {
	var p *pool.Pool
	var during pool.Stats
	p, err := pool.New(pool.Config{Budget: 2 * cellBytes, BlockBytes: cellBytes, Allocate: func() (pool.Memory, error) {
		during = p.Stats()
		return &cell{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := p.AllocateAhead(1); !done || err != nil {
		t.Fatal(done, err)
	}
	if during.Busy != 0 || during.Utilization != 0 || during.Resident != cellBytes || p.Free() != 2 {
		t.Errorf("while a block is allocated ahead: %+v; afterwards %d are free", during, p.Free())
	}
}
