package engine

import (
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// match gives a sequence that was just admitted the full blocks that its tokens name and that are in the pool. What
// the tiers below have comes later, and then a copy of the block that begins with the most of the tokens behind. The
// last token is always computed, since its logits are wanted.
func (l *loop) match(seq *sequence) {
	if seq.tenant == nil {
		return
	}
	l.matchFull(seq)
	if seq.plan != nil && len(seq.keys) < len(seq.plan.path) {
		return
	}
	for l.respell(seq, seq.computed, seq.parent(), l.pool.Children(l.space(seq), seq.parent())) {
		l.matchFull(seq)
	}
}

// matchFull shares the full blocks that the sequence's tokens name, as far as they are there.
func (l *loop) matchFull(seq *sequence) {
	if seq.tenant == nil {
		return
	}
	known := seq.tokens[:len(seq.tokens)-1]
	for seq.computed+BlockTokens <= len(known) {
		key := seq.tenant.Key(l.spec.Fingerprint, seq.parent(), known[seq.computed:seq.computed+BlockTokens])
		block := l.pool.Find(l.space(seq), key)
		if block == nil {
			return
		}
		seq.append(block)
		seq.keys = append(seq.keys, key)
		seq.computed += BlockTokens
	}
}

// matchPart copies the block that begins with the most of the tokens, if there is one and room for its copy.
func (l *loop) matchPart(seq *sequence) {
	if seq.tenant == nil || seq.computed > len(seq.keys)*BlockTokens {
		return
	}
	tokens := seq.tokens[seq.computed:min(len(seq.tokens)-1, seq.computed+BlockTokens)]
	tags := seq.tenant.Tags(l.spec.Fingerprint, seq.parent(), tokens)
	nearest, n := l.pool.Nearest(l.space(seq), seq.parent(), tags)
	if nearest == nil {
		return
	}
	defer l.pool.Give(nearest)
	own, err := l.pool.Take()
	if err != nil {
		return // computing needs no more than this sequence's own share
	}
	err = guarded(func() error { return l.model.Copy(own.Memory(), nearest.Memory()) })
	if err != nil {
		l.cfg.Logger.Warn("block_copy_failed", "request_id", seq.id, "error", err)
		l.pool.Give(own)
		return
	}
	seq.append(own)
	seq.computed += n
	if e, known := l.pool.Entry(nearest); known && n == len(e.Tags) {
		seq.from = e.Key
	}
}

// seal makes the blocks that the sequence has filled findable.
func (l *loop) seal(seq *sequence) {
	if seq.tenant == nil {
		return
	}
	for from := len(seq.keys) * BlockTokens; from+BlockTokens <= seq.computed; from += BlockTokens {
		entry := l.entry(seq, seq.tokens[from:from+BlockTokens])
		l.sealBlock(seq, len(seq.keys), entry)
		seq.keys = append(seq.keys, entry.Key)
	}
}

// sealTail makes the beginning of the sequence's last block findable. The sequence is about to give its blocks back.
func (l *loop) sealTail(seq *sequence) {
	from := len(seq.keys) * BlockTokens
	if seq.tenant == nil || seq.computed <= from {
		return
	}
	entry := l.entry(seq, seq.tokens[from:seq.computed])
	l.sealBlock(seq, len(seq.keys), entry)
	seq.tail = entry.Key
}

func (l *loop) sealBlock(seq *sequence, i int, entry kv.Entry) {
	entry.Index = i
	seq.blocks[i] = l.pool.Seal(seq.blocks[i], entry)
	seq.table[i] = seq.blocks[i].Memory()
	l.cache.Store(seq.tenant, entry)
}

// entry describes the block that continues the sequence's sealed ones with the given tokens.
func (l *loop) entry(seq *sequence, tokens []int32) kv.Entry {
	return kv.Entry{
		Space: l.space(seq), Parent: seq.parent(),
		Key:  seq.tenant.Key(l.spec.Fingerprint, seq.parent(), tokens),
		Tags: seq.tenant.Tags(l.spec.Fingerprint, seq.parent(), tokens),
	}
}

func (e *Engine) space(seq *sequence) kv.Space {
	return kv.Space{Fingerprint: e.spec.Fingerprint, Salt: seq.tenant.ID}
}

// keep names what is kept of a sequence whose tail is sealed, and has it retained if that is wished.
func (l *loop) keep(seq *sequence) (chain kv.Chain) {
	if seq.tenant == nil {
		return chain
	}
	chain = kv.Chain{Space: l.space(seq), Keys: slices.Clone(seq.keys), Tail: seq.tail, Tokens: len(seq.keys) * BlockTokens}
	if seq.tail != kv.Root {
		chain.Tokens = seq.computed
	}
	if seq.retain > 0 {
		l.cache.Retain([]kv.Chain{chain}, time.Now().Add(seq.retain))
	}
	return chain
}

// parent is the key of the last full block.
func (s *sequence) parent() kv.Key {
	if len(s.keys) == 0 {
		return kv.Root
	}
	return s.keys[len(s.keys)-1]
}

// append adds a block to the table.
func (s *sequence) append(block *kv.Block) {
	s.blocks = append(s.blocks, block)
	s.table = append(s.table, block.Memory())
}
