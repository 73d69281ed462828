package engine

import (
	"context"
	"fmt"
	"time"
)

// UnderWay is a request that was accepted and has not ended.
type UnderWay struct {
	ID, Tenant, Agent string // the agent is empty for none, and for one that was deleted meanwhile
	State             string // queued, restoring, prefill, decode or preempted
	Age               time.Duration
	Prompt            int // tokens
	Cached            int // of the prompt, tokens that came from a tier so far
	Computed          int // tokens of prompt and answer whose KV is there
	Generated         int // tokens of the answer
	Wanted            int // tokens of the answer at most
}

// ListUnderWay lists an engine's requests that were accepted and have not ended: those that run, oldest first, then those that wait for a
// slot. It waits for the step that is under way, no longer than ctx.
func ListUnderWay(ctx context.Context, e *Engine) (all []UnderWay, err error) {
	l := e.opened()
	if l == nil {
		return nil, nil
	}
	err = l.device.runWithin(ctx, func() {
		for _, seq := range l.slots.all() {
			all = append(all, seq.underWay(e.cfg.since(seq.submitted), l.slots))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list the requests under way: %w", err)
	}
	return all, nil
}

// underWay describes the sequence. The device's thread calls it.
func (s *sequence) underWay(age time.Duration, at *slots) UnderWay {
	return UnderWay{
		ID: s.id, Tenant: s.name, Agent: s.agent, State: at.stateOf(s), Age: age,
		Prompt: s.prompt, Cached: s.result.Usage.Cached, Computed: s.computed, Generated: s.generated(), Wanted: s.wanted,
	}
}

// stateOf says what a sequence waits for or what is done for it.
func (s *slots) stateOf(seq *sequence) string {
	switch {
	case !s.isRunning(seq) && seq.reached > 0:
		return "preempted"
	case !s.isRunning(seq):
		return "queued"
	case !seq.ready:
		return "restoring"
	case seq.caughtUp():
		return "decode"
	}
	return "prefill"
}
