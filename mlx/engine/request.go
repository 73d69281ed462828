package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// TextDecoder turns the token ids of one answer into text. It keeps back what is not yet a whole character.
type TextDecoder interface {
	// Push adds a token and returns the text that is now complete, often none.
	Push(token int32) string
	// Flush returns what was kept back, at the end of the answer.
	Flush() string
}

// Constraint holds one answer to a form. The loop alone uses it, so it must not take long.
type Constraint interface {
	// Allowed are the tokens that may come next, one bit each, stop tokens included; nil: all. It is not changed.
	Allowed() ([]uint64, error)
	// Advance goes on behind one of them.
	Advance(token int32) error
}

// Request asks for one answer.
type Request struct {
	ID         string             // for the log
	Tenant     string             // whose memory this is
	Agent      string             // whose conversation this is; empty if unknown
	Model      kv.Fingerprint     // whose tokens these are; the zero value: the loaded model's
	Tokens     []int32            // the prompt's canonical tokens, at least one; not changed by the engine
	MaxTokens  int                // most tokens to generate, as far as there is room; 0 computes the prompt's KV only
	Sampling   Sampling           // how a token is chosen
	Constraint Constraint         // holds the answer to a form; nil: none
	Stop       []string           // strings that end the answer and are not part of it
	NewDecoder func() TextDecoder // makes the answer's decoder
	Retain     time.Duration      // how long its KV is to be given up after others; 0: no wish
	Marked     int                // tokens up to a place that Usage tells of, such as a cache breakpoint; 0 for none
	Answers    []prefix.Span      // texts of the assistant's turns in the prompt, in order, each at borders of tokens
	Spelling   prefix.Spelling    // lets answers be found in the tokens in which they were sampled; may be nil
}

// Asks is who asks for something, and of which model.
type Asks struct {
	Tenant, Agent string // the agent is empty if unknown
	Model         string
	Space         kv.Space // in which the blocks are; the zero value if nothing is kept
}

// Sampling tells how a token is chosen from the logits. What changes the logits comes first; the filters apply in the order
// of the fields.
type Sampling struct {
	Bias      map[int32]float32 // is added to the logits of these tokens; others' ids have no effect
	Presence  float64           // is taken from the logits of tokens that the answer has already
	Frequency float64           // is taken from them for each time that it has them

	Temperature float64 // 0 takes the first of the most likely tokens
	TopK        int     // keep the k most likely tokens; 0 keeps all
	MinP        float64 // keep tokens at least this likely relative to the most likely one; 0 keeps all
	TopP        float64 // keep the fewest tokens that together reach this probability; 0 and 1 keep all
	Seed        *uint64 // makes the answer repeatable; nil draws one

	Tells  bool // the stream tells how likely each token was
	Likely int  // and of so many others, the most likely ones
}

// Likelihood is how likely the model found a token, whatever biases, forms and filters made of it.
type Likelihood struct {
	Token   int32
	Logprob float64 // natural logarithm of the probability
}

// Told is a token of an answer with its likelihood and that of the most likely ones at its place, the likeliest first.
type Told struct {
	Likelihood
	Likely []Likelihood
}

// StopReason tells why an answer ended. It is empty for one that failed.
type StopReason string

// The reasons.
const (
	StopToken  StopReason = "stop_token"  // the model ended it, by one of its stop tokens
	StopLimit  StopReason = "token_limit" // it has as many tokens as were asked for
	StopString StopReason = "stop_string" // one of the request's stop strings came up
	// StopNoRoom ends an answer that asked for more tokens than the model's context, or the KV budget, has room for.
	StopNoRoom StopReason = "no_room"
)

// Usage counts the tokens of a request.
type Usage struct {
	Prompt    int // tokens of the prompt; answers that this server sampled count as they were sampled
	Cached    int // of those, tokens whose KV was there already
	Marked    int // of the prompt's, those up to Request.Marked, as they were computed
	Generated int // tokens of the answer, the one that ended it included
}

// Result is what a finished request leaves beside its text.
type Result struct {
	StopReason StopReason
	StopString string // that matched, with StopString
	Usage      Usage
	Tokens     []int32       // the generated token ids, a stop token included
	Queue      time.Duration // from Submit to a slot in the batch
	FirstToken time.Duration // from Submit to the first generated token
	Stages     []Stage       // of its way
}

// Errors by which callers decide what to answer.
var (
	ErrStarting   = errors.New("the model is still loading")
	ErrUnloadable = errors.New("the model can't be loaded; the server's log tells why")
	ErrUnloaded   = errors.New("no model is loaded: an operator unloaded it")
	ErrOccupied   = errors.New("another model answers requests, and this one's turn did not come in time")
	ErrQueueFull  = errors.New("the queue is full")
	ErrDraining   = errors.New("the server is shutting down")
	ErrInvalid    = errors.New("the request is not valid")
	ErrModel      = errors.New("the model failed")
)

// TooLongError refuses a prompt that exceeds the model's context length. Clients know it by its words and act on the
// figures, so neither changes.
type TooLongError struct {
	Prompt, Context int
	Least           bool // the prompt has at least so many tokens: it was not counted to its end
}

func (e *TooLongError) Error() string {
	more := ""
	if e.Least {
		more = " (at least so many: it was not counted to its end)"
	}
	return fmt.Sprintf("prompt is too long: %d tokens > %d maximum%s", e.Prompt, e.Context, more)
}

// NeverFitsError refuses a prompt that the KV budget could not hold even if it ran alone.
type NeverFitsError struct{ Prompt, Budget int }

func (e *NeverFitsError) Error() string {
	return fmt.Sprintf("a prompt of %d tokens exceeds the cache budget of this server, which holds %d tokens; shorten the prompt, "+
		"or ask the operator for a greater SEMANTIC_MLX_CACHE_BUDGET_MB", e.Prompt, e.Budget)
}

// check refuses what no model could run.
func (r *Request) check(vocabulary int) error {
	switch {
	case len(r.Tokens) == 0:
		return fmt.Errorf("%w: the prompt has no tokens", ErrInvalid)
	case r.MaxTokens < 0:
		return fmt.Errorf("%w: max_tokens is %d", ErrInvalid, r.MaxTokens)
	case r.NewDecoder == nil:
		return fmt.Errorf("%w: it has no decoder", ErrInvalid)
	}
	for i, token := range r.Tokens {
		if token < 0 || int(token) >= vocabulary {
			return fmt.Errorf("%w: token %d at position %d is outside the vocabulary of %d", ErrInvalid, token, i, vocabulary)
		}
	}
	return nil
}
