package engine

import (
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// publisher lets the blocks that sequences have filled be found, and has them stored.
type publisher struct {
	cfg   *Config
	spec  Spec
	pool  *pool.Pool
	cache *cache.Cache
}

// publish lets the blocks be found that the sequence has filled.
func (p *publisher) publish(seq *sequence) {
	if seq.tenant == nil {
		return
	}
	for from := len(seq.keys) * BlockTokens; from+BlockTokens <= seq.computed; from += BlockTokens {
		entry := p.entry(seq, seq.tokens[from:from+BlockTokens])
		if from+BlockTokens == seq.computed && seq.isClosedBehind() {
			entry.Next = seq.tenant.Tags(p.spec.Fingerprint, entry.Key, seq.tokens[seq.computed:])[0]
		}
		p.publishBlock(seq, len(seq.keys), entry)
		seq.keys = append(seq.keys, entry.Key)
	}
}

// publishTail lets the beginning of the sequence's last block be found. The sequence is about to give its
// blocks back.
func (p *publisher) publishTail(seq *sequence) {
	from := len(seq.keys) * BlockTokens
	if seq.tenant == nil || seq.computed <= from {
		return
	}
	entry := p.tail(seq, from)
	p.publishBlock(seq, len(seq.keys), entry)
	seq.tail = entry.Key
}

func (p *publisher) publishBlock(seq *sequence, i int, entry kv.Entry) {
	entry.Index = i
	p.pool.Charge(seq.blocks[i], seq.payer)
	seq.blocks[i] = p.pool.Publish(seq.blocks[i], entry)
	seq.table[i] = seq.blocks[i].Memory()
	p.cache.Store(seq.tenant, entry, seq.agent != "")
}

// entry describes the block that continues the sequence's published ones with the given tokens.
func (p *publisher) entry(seq *sequence, tokens []kv.Token) kv.Entry {
	ref := kv.Ref{
		Space: p.spec.space(seq.tenant), Parent: seq.parent(), Index: len(seq.keys), Tokens: len(tokens),
		Key: seq.tenant.Key(p.spec.Fingerprint, seq.parent(), tokens),
	}
	return kv.Entry{Ref: ref, Tags: seq.tenant.Tags(p.spec.Fingerprint, seq.parent(), tokens)}
}

// tail describes the unfilled block that begins at a token. It also tells of the token that ends an answer
// without KV of its own, so that the answer can be known as a whole.
func (p *publisher) tail(seq *sequence, from int) kv.Entry {
	entry := p.entry(seq, seq.tokens[from:seq.computed])
	if seq.isClosedBehind() {
		tags := seq.tenant.Tags(p.spec.Fingerprint, seq.parent(), seq.tokens[from:])
		entry.Next = tags[len(tags)-1]
	}
	return entry
}

// chain names what is kept of a sequence whose tail is published, and has it pinned if that is wished.
func (p *publisher) chain(seq *sequence) (chain kv.Chain) {
	if seq.tenant == nil {
		return chain
	}
	chain = kv.Chain{
		Space: p.spec.space(seq.tenant), Keys: slices.Clone(seq.keys), Tail: seq.tail, Tokens: len(seq.keys) * BlockTokens,
	}
	if seq.tail != kv.Root {
		chain.Tokens = seq.computed
	}
	if seq.retain > 0 {
		p.cache.Pin([]kv.Chain{chain}, p.cfg.Clock().Add(seq.retain))
	}
	return chain
}
