package engine

import (
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// memory gives running sequences blocks, and takes them from others when there are none.
type memory struct {
	listener  Listener
	pool      *pool.Pool
	slots     *slots
	shortage  *shortage
	publisher *publisher
	restorer  *restorer
	auditor   *auditor
}

// grow gives the sequence blocks for n tokens, taking memory from the youngest if need be. It reports whether the
// sequence may go on in this step; if not, it was preempted, or the device has no memory for it.
func (m *memory) grow(seq *sequence, n int) (bool, error) {
	for len(seq.blocks) < blocksFor(n) {
		if !m.slots.isRunning(seq) || m.shortage.isPassing() {
			return false, nil
		}
		block, err := m.pool.Allocate()
		switch {
		case errors.Is(err, pool.ErrFull) && m.auditor.yield():
		case errors.Is(err, pool.ErrFull):
			m.preempt(m.slots.running[len(m.slots.running)-1])
		case err != nil:
			return false, err
		default:
			seq.append(block)
		}
	}
	return m.slots.isRunning(seq), nil
}

// preempt takes a running sequence's slot and memory. Its stream just pauses.
func (m *memory) preempt(seq *sequence) {
	m.publisher.publishTail(seq)
	m.release(seq)
	m.slots.take(seq)
	m.restorer.replan(seq)
	m.listener.Preempted()
}

// release gives the sequence's blocks back, the last first: it is the first that can be done without.
func (m *memory) release(seq *sequence) {
	seq.reached = max(seq.reached, seq.computed)
	seq.computed, seq.table, seq.keys, seq.tail, seq.ready = 0, nil, nil, kv.Root, false
	for len(seq.blocks) > 0 {
		last := seq.blocks[len(seq.blocks)-1]
		seq.blocks = seq.blocks[:len(seq.blocks)-1]
		m.pool.Release(last)
	}
}

// hasRoom tells whether the sequence's tokens fit beside the running ones: with what those still need for their
// own, and a block for each to grow into, so that a newcomer isn't preempted at once.
func (m *memory) hasRoom(seq *sequence) bool {
	if len(m.slots.running) == 0 {
		return true
	}
	promised := len(m.slots.running)
	for _, other := range m.slots.running {
		promised += max(0, blocksFor(len(other.tokens))-len(other.blocks))
	}
	return m.pool.Free() >= promised+blocksFor(len(seq.tokens))
}

// sparing is how long sequences wait for blocks to become durable rather than have them dropped.
const sparing = time.Second

// shortage is the time during which all memory that could be had is on its way to a lower tier.
type shortage struct {
	cfg   *Config
	pool  *pool.Pool
	since time.Time // zero: there is none
}

// isPassing tells whether it is better to wait a little for memory: what could be had now is on its way to a
// lower tier, and would be lost.
func (s *shortage) isPassing() bool {
	if s.pool.Free() > 0 || s.pool.Stats().Unsaved == 0 {
		s.since = time.Time{}
		return false
	}
	now := s.cfg.Clock()
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since) < max(sparing, s.cfg.Patience)
}
