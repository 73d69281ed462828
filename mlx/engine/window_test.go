package engine_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// What asks for more than there is room for is answered as far as the room goes, and told so: by the context where that
// is the shorter one, else by the KV budget.
func TestAnAnswerEndsWhereTheWindowDoes(t *testing.T) {
	for _, c := range []struct {
		name                         string
		context, blocks, prompt, max int
		made                         int
		why                          engine.StopReason
	}{
		{"one token over the context", 1000, 10, 900, 101, 100, engine.StopNoRoom},
		{"all of the context", 1000, 10, 900, 100, 100, engine.StopLimit},
		{"far over the context", 1000, 10, 900, 1<<31 - 1, 100, engine.StopNoRoom},
		{"room for one", 1000, 10, 999, 64_000, 1, engine.StopNoRoom},
		{"a prompt that is as long as the context", 1000, 10, 1000, 64_000, 0, engine.StopNoRoom},
		{"such a prompt, computed only", 1000, 10, 1000, 0, 0, engine.StopLimit},
		{"one token over the budget", 1000, 2, 500, 13, 12, engine.StopNoRoom},
		{"all of the budget", 1000, 2, 500, 12, 12, engine.StopLimit},
		{"far over the budget", 1000, 2, 100, 128_000, 412, engine.StopNoRoom},
		{"a prompt that fills the budget", 1000, 2, 512, 1, 0, engine.StopNoRoom},
	} {
		t.Run(c.name, func(t *testing.T) {
			model := enginetest.New(enginetest.Config{Context: c.context, NoEnd: true})
			e, stop := start(t, model, func(cfg *engine.Config) { cfg.Budget = int64(c.blocks) * enginetest.BlockBytes })
			defer stop()
			_, result, err := answer(e, request(strings.Repeat("x", c.prompt), c.max))
			if err != nil || result.StopReason != c.why || result.Usage.Generated != c.made {
				t.Errorf("%q after %d tokens, %v; want %q after %d", result.StopReason, result.Usage.Generated, err, c.why, c.made)
			}
		})
	}
}

// At whatever token an answer is cut, its text is a beginning of the whole one, in whole characters.
func TestNothingOfACutCharacterIsShown(t *testing.T) {
	const whole = "aé€🫠éß🫡"
	e, stop := start(t, enginetest.New(enginetest.Config{Answer: enginetest.Say(whole)}), nil)
	defer stop()
	for most := 1; most <= len(whole)+1; most++ {
		req := request("say it", most)
		req.Tokens = append(req.Tokens, enginetest.AnswerToken)
		text, _, err := answer(e, req)
		if err != nil || !strings.HasPrefix(whole, text) || !utf8.ValidString(text) || len(text) < min(most, len(whole))-3 {
			t.Errorf("after %d tokens: %q, %v", most, text, err)
		}
	}
	for cut := 1; cut < len(whole); cut++ { // the model itself ends within a character
		e, stop := start(t, enginetest.New(enginetest.Config{Answer: enginetest.Say(whole[:cut])}), nil)
		req := request("say it", 100)
		req.Tokens = append(req.Tokens, enginetest.AnswerToken)
		if text, _, err := answer(e, req); err != nil || !strings.HasPrefix(whole, text) || !utf8.ValidString(text) {
			t.Errorf("cut at byte %d by the model: %q, %v", cut, text, err)
		}
		stop()
	}
}
