package engine

import (
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// sequence is a request on its way. Until it is queued, who submits it fills it in; then the loop alone touches it.
type sequence struct {
	id        string
	name      string // of the tenant
	agent     string
	payer     kv.Payer
	retain    time.Duration
	maxTokens int             // tokens that there must be room for: all that are wanted, or one if that is more than the room
	wanted    int             // most tokens to generate
	room      int             // most tokens of prompt and answer together
	spelling  prefix.Spelling // may be nil
	stream    *Stream
	sampler   *sampler
	decoder   TextDecoder
	stops     stopMatcher
	submitted time.Time
	age       uint64 // order of submission: the oldest has the lowest

	tokens   []kv.Token // the prompt, then what was generated
	prompt   int        // number of prompt tokens
	computed int        // tokens whose KV is in the table
	tenant   *kv.Tenant // nil: nothing is found or kept
	keys     []kv.Key   // of the full blocks in the table, all published
	blocks   []*pool.Block
	table    []Block // the same blocks, as the model sees them
	plan     *plan   // what is expected from the tiers; nil: nothing
	ready    bool    // nothing is waited for any more: the rest is computed
	reached  int     // tokens whose KV it had at most, before it lost its memory
	begun    bool    // the stream knows how much of the prompt is cached
	sent     int     // bytes of the answer's text
	from     kv.Key  // of the tail that the prompt begins with, as far as known
	part     kv.Key  // of the block whose beginning was copied behind the full ones
	read     Read    // what of the prompt was not computed
	tail     kv.Key  // of the tail that was published last; Root for none

	audit *audit // to compute it again; nil for none
	way   way

	result Result
}

func newSequence(req Request, seed uint64, now time.Time) *sequence {
	tokens := kv.PromptTokens(req.Tokens)
	stream := newStream()
	stream.result.Usage = Usage{Prompt: len(tokens), Marked: req.Marked}
	return &sequence{
		id:        req.ID,
		name:      req.Tenant,
		agent:     req.Agent,
		retain:    req.Retain,
		spelling:  req.Spelling,
		stream:    stream,
		sampler:   newSampler(req.Sampling, seed).within(req.Constraint),
		decoder:   req.NewDecoder(),
		stops:     stopMatcher{stops: req.Stop},
		submitted: now,
		tokens:    tokens,
		prompt:    len(tokens),
		result:    Result{Usage: stream.result.Usage, Queue: -1},
	}
}

// limit sets how many tokens are generated: as many as are wanted, or as far as the room for prompt and answer
// reaches. A request that fits must still fit when its prompt is spelt in more tokens; another one takes what
// is left.
func (s *sequence) limit(wanted, room int) {
	s.wanted, s.room, s.maxTokens = wanted, room, wanted
	if wanted > room-s.prompt {
		s.maxTokens = min(1, room-s.prompt)
	}
}

// full tells whether as much is generated as may be.
func (s *sequence) full() bool { return s.generated() >= s.wanted || len(s.tokens) >= s.room }

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

// caughtUp tells whether only the token generated last has no KV.
func (s *sequence) caughtUp() bool { return s.generated() > 0 && s.pending() == 1 }

// decodes tells whether the decode kernels compute the sequence's next token: it was sampled, now or in an
// earlier turn.
func (s *sequence) decodes() bool { return s.ready && s.tokens[s.computed].Generated() }

// prefills tells whether the prefill kernels compute the sequence's next token.
func (s *sequence) prefills() bool { return s.ready && !s.tokens[s.computed].Generated() }

// left is the number of tokens that are still to be computed before the next one is generated, as far as it is known.
func (s *sequence) left() int {
	left := s.pending()
	if s.computed == 0 && s.plan != nil && isClosed(s.plan.known) {
		left -= s.plan.Cached()
	}
	return left
}

// parent is the key of the last full block.
func (s *sequence) parent() kv.Key {
	if len(s.keys) == 0 {
		return kv.Root
	}
	return s.keys[len(s.keys)-1]
}

// append adds a block to the table.
func (s *sequence) append(block *pool.Block) {
	s.blocks = append(s.blocks, block)
	s.table = append(s.table, block.Memory())
}

// isClosedBehind tells whether the only token without KV is the one that ends the answer.
func (s *sequence) isClosedBehind() bool {
	return s.pending() == 1 && s.tokens[s.computed]&kv.Closes != 0
}

// setPrompt puts other tokens of the same text in the place of the prompt's.
func (s *sequence) setPrompt(tokens []kv.Token, marked int) {
	s.tokens, s.prompt = tokens, len(tokens)
	s.result.Usage.Prompt, s.result.Usage.Marked = len(tokens), marked
	s.stream.result.Usage = s.result.Usage
}

// accept adds a generated token and passes on its text. It reports whether the answer is complete.
func (s *sequence) accept(token int32, isStop bool) (done bool) {
	s.add(token)
	s.result.Usage.Generated++
	if isStop {
		return s.finish(StopToken)
	}
	if s.sampler.how.Tells {
		s.stream.tell(s.sampler.told)
	}
	if s.emit(s.decoder.Push(token)) {
		return true
	}
	if s.full() {
		return s.finish(StopLimit)
	}
	return false
}

// add adds a generated token.
func (s *sequence) add(token int32) {
	marked := kv.Token(token) | kv.Generated
	if s.generated() == 0 {
		marked |= kv.Opens
	}
	s.tokens = append(s.tokens, marked)
}

// close marks the token with which the text that was sent is complete, unless that lies in a block that has its name
// already. Only then can the answer be known as a whole when it comes back.
func (s *sequence) close() {
	if s.spelling == nil {
		return
	}
	bytes := 0
	for i := s.prompt; i < len(s.tokens) && bytes < s.sent; i++ {
		text, ok := s.spelling.Text(s.tokens[i].ID())
		if bytes += len(text); !ok {
			return
		}
		if bytes == s.sent && i >= len(s.keys)*BlockTokens {
			s.tokens[i] |= kv.Closes
		}
	}
}

// send adds text to the stream.
func (s *sequence) send(text string) {
	s.sent += len(text)
	s.stream.add(text)
}

// emit passes text through the stop matcher to the stream. It reports whether a stop string ended the answer.
func (s *sequence) emit(text string) (stopped bool) {
	safe, stop := s.stops.push(text)
	s.send(safe)
	if stop == "" {
		return false
	}
	s.result.StopReason, s.result.StopString = StopString, stop
	return true
}

// finish ends the answer for a reason other than a stop string. Of a character that the end cuts nothing is shown, so
// what the decoder keeps back stays there.
func (s *sequence) finish(reason StopReason) bool {
	if reason == StopLimit && s.generated() < s.wanted {
		reason = StopNoRoom
	}
	s.send(s.stops.flush())
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
