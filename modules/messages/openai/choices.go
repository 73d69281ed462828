package openai

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/danielgtaylor/huma/v2"
)

// choices are the answers to one request. They are made side by side: the prompt is computed once.
type choices []*completing

// submit asks for so many answers. Those that it returns are to be closed, also with an error.
func (a *API) submit(ctx context.Context, req *messages.Request, n int) (all choices, err error) {
	id, created := newID("chatcmpl-"), a.cfg.Clock().Unix()
	for i := range n {
		one := *req
		if seed := one.Sampling.Seed; seed != nil && i > 0 { // each differs, and all are repeatable
			next := *seed + uint64(i)
			one.Sampling.Seed = &next
		}
		answer, err := a.cfg.Service.Submit(ctx, &one)
		if err != nil {
			return all, err
		}
		all = append(all, &completing{Answer: answer, id: id, model: req.Model, created: created, index: i, tells: req.Sampling.Tells})
	}
	return all, nil
}

func (all choices) close() {
	for _, c := range all {
		c.Close()
	}
}

// usage counts the prompt once, and the tokens of all answers.
func (all choices) usage() chatUsage {
	var counted engine.Usage
	for i, c := range all {
		one := c.Result().Usage
		if i == 0 {
			counted = one
			continue
		}
		counted.Generated += one.Generated
	}
	return usageOf(counted)
}

// whole waits for all answers.
func (all choices) whole(ctx context.Context) (chatCompletion, error) {
	first := all[0]
	whole := chatCompletion{ID: first.id, Object: "chat.completion", Created: first.created, Model: first.model}
	for _, c := range all {
		blocks, err := c.Blocks(ctx)
		if err != nil {
			return whole, err
		}
		whole.Choices = append(whole.Choices, c.choice(blocks))
	}
	whole.Usage = all.usage()
	return whole, nil
}

// copyTo sends all answers as they grow, side by side, each with its reason at the end.
func (all choices) copyTo(ctx context.Context, out *pieces) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var copying sync.WaitGroup
	for _, c := range all {
		copying.Go(func() {
			if err := c.copyTo(ctx, out); err != nil {
				cancel(err)
				return
			}
			reason := finishReason(c.Result())
			last := c.chunk(chunkDelta{}, &reason)
			last.Choices[0].Logprobs = c.logprobs()
			out.send(last)
		})
	}
	copying.Wait()
	return context.Cause(ctx)
}

// The likelihoods of an answer's tokens.
type (
	logprobs struct {
		Content []tokenLogprob `json:"content" nullable:"false" doc:"Of all tokens of the answer, those of calls and thoughts included"`
		Refusal *string        `json:"refusal" nullable:"true"`
	}
	tokenLogprob struct {
		likelihood
		Top []likelihood `json:"top_logprobs" nullable:"false"`
	}
	likelihood struct {
		Token   string  `json:"token" doc:"Its text; what is not text of its own, as part of a character, is only in bytes"`
		Logprob float64 `json:"logprob" doc:"As the model found it, whatever a temperature, a bias or a form made of it"`
		Bytes   []int   `json:"bytes" nullable:"false"`
	}
)

// maybeLogprobs are the likelihoods, or null where nobody asked for them.
type maybeLogprobs struct{ *logprobs }

// MarshalJSON implements json.Marshaler.
func (m maybeLogprobs) MarshalJSON() ([]byte, error) { return json.Marshal(m.logprobs) }

// Schema implements huma.SchemaProvider.
func (maybeLogprobs) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[logprobs](), true, ""), {Type: "null"}}}
}

// logprobs are those of the tokens that came since they were asked for last; nil if nobody wants them.
func (c *completing) logprobs() maybeLogprobs {
	if !c.tells {
		return maybeLogprobs{}
	}
	told := &logprobs{Content: []tokenLogprob{}}
	for _, token := range c.Told() {
		one := tokenLogprob{likelihood: c.likelihood(token.Likelihood), Top: []likelihood{}}
		for _, other := range token.Likely {
			one.Top = append(one.Top, c.likelihood(other))
		}
		told.Content = append(told.Content, one)
	}
	return maybeLogprobs{told}
}

// leastLogprob stands for any that is lower: JSON has no infinity.
const leastLogprob = -9999

func (c *completing) likelihood(l engine.Likelihood) likelihood {
	text := c.TokenText(l.Token)
	told := likelihood{Token: text, Logprob: max(l.Logprob, leastLogprob), Bytes: make([]int, len(text))}
	for i := range len(text) {
		told.Bytes[i] = int(text[i])
	}
	return told
}
