package engine

import (
	"errors"
	"math"
	"math/rand/v2"
)

// negligible is the distance below the greatest scaled logit from which a token is never drawn: its weight is
// under 1e-13 of the greatest one's, less than the rounding of the sum over a large vocabulary.
const negligible = 30

var errNotFinite = errors.New("the logits are not finite numbers")

// sampler chooses the tokens of one request. It draws from a stream of randomness of its own, one number per
// token, so that a seeded answer doesn't depend on what else runs.
type sampler struct {
	how        Sampling
	random     *rand.Rand
	constraint Constraint    // nil: none
	changed    []float32     // logits that were changed before a token is chosen
	counts     map[int32]int // of the answer's tokens, while they are asked for
	told       Told          // of the last token, if it is asked for
}

func newSampler(how Sampling, seed uint64) *sampler {
	return &sampler{how: how, random: rand.New(rand.NewPCG(seed, 0x6d656d6f7279))}
}

// within has the sampler choose among the tokens that a constraint allows; nil allows all.
func (s *sampler) within(c Constraint) *sampler {
	s.constraint = c
	return s
}

// candidate is a token that may be drawn. Its value is a scaled logit first and a weight later.
type candidate struct {
	token int32
	value float64
}

// before is the order of candidates: greater values first, and of equal ones the lower token.
func (c candidate) before(d candidate) bool {
	return c.value > d.value || c.value == d.value && c.token < d.token
}

// sample chooses a token. scratch is reused between calls and belongs to the loop.
func (s *sampler) sample(logits []float32, scratch *[]candidate) (int32, error) {
	unchanged := logits
	if s.changesLogits() {
		logits = s.biased(logits)
	}
	if s.constraint != nil {
		mask, err := s.constraint.Allowed()
		if err != nil {
			return 0, err
		}
		if mask != nil {
			logits = s.mask(logits, mask)
		}
	}
	token, err := s.choose(logits, scratch)
	if err != nil {
		return 0, err
	}
	if s.how.Tells {
		s.told = tellOf(unchanged, token, s.how.Likely)
	}
	if s.counts != nil {
		s.counts[token]++
	}
	if s.constraint != nil {
		err = s.constraint.Advance(token)
	}
	return token, err
}

func (s *sampler) changesLogits() bool {
	return len(s.how.Bias) > 0 || s.how.Presence != 0 || s.how.Frequency != 0
}

// biased copies the logits, changed by the biases and by what the answer has so far.
func (s *sampler) biased(logits []float32) []float32 {
	s.changed = append(s.changed[:0], logits...)
	for token, bias := range s.how.Bias {
		if token >= 0 && int(token) < len(s.changed) {
			s.changed[token] += bias
		}
	}
	if s.counts == nil {
		s.counts = map[int32]int{}
	}
	for token, count := range s.counts {
		s.changed[token] -= float32(s.how.Presence + float64(count)*s.how.Frequency)
	}
	return s.changed
}

// mask changes the logits of the tokens that are not allowed to as low as can be, in a copy.
func (s *sampler) mask(logits []float32, mask []uint64) []float32 {
	none := float32(math.Inf(-1))
	if len(s.changed) == 0 || &s.changed[0] != &logits[0] {
		s.changed = append(s.changed[:0], logits...)
	}
	for token := range s.changed {
		if token/64 >= len(mask) || mask[token/64]>>(token%64)&1 == 0 {
			s.changed[token] = none
		}
	}
	return s.changed
}

// choose chooses a token by its logit.
func (s *sampler) choose(logits []float32, scratch *[]candidate) (int32, error) {
	best := argmax(logits)
	if top := float64(logits[best]); math.IsNaN(top) || math.IsInf(top, 0) {
		return 0, errNotFinite
	}
	if s.how.Temperature == 0 {
		return int32(best), nil
	}
	kept := s.filter(logits, float64(logits[best]), (*scratch)[:0])
	*scratch = kept[:cap(kept)]
	return s.draw(kept), nil
}

// argmax returns the first index of the greatest logit.
func argmax(logits []float32) int {
	best := 0
	for i, logit := range logits {
		if logit > logits[best] || logits[best] != logits[best] {
			best = i
		}
	}
	return best
}

// filter collects the tokens that may be drawn, with their weights, in scratch.
func (s *sampler) filter(logits []float32, top float64, scratch []candidate) []candidate {
	kept := s.scale(logits, top, scratch)
	if k := s.how.TopK; k > 0 && k < len(kept) {
		selectFirst(kept, k)
		kept = kept[:k]
	}
	total := 0.0
	for i := range kept {
		kept[i].value = math.Exp(kept[i].value)
		total += kept[i].value
	}
	if p := s.how.TopP; p > 0 && p < 1 {
		kept = kept[:max(1, selectMass(kept, p*total))]
	}
	return kept
}

// scale lists the tokens above the floor that min_p and negligible weight set, with their logits relative to the
// greatest and divided by the temperature.
func (s *sampler) scale(logits []float32, top float64, kept []candidate) []candidate {
	floor := -float64(negligible)
	if s.how.MinP > 0 {
		floor = max(floor, math.Log(s.how.MinP))
	}
	cold := float32(top + floor*s.how.Temperature - 1e-3*math.Abs(top)) // a cheap first test, below the exact one
	for token, logit := range logits {
		if logit < cold {
			continue
		}
		if value := (float64(logit) - top) / s.how.Temperature; value >= floor {
			kept = append(kept, candidate{int32(token), value})
		}
	}
	return kept
}

// draw picks a candidate by its weight.
func (s *sampler) draw(kept []candidate) int32 {
	total := 0.0
	for _, c := range kept {
		total += c.value
	}
	left := s.random.Float64() * total
	for _, c := range kept {
		if left -= c.value; left < 0 {
			return c.token
		}
	}
	return kept[len(kept)-1].token
}

// selectFirst moves the first n candidates by order to the front, in linear time on average.
func selectFirst(all []candidate, n int) {
	for len(all) > 1 && n > 0 && n < len(all) {
		split := partition(all)
		if n <= split {
			all = all[:split]
			continue
		}
		all, n = all[split+1:], n-split-1
	}
}

// selectMass moves the fewest first candidates whose values reach mass to the front and returns their number,
// at least one.
func selectMass(all []candidate, mass float64) int {
	count := 0
	for len(all) > 1 {
		split := partition(all)
		front := 0.0
		for _, c := range all[:split] {
			front += c.value
		}
		switch {
		case front >= mass:
			all = all[:split]
		case front+all[split].value >= mass:
			return count + split + 1
		default:
			mass -= front + all[split].value
			count += split + 1
			all = all[split+1:]
		}
	}
	return count + len(all)
}

// partition chooses a pivot, moves what comes before it to its left, and returns its place.
func partition(all []candidate) int {
	last := len(all) - 1
	medianToEnd(all)
	pivot, split := all[last], 0
	for i := range all[:last] {
		if all[i].before(pivot) {
			all[i], all[split] = all[split], all[i]
			split++
		}
	}
	all[split], all[last] = all[last], all[split]
	return split
}

// medianToEnd swaps the median of the first, middle and last candidate to the end.
func medianToEnd(all []candidate) {
	middle, last := len(all)/2, len(all)-1
	if all[middle].before(all[0]) {
		all[middle], all[0] = all[0], all[middle]
	}
	if all[last].before(all[0]) {
		all[last], all[0] = all[0], all[last]
	}
	if all[middle].before(all[last]) {
		all[middle], all[last] = all[last], all[middle]
	}
}
