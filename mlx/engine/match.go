package engine

// matchFull gives the sequence the full blocks that its tokens name, as far as they are in the pool. What the
// tiers below have comes later, and then a copy of the block that begins with the most of the tokens behind.
// The last token is always computed, since its logits are wanted.
func (r *restorer) matchFull(seq *sequence) {
	if seq.tenant == nil {
		return
	}
	known := seq.tokens[:len(seq.tokens)-1]
	for seq.computed+BlockTokens <= len(known) {
		key := seq.tenant.Key(r.spec.Fingerprint, seq.parent(), known[seq.computed:seq.computed+BlockTokens])
		block := r.pool.Acquire(r.spec.space(seq.tenant), key)
		if block == nil {
			return
		}
		seq.append(block)
		seq.keys = append(seq.keys, key)
		seq.computed += BlockTokens
	}
}

// matchPart copies the block that begins with the most of the tokens, if there is one and room for its copy.
func (r *restorer) matchPart(seq *sequence) {
	if seq.tenant == nil || seq.computed > len(seq.keys)*BlockTokens {
		return
	}
	tokens := seq.tokens[seq.computed:min(len(seq.tokens)-1, seq.computed+BlockTokens)]
	tags := seq.tenant.Tags(r.spec.Fingerprint, seq.parent(), tokens)
	nearest, n := r.pool.Nearest(r.spec.space(seq.tenant), seq.parent(), tags)
	if nearest == nil {
		return
	}
	defer r.pool.Release(nearest)
	own, err := r.pool.Allocate()
	if err != nil {
		return // computing needs no more than this sequence's own share
	}
	err = guarded(func() error { return r.model.Copy(own.Memory(), nearest.Memory()) })
	if err != nil {
		r.cfg.Logger.Warn("block_copy_failed", "request_id", seq.id, "error", err)
		r.pool.Release(own)
		return
	}
	seq.append(own)
	seq.computed += n
	e, known := r.pool.Entry(nearest)
	seq.part = e.Key
	if known && n == e.Tokens {
		seq.from = e.Key
	}
}
