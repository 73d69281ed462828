package engine

// poolTier is the pool's name where it is told of beside the tiers below it.
const poolTier = "pool"

// noteRead counts the tokens of a sequence behind the given one that need not be computed, and where they came from.
func (r *restorer) noteRead(seq *sequence, from int) {
	if seq.computed <= from {
		return
	}
	if seq.read.Tokens == nil {
		seq.read.Tokens = map[string]int{}
	}
	tokens := seq.computed - from
	seq.result.Usage.Cached += tokens
	seq.read.Avoided += r.planner.restores.computing(tokens)
	for from < seq.computed {
		end := min(seq.computed, (from/BlockTokens+1)*BlockTokens)
		seq.read.Tokens[r.sourceOf(seq, from/BlockTokens)] += end - from
		from = end
	}
}

// sourceOf names the tier from which a block of the sequence's table was brought up for it.
func (r *restorer) sourceOf(seq *sequence, block int) string {
	key := seq.part
	if block < len(seq.keys) {
		key = seq.keys[block]
	}
	if seq.plan != nil && isClosed(seq.plan.known) {
		if flight := seq.plan.flights[key]; flight != nil {
			if arrival, _ := flight.Arrival(); arrival.Tier != "" {
				return arrival.Tier
			}
		}
	}
	return poolTier
}
