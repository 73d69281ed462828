package prefix_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// stored is a cache of one index.
type stored struct{ *kv.Index[int] }

func (s stored) Lookup(_ context.Context, refs []kv.Ref) []cache.Found {
	found := make([]cache.Found, len(refs))
	for i, ref := range refs {
		found[i].Ref = ref
		if s.Get(ref.Space, ref.Key) != nil {
			found[i].InPool, found[i].Bytes = true, 1
		}
	}
	return found
}

func (s stored) Browse(in kv.Space, parent kv.Key, visit func(kv.Branch)) {
	visit(s.Behind(in, parent))
}

func (s stored) Nearest(_ context.Context, in kv.Space, parent kv.Key, tags []kv.Tag) (*cache.Found, int) {
	end, n := s.Behind(in, parent).Along(tags)
	e, ok := end.Entry(n)
	if n = min(n, e.Tokens); !ok || n == 0 {
		return nil, 0
	}
	return &cache.Found{Ref: e.Ref, Copy: kv.Copy{Bytes: 1}, InPool: true}, n
}

// put stores all blocks of a sequence.
func (s stored) put(m *prefix.Matcher, tokens []kv.Token) {
	parent, space := kv.Root, kv.Space{Fingerprint: m.Fingerprint, Salt: m.Tenant.ID}
	for len(tokens) > 0 {
		n := min(len(tokens), kv.BlockTokens)
		ref := kv.Ref{Space: space, Parent: parent, Key: m.Tenant.Key(m.Fingerprint, parent, tokens[:n]), Tokens: n}
		e := kv.Entry{Ref: ref, Tags: m.Tenant.Tags(m.Fingerprint, parent, tokens[:n])}
		s.Add(e, 0)
		parent, tokens = e.Key, tokens[n:]
	}
}

// letters spells lower-case letters, and 'A' as "ab".
type letters struct{}

func (letters) Text(token int32) (string, bool) {
	if token == 'A' {
		return "ab", true
	}
	return string(rune(token)), token >= 'a' && token <= 'z'
}

func (letters) Beginnings(text string) (ids []int32) {
	if len(text) > 1 && text[:2] == "ab" {
		ids = append(ids, 'A')
	}
	return append(ids, int32(text[0]))
}

func newMatcher() (stored, *prefix.Matcher) {
	s := stored{kv.NewIndex[int]()}
	return s, &prefix.Matcher{Cache: s, Fingerprint: kv.Fingerprint{1}, Tenant: kv.NewTenant([]byte("cluster"), "default"), Spelling: letters{}}
}

func asked(text string) (tokens []kv.Token) {
	for _, r := range text {
		tokens = append(tokens, kv.Token(r))
	}
	return tokens
}

// answered are the tokens of a sampled answer, whole or not.
func answered(text string, whole bool) []kv.Token {
	tokens := asked(text)
	for i := range tokens {
		tokens[i] |= kv.Generated
	}
	tokens[0] |= kv.Opens
	if whole {
		tokens[len(tokens)-1] |= kv.Closes
	}
	return tokens
}

// An assistant's turn may consist of several answers, each of which went on with the one before, and begin
// with what the client put into the assistant's mouth.
func TestATurnOfSeveralAnswersIsTakenAsTheyWereSampled(t *testing.T) {
	for name, c := range map[string]struct {
		cached [][]kv.Token
		turn   string
		want   []kv.Token
	}{
		"one answer":                       {[][]kv.Token{answered("Ac", true)}, "abc", answered("Ac", true)},
		"one that went on":                 {[][]kv.Token{answered("A", true), answered("cA", true)}, "abcab", slices.Concat(answered("A", true), answered("cA", true))},
		"behind what the client began":     {[][]kv.Token{asked("x"), answered("A", true)}, "xab", slices.Concat(asked("x"), answered("A", true))},
		"not what the client went on with": {[][]kv.Token{answered("A", true), asked("c")}, "abc", asked("abc")},
		"not one that was cut":             {[][]kv.Token{answered("Ac", false)}, "abc", asked("abc")},
		"not the beginning of a longer":    {[][]kv.Token{answered("Acd", true)}, "abc", asked("abc")},
		"not within what the client said":  {[][]kv.Token{answered("A", true), asked("x"), answered("A", true)}, "abxab", asked("abxab")},
	} {
		for _, before := range []int{1, 100, kv.BlockTokens - 2, kv.BlockTokens - 1, kv.BlockTokens, 700} {
			s, m := newMatcher()
			head := make([]kv.Token, before)
			s.put(m, slices.Concat(append([][]kv.Token{head}, c.cached...)...))
			ids := slices.Concat(kv.IDs(head), kv.IDs(asked(c.turn)), []int32{'!'})
			got := m.Prompt(t.Context(), ids, []prefix.Span{{From: before, To: before + len(c.turn)}}, 10_000)
			if want := slices.Concat(head, c.want, asked("!")); !slices.Equal(got.Tokens, want) {
				t.Errorf("%s, behind %d tokens: %x, want %x", name, before, got.Tokens[before:], want[before:])
			}
			if at := got.Place(before + len(c.turn)); at != before+len(c.want) {
				t.Errorf("%s, behind %d tokens: the turn ends at %d", name, before, at)
			}
		}
	}
}

func TestAPromptDoesNotGrowBeyondItsRoom(t *testing.T) {
	s, m := newMatcher()
	s.put(m, slices.Concat(asked("q"), answered("ab", true)))
	ids := []int32{'q', 'A', '!'}
	for most, want := range map[int]int{3: 3, 4: 4} {
		if got := m.Prompt(t.Context(), ids, []prefix.Span{{From: 1, To: 2}}, most); len(got.Tokens) != want {
			t.Errorf("room for %d: %d tokens", most, len(got.Tokens))
		}
	}
}

// A prompt of 43 tokens and an answer among 10 and 100,000 others of the tenant that begin alike.
func BenchmarkPromptAmongSiblings(b *testing.B) {
	for _, siblings := range []int{10, 100_000} {
		s, m := newMatcher()
		head := make([]kv.Token, 40)
		for i := range siblings {
			s.put(m, slices.Concat(head, []kv.Token{kv.Token(i), kv.Token(i / 7)}, answered("cabcab", true)))
		}
		ids := slices.Concat(kv.IDs(head), []int32{7, 1}, kv.IDs(asked("cabcab")), []int32{'!'})
		b.Run(fmt.Sprint(siblings), func(b *testing.B) {
			for b.Loop() {
				if m.Prompt(b.Context(), ids, []prefix.Span{{From: 42, To: 48}}, 1000).Replayed != 1 {
					b.Fatal("the answer was not found")
				}
			}
		})
	}
}
