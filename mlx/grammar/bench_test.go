package grammar_test

import (
	"fmt"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/grammar"
)

// large is a vocabulary of as many tokens as small models have.
func large() *grammar.Vocabulary {
	const size = 49_152
	text := func(token int32) (string, bool) {
		switch {
		case token < 256:
			return string([]byte{byte(token)}), true
		case token%3 == 0:
			return fmt.Sprintf(" %x", token*2654435), true
		}
		return fmt.Sprintf("%x", uint32(token)*40503), true
	}
	return grammar.NewVocabulary(size, text, []int32{size - 1})
}

// A decode step of a small model takes about 6 ms. The mask of a new state is computed once for a schema, that of a known one is
// looked up.
func BenchmarkMask(b *testing.B) {
	words, schema := large(), []byte(`{"type":"object","properties":{"a":{"type":"string","maxLength":50}},"required":["a"]}`)
	b.Run("new state in a string", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			g, err := grammar.Compile(schema, words)
			if err != nil {
				b.Fatal(err)
			}
			w := g.Walk()
			for _, c := range []byte(`{"a":"x`) {
				if err := w.Advance(int32(c)); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			if _, err := w.Allowed(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("known state", func(b *testing.B) {
		g, err := grammar.Compile(schema, words)
		if err != nil {
			b.Fatal(err)
		}
		w := g.Walk()
		for b.Loop() {
			if _, err := w.Allowed(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
