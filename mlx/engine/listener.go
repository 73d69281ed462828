package engine

import (
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Listener is told what happens in the engine. Every field may be nil. The calls come from the engine's loop and
// must return quickly.
type Listener struct {
	Admitted  func(waited time.Duration) // a request got its first slot
	FirstText func(after time.Duration)  // a request's first token was generated, counted from Submit
	Finished  func(Finished)             // a request ended, well or not
	Preempted func()                     // a running sequence gave its memory back and waits again
	Stepped   func(Step)                 // a step was done
	Audited   func(AuditResult)          // an audit ended
	Restored  func(after time.Duration)  // a sequence has all that it could read from the lower tiers, counted from the first fetch
}

// Finished describes the end of a request.
type Finished struct {
	ID     string
	Usage  Usage
	Reason StopReason // empty if it failed
	Err    error      // nil if it finished

	Payer  kv.Payer // who pays for it
	Read   Read     // where Usage.Cached came from
	Tenant string   // whose memory it used
	Agent  string   // whose conversation it was; empty if unknown
	From   kv.Key   // the tail that its prompt began with, if one is known
	Chain  kv.Chain // the blocks of the prompt and the answer that are kept; empty if none are
}

// Step describes one step of the loop.
type Step struct {
	Rows    int // sequences that got a token by decoding
	Prefill int // prompt tokens computed
	Took    time.Duration
	Charges []Charge // whose prompt tokens they were; valid during the call
}

// Charge is a part of a step's work.
type Charge struct {
	Payer  kv.Payer
	Tokens int // of the payer's prompt that were computed
}

// charge notes prompt tokens that were computed.
func (s *Step) charge(p kv.Payer, tokens int) {
	s.Prefill += tokens
	s.Charges = append(s.Charges, Charge{p, tokens})
}

// Read is where the tokens came from that a request did not compute.
type Read struct {
	Tokens map[string]int // by the tier that a block came from for this request; "pool" for what was there
	// Avoided is how long computing them would have taken, at the rate that was measured of late when they were read; 0
	// before anything was measured.
	Avoided time.Duration
}

// complete returns the listener with a no-op for each missing callback.
func (l Listener) complete() Listener {
	if l.Admitted == nil {
		l.Admitted = func(time.Duration) {}
	}
	if l.FirstText == nil {
		l.FirstText = func(time.Duration) {}
	}
	if l.Finished == nil {
		l.Finished = func(Finished) {}
	}
	if l.Preempted == nil {
		l.Preempted = func() {}
	}
	if l.Stepped == nil {
		l.Stepped = func(Step) {}
	}
	if l.Audited == nil {
		l.Audited = func(AuditResult) {}
	}
	if l.Restored == nil {
		l.Restored = func(time.Duration) {}
	}
	return l
}
