package engine_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// pairs spells texts of a and b: beside the single letters there is a token for each pair of them.
type pairs struct{}

var pairText = map[int32]string{200: "aa", 201: "ab", 202: "ba", 203: "bb", 'a': "a", 'b': "b"}

func (pairs) Text(token int32) (string, bool) { text, ok := pairText[token]; return text, ok }
func (pairs) Longest() int                    { return 2 }
func (pairs) Beginnings(text string) (tokens []int32) {
	for _, token := range []int32{200, 201, 202, 203, 'a', 'b'} {
		if strings.HasPrefix(text, pairText[token]) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// spell writes a text in tokens; choose tells where to take a pair.
func spell(text string, choose func() bool) (tokens []int32) {
	for text != "" {
		options := pairs{}.Beginnings(text)
		token := options[len(options)-1]
		if len(options) > 1 && choose() {
			token = options[0]
		}
		tokens = append(tokens, token)
		text = text[len(pairText[token]):]
	}
	return tokens
}

func TestATextIsFoundHoweverItWasSpelled(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), remember(0))
	defer stop()
	first := int32(0) // tells the tries apart
	rapid.Check(t, func(r *rapid.T) {
		first = (first + 1) % 90
		mark := []int32{100 + first, first, int32(rapid.IntRange(0, 90).Draw(r, "mark"))}
		text := strings.Repeat("ab", rapid.IntRange(1, 30).Draw(r, "start")) +
			strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 600).Draw(r, "text"), "")
		// The special token 'x' ends the text in both, as the end of a turn does.
		end := []int32{'x', 'y', 'z'}
		sampled := slices.Concat(mark, spell(text, func() bool { return rapid.Bool().Draw(r, "pair") }), end)
		canonical := slices.Concat(mark, spell(text, func() bool { return true }), end)
		ask := func(tokens []int32) int {
			req := request("", 0)
			req.Tokens, req.Spelling = tokens, pairs{}
			_, result, err := answer(e, req)
			if err != nil {
				r.Fatal(err)
			}
			if result.Usage.Prompt-result.Usage.Cached < 1 {
				r.Fatalf("%+v", result.Usage)
			}
			return result.Usage.Prompt - result.Usage.Cached
		}
		ask(sampled)
		if computed := ask(canonical); computed != 1 {
			r.Fatalf("%d tokens of %q were computed again", computed, text)
		}
	})
}
