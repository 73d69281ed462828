package engine_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// alternating allows "ab" again and again, and an end behind each "b".
type alternating struct {
	written int
	failing int // fails once so much is written; 0: never
}

var errNoWay = errors.New("no way on")

func (c *alternating) Allowed() ([]uint64, error) {
	if c.failing > 0 && c.written == c.failing {
		return nil, errNoWay
	}
	mask := make([]uint64, enginetest.Vocabulary/64+1)
	allow := func(token int32) { mask[token/64] |= 1 << (token % 64) }
	if c.written%2 == 1 {
		allow('b')
		return mask, nil
	}
	if allow('a'); c.written > 0 {
		allow(enginetest.EndToken)
	}
	return mask, nil
}

func (c *alternating) Advance(token int32) error {
	if token < 256 {
		c.written++
	}
	return nil
}

// A constraint holds its own answer, however tokens are chosen, and changes none of those that run beside it, also when
// sequences lose their memory on the way.
func TestAConstraintHoldsItsOwnAnswerOnly(t *testing.T) {
	for _, temperature := range []float64{0, 1.5} {
		e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), func(c *engine.Config) { c.Budget = 8 * enginetest.BlockBytes })
		seed := uint64(7)
		plain := func(prompt string) engine.Request {
			req := request(prompt, 300)
			req.Sampling = engine.Sampling{Temperature: temperature, Seed: &seed}
			return req
		}
		var want []string
		for _, prompt := range prompts(4) {
			text, _, err := answer(e, plain(prompt))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, text)
		}
		var running sync.WaitGroup
		for i, prompt := range prompts(4) {
			running.Go(func() {
				if text, _, err := answer(e, plain(prompt)); err != nil || text != want[i] {
					t.Errorf("prompt %d: another answer beside constrained ones: %v", i, err)
				}
			})
			running.Go(func() {
				req := plain(prompt)
				req.Constraint = &alternating{}
				text, result, err := answer(e, req)
				if err != nil || text == "" || strings.Trim(strings.ReplaceAll(text+"b", "ab", ""), "b") != "" || len(text) > result.Usage.Generated {
					t.Errorf("%q, %+v, %v", text, result, err)
				}
			})
		}
		running.Wait()
		stop()
	}
}

// A constraint that knows no way on fails its request alone.
func TestAConstraintWithoutAWayOnFailsItsRequest(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
	defer stop()
	req := request("p", 10)
	req.Constraint = &alternating{failing: 3}
	if _, _, err := answer(e, req); !errors.Is(err, engine.ErrModel) || !errors.Is(err, errNoWay) {
		t.Errorf("%v", err)
	}
	if _, result, err := answer(e, request("p", 10)); err != nil || result.Usage.Generated != 10 {
		t.Errorf("%+v, %v", result, err)
	}
}
