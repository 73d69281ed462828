package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// grow gives the sequence blocks for n tokens, taking memory from the youngest if need be. It reports whether the
// sequence may go on in this step; if not, it was preempted or has failed.
func (l *loop) grow(seq *sequence, n int) bool {
	for len(seq.blocks) < blocksFor(n) {
		if !slices.Contains(l.running, seq) || l.spares() {
			return false
		}
		block, err := l.pool.Take()
		switch {
		case errors.Is(err, kv.ErrFull):
			l.preempt(l.running[len(l.running)-1])
		case err != nil:
			l.fail(seq, err)
		default:
			seq.append(block)
		}
	}
	return slices.Contains(l.running, seq)
}

// sparing is how long sequences wait for blocks to become durable rather than have them dropped.
const sparing = time.Second

// spares tells whether it is better to wait a little for memory: what could be had now is on its way to a lower tier,
// and would be lost.
func (l *loop) spares() bool {
	if l.pool.Free() > 0 || l.pool.Stats().Pending == 0 {
		l.short = time.Time{}
		return false
	}
	now := time.Now()
	if l.short.IsZero() {
		l.short = now
	}
	return now.Sub(l.short) < max(sparing, l.cfg.Patience)
}

// preempt takes a running sequence's slot and memory. Its stream just pauses.
func (l *loop) preempt(seq *sequence) {
	l.forget(seq)
	l.sealTail(seq)
	l.release(seq)
	l.preempted = insertByAge(l.preempted, seq)
	l.replan(seq)
	l.listener.Preempted()
}

// release gives the sequence's blocks back, the last first: it is the first that can be done without.
func (l *loop) release(seq *sequence) {
	seq.reached = max(seq.reached, seq.computed)
	seq.computed, seq.table, seq.keys, seq.tail, seq.ready = 0, nil, nil, kv.Root, false
	for len(seq.blocks) > 0 {
		last := seq.blocks[len(seq.blocks)-1]
		seq.blocks = seq.blocks[:len(seq.blocks)-1]
		l.pool.Give(last)
	}
}

// hasRoom tells whether the sequence's tokens fit beside the running ones: with what those still need for their
// own, and a block for each to grow into, so that a newcomer isn't preempted at once.
func (l *loop) hasRoom(seq *sequence) bool {
	if len(l.running) == 0 {
		return true
	}
	promised := len(l.running)
	for _, other := range l.running {
		promised += max(0, blocksFor(len(other.tokens))-len(other.blocks))
	}
	return l.pool.Free() >= promised+blocksFor(len(seq.tokens))
}
