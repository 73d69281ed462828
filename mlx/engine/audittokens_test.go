package engine

import (
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// letters spells lower-case letters, and 'A' as "ab".
type letters struct{}

func (letters) Text(token int32) (string, bool) {
	if token == 'A' {
		return "ab", true
	}
	return string(rune(token)), true
}
func (letters) Beginnings(string) []int32 { return nil }

func TestAnAuditHoldsTokensToTheRule(t *testing.T) {
	sampled := func(ids string) (tokens []kv.Token) {
		for _, id := range ids {
			tokens = append(tokens, kv.Token(id)|kv.Generated)
		}
		tokens[len(tokens)-1] |= kv.Closes
		return tokens
	}
	join := func(parts ...[]kv.Token) (all []kv.Token) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	prompt := func(ids string) []kv.Token { return kv.PromptTokens(idsOf(ids)) }
	answers := []prefix.Span{{From: 1, To: 4}} // of "xabcy"
	for name, c := range map[string]struct {
		tokens []kv.Token
		right  bool
	}{
		"canonical":                  {prompt("xabcy"), true},
		"sampled":                    {join(prompt("x"), sampled("Ac"), prompt("y")), true},
		"sampled as it is spelt":     {join(prompt("x"), sampled("abc"), prompt("y")), true},
		"an answer not closed":       {join(prompt("x"), sampled("Ac")[:1], prompt("cy")), false},
		"another text":               {join(prompt("x"), sampled("Ad"), prompt("y")), false},
		"an answer cut short":        {join(prompt("x"), sampled("A"), prompt("y")), false},
		"other tokens of the prompt": {prompt("zabcy"), false},
		"more tokens":                {prompt("xabcyy"), false},
		"fewer tokens":               {prompt("xabc"), false},
	} {
		a := audit{spelling: letters{}, canonical: idsOf("xabcy"), answers: answers, tokens: c.tokens, prompt: len(c.tokens)}
		if err := a.checkTokens(); (err == nil) != c.right {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func idsOf(text string) (ids []int32) {
	for _, r := range text {
		ids = append(ids, r)
	}
	return ids
}
