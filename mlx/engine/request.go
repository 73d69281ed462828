package engine

import (
	"errors"
	"fmt"
	"time"
)

// TextDecoder turns the token ids of one answer into text. It keeps back what is not yet a whole character.
type TextDecoder interface {
	// Push adds a token and returns the text that is now complete, often none.
	Push(token int32) string
	// Flush returns what was kept back, at the end of the answer.
	Flush() string
}

// Request asks for one answer.
type Request struct {
	ID         string             // for the log
	Tenant     string             // whose memory this is
	Agent      string             // whose conversation this is; empty if unknown
	Tokens     []int32            // the prompt, at least one token; not changed by the engine
	MaxTokens  int                // most tokens to generate; 0 computes the prompt's KV only
	Sampling   Sampling           // how a token is chosen
	Stop       []string           // strings that end the answer and are not part of it
	NewDecoder func() TextDecoder // makes the answer's decoder
	Retain     time.Duration      // how long its KV is to be given up after others; 0: no wish
	Spelling   Spelling           // lets KV of the same text in other tokens be found; may be nil
}

// Sampling tells how a token is chosen from the logits. The filters apply in the order of the fields.
type Sampling struct {
	Temperature float64 // 0 takes the first of the most likely tokens
	TopK        int     // keep the k most likely tokens; 0 keeps all
	MinP        float64 // keep tokens at least this likely relative to the most likely one; 0 keeps all
	TopP        float64 // keep the fewest tokens that together reach this probability; 0 and 1 keep all
	Seed        *uint64 // makes the answer repeatable; nil draws one
}

// StopReason tells why an answer ended.
type StopReason string

// The reasons, named as in the Messages API.
const (
	StopEndTurn   StopReason = "end_turn"
	StopMaxTokens StopReason = "max_tokens"
	StopSequence  StopReason = "stop_sequence"
)

// Usage counts the tokens of a request.
type Usage struct {
	Prompt    int // tokens of the prompt, which KV that was found may have spelled otherwise than the request did
	Cached    int // of those, tokens whose KV was there already
	Generated int // tokens of the answer, the one that ended it included
}

// Result is what a finished request leaves beside its text.
type Result struct {
	StopReason   StopReason
	StopSequence string // the string that matched, with StopSequence
	Usage        Usage
	Tokens       []int32       // the generated token ids, a stop token included
	Queue        time.Duration // from Submit to a slot in the batch
	FirstToken   time.Duration // from Submit to the first generated token
}

// Errors by which callers decide what to answer.
var (
	ErrStarting  = errors.New("the model is still loading")
	ErrQueueFull = errors.New("the queue is full")
	ErrDraining  = errors.New("the server is shutting down")
	ErrInvalid   = errors.New("the request is not valid")
	ErrModel     = errors.New("the model failed")
)

// TooLongError refuses a request whose prompt and answer together exceed the model's context length.
type TooLongError struct{ Prompt, MaxTokens, Context int }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("prompt of %d tokens and max_tokens of %d exceed the context length of %d tokens%s",
		e.Prompt, e.MaxTokens, e.Context, adviseLimit(e.Context-e.Prompt))
}

// NeverFitsError refuses a request that the KV budget could not hold even if it ran alone.
type NeverFitsError struct{ Prompt, MaxTokens, Budget int }

func (e *NeverFitsError) Error() string {
	return fmt.Sprintf("prompt of %d tokens and max_tokens of %d exceed the cache budget of this server, which holds %d tokens%s",
		e.Prompt, e.MaxTokens, e.Budget, adviseLimit(e.Budget-e.Prompt))
}

// adviseLimit says what would be accepted, given the tokens that the prompt leaves.
func adviseLimit(left int) string {
	if left < 1 {
		return "; shorten the prompt"
	}
	return fmt.Sprintf("; shorten the prompt or ask for at most %d tokens", left)
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
