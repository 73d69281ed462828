// Package prefix finds out how much of a prompt is cached, and in which tokens.
//
// Invariants:
//   - The canonical tokens of a prompt are its tokens. The only exception is the text of an assistant's turn that this
//     server sampled for this tenant and that comes back whole: then the sampled tokens stand, from that text's first token
//     to its last, and both spellings meet at both ends. Nothing else in any cache changes a token, a count or a logit.
//   - A prompt's own tokens are found only as KV that the prefill kernels computed, sampled ones only as KV of the decode
//     kernels: what is found is equal to the bit to what would be computed.
//   - What others have stored does not make a search longer: blocks that begin alike share the branches of a tree.
//
// It changes nothing and may be used from any goroutine.
package prefix

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
)

// Span is a run of tokens, To excluded.
type Span struct{ From, To int }

// Spelling knows the ways in which tokens can spell a text. A sampled answer is often not spelled as the
// tokenizer would spell its text.
type Spelling interface {
	// Text returns the bytes that a token stands for, and false for one that carries no text.
	Text(token int32) (string, bool)
	// Beginnings returns the tokens that a spelling of text can begin with, the longest first.
	Beginnings(text string) []int32
}

// Cache is where blocks may be.
type Cache interface {
	// Lookup tells for each block who has it.
	Lookup(ctx context.Context, refs []kv.Ref) []cache.Found
	// Browse calls visit with the trees of the blocks that continue a parent, each valid within its call.
	Browse(s kv.Space, parent kv.Key, visit func(kv.Branch))
	// Nearest finds the block that begins with the most of the tags, and how many those are.
	Nearest(ctx context.Context, s kv.Space, parent kv.Key, tags []kv.Tag) (*cache.Found, int)
}

// Matcher matches prompts of one tenant with what is cached of one model.
type Matcher struct {
	Cache       Cache
	Fingerprint kv.Fingerprint
	Tenant      *kv.Tenant
	Spelling    Spelling // nil: no answer is looked for
}

// Match is what there is of a prompt.
type Match struct {
	Tokens   []kv.Token    // of the prompt
	Keys     []kv.Key      // of its full blocks; the last token, which is always computed, is in none
	Full     []cache.Found // full blocks, as far as they are somewhere
	Part     *cache.Found  // the block that begins with the most of the tokens behind; nil for none
	Common   int           // tokens that Part begins with
	Replayed int           // answers whose sampled tokens stand
	Ends     []kv.Key      // blocks that end within an answer that was looked for and not found: it may go on behind them

	moves []move
}

// move is where a prompt's canonical tokens from one on lie elsewhere than they did before.
type move struct{ from, by int }

// Place is where the canonical tokens up to one end in the prompt. Within an answer whose sampled tokens
// stand it is told as if the answer ended there.
func (m *Match) Place(canonical int) int {
	at := canonical
	for _, move := range m.moves {
		if canonical >= move.from {
			at += move.by
		}
	}
	return at
}

// Cached is the number of tokens whose KV is somewhere.
func (m *Match) Cached() int { return len(m.Full)*kv.BlockTokens + m.Common }

// Parent is the key of the block that Part continues.
func (m *Match) Parent() kv.Key {
	if len(m.Full) == 0 {
		return kv.Root
	}
	return m.Full[len(m.Full)-1].Key
}

// Prompt matches the canonical tokens of a prompt. Answers are the texts of the assistant's turns in it, in
// order, each at borders of tokens. The prompt does not become longer than maxTokens.
func (m *Matcher) Prompt(ctx context.Context, ids []int32, answers []Span, maxTokens int) *Match {
	match := &Match{Tokens: kv.PromptTokens(ids)}
	m.full(ctx, match, 0)
	if m.Spelling != nil {
		m.replay(ctx, match, answers, maxTokens)
	}
	m.part(ctx, match)
	return match
}

// Tokens matches tokens that are known as they are.
func (m *Matcher) Tokens(ctx context.Context, tokens []kv.Token) *Match {
	match := &Match{Tokens: tokens}
	m.full(ctx, match, 0)
	m.part(ctx, match)
	return match
}

// replay puts sampled tokens in the place of the answers' canonical ones, as far as the blocks before them
// are there: KV behind a gap is of no use. Answers within full blocks that are there as they are stay as they
// are.
func (m *Matcher) replay(ctx context.Context, match *Match, answers []Span, maxTokens int) {
	shift := 0
	for _, answer := range answers {
		from, to := answer.From+shift, answer.To+shift
		if to <= len(match.Full)*kv.BlockTokens || from >= to {
			continue
		}
		if from/kv.BlockTokens > len(match.Full) {
			return
		}
		sampled := m.sampled(match, from, to)
		if sampled == nil || len(match.Tokens)+len(sampled)-(to-from) > maxTokens {
			continue
		}
		tokens := make([]kv.Token, 0, len(match.Tokens)+len(sampled))
		tokens = append(append(append(tokens, match.Tokens[:from]...), sampled...), match.Tokens[to:]...)
		match.Tokens = tokens
		match.Replayed++
		match.moves = append(match.moves, move{answer.To, len(sampled) - (to - from)})
		shift += len(sampled) - (to - from)
		m.full(ctx, match, from/kv.BlockTokens)
	}
}

// full looks for the full blocks from the given one on.
func (m *Matcher) full(ctx context.Context, match *Match, from int) {
	prompt := match.Tokens[:len(match.Tokens)-1]
	match.Keys = match.Keys[:from]
	for at := from * kv.BlockTokens; at+kv.BlockTokens <= len(prompt); at += kv.BlockTokens {
		match.Keys = append(match.Keys, m.Tenant.Key(m.Fingerprint, parentKey(match.Keys, len(match.Keys)), prompt[at:at+kv.BlockTokens]))
	}
	match.Full = match.Full[:min(from, len(match.Full))]
	if len(match.Full) < from {
		return
	}
	for _, found := range m.Cache.Lookup(ctx, kv.FullRefs(m.space(), match.Keys, from)) {
		if !found.Exists() {
			return
		}
		match.Full = append(match.Full, found)
	}
}

// part looks for the block that begins with the most of the tokens behind the full ones.
func (m *Matcher) part(ctx context.Context, match *Match) {
	at := len(match.Full) * kv.BlockTokens
	rest := match.Tokens[at : len(match.Tokens)-1]
	tags := m.Tenant.Tags(m.Fingerprint, match.Parent(), rest[:min(len(rest), kv.BlockTokens)])
	match.Part, match.Common = m.Cache.Nearest(ctx, m.space(), match.Parent(), tags)
}

func (m *Matcher) space() kv.Space { return kv.Space{Fingerprint: m.Fingerprint, Salt: m.Tenant.ID} }

// parentKey returns the key of the block before the i-th.
func parentKey(keys []kv.Key, i int) kv.Key {
	if i == 0 {
		return kv.Root
	}
	return keys[i-1]
}
