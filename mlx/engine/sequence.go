package engine

import (
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// sequence is a request on its way through the loop, which alone touches it.
type sequence struct {
	id        string
	name      string // of the tenant
	agent     string
	retain    time.Duration
	maxTokens int
	spelling  Spelling // may be nil
	stream    *Stream
	sampler   *sampler
	decoder   TextDecoder
	stops     stopMatcher
	submitted time.Time
	age       uint64 // order of submission: the oldest has the lowest

	tokens   []int32    // the prompt, then what was generated
	prompt   int        // number of prompt tokens
	computed int        // tokens whose KV is in the table
	tenant   *kv.Tenant // nil: nothing is found or kept
	keys     []kv.Key   // of the full blocks in the table, all sealed
	blocks   []*kv.Block
	table    []Block // the same blocks, as the model sees them
	plan     *plan   // what is expected from the tiers; nil: nothing
	ready    bool    // nothing is waited for any more: the rest is computed
	reached  int     // tokens whose KV it had at most, before it lost its memory
	begun    bool    // the stream knows how much of the prompt is cached
	from     kv.Key  // of the tail that the prompt begins with, as far as known
	tail     kv.Key  // of the tail that was sealed last; Root for none

	result Result
}

func newSequence(req Request, seed uint64, now time.Time) *sequence {
	tokens := make([]int32, len(req.Tokens), len(req.Tokens)+min(req.MaxTokens, BlockTokens))
	copy(tokens, req.Tokens)
	stream := newStream()
	stream.result.Usage.Prompt = len(tokens)
	return &sequence{
		id:        req.ID,
		name:      req.Tenant,
		agent:     req.Agent,
		retain:    req.Retain,
		maxTokens: req.MaxTokens,
		spelling:  req.Spelling,
		stream:    stream,
		sampler:   newSampler(req.Sampling, seed),
		decoder:   req.NewDecoder(),
		stops:     stopMatcher{stops: req.Stop},
		submitted: now,
		tokens:    tokens,
		prompt:    len(tokens),
		result:    Result{Usage: Usage{Prompt: len(tokens)}, Queue: -1},
	}
}

// giveUp ends what is under way for the sequence in the tiers.
func (s *sequence) giveUp() {
	if s.plan != nil {
		s.plan.given.Store(true)
	}
}

// generated is the number of tokens generated so far.
func (s *sequence) generated() int { return len(s.tokens) - s.prompt }

// pending is the number of tokens without KV. While decoding it is one: the token generated last.
func (s *sequence) pending() int { return len(s.tokens) - s.computed }

// decoding tells whether the sequence takes part in the next decode: its prompt is computed, and only the token
// generated last has no KV.
func (s *sequence) decoding() bool { return s.generated() > 0 && s.pending() == 1 }

// accept adds a generated token and passes on its text. It reports whether the answer is complete.
func (s *sequence) accept(token int32, isStop bool) (done bool) {
	s.tokens = append(s.tokens, token)
	s.result.Usage.Generated++
	if isStop {
		return s.finish(StopEndTurn)
	}
	if s.emit(s.decoder.Push(token)) {
		return true
	}
	if s.generated() >= s.maxTokens {
		return s.finish(StopMaxTokens)
	}
	return false
}

// emit passes text through the stop matcher to the stream. It reports whether a stop string ended the answer.
func (s *sequence) emit(text string) (stopped bool) {
	safe, stop := s.stops.push(text)
	s.stream.add(safe)
	if stop == "" {
		return false
	}
	s.result.StopReason, s.result.StopSequence = StopSequence, stop
	return true
}

// finish ends the answer for a reason other than a stop string, unless one hides in the text kept back.
func (s *sequence) finish(reason StopReason) bool {
	if s.emit(s.decoder.Flush()) {
		return true
	}
	s.stream.add(s.stops.flush())
	s.result.StopReason = reason
	return true
}

// blocksFor is the number of blocks that hold n tokens.
func blocksFor(n int) int { return (n + BlockTokens - 1) / BlockTokens }

// guarded runs f and turns a panic into an error, so that it takes down no more than it must.
func guarded(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return f()
}
