package engine

import (
	"cmp"
	"slices"
	"time"
)

// slots are the sequences that were accepted and have not ended, and the order in which they go on. The
// device's thread alone uses them; the queue of those that never had a slot is the admission's.
type slots struct {
	cfg       *Config
	admission *admission
	restores  *restorePolicy
	turns     turns
	running   []*sequence // with a slot, oldest first
	preempted []*sequence // waiting for a slot again, oldest first
}

// all are the sequences that have not ended.
func (s *slots) all() []*sequence { return slices.Concat(s.running, s.preempted, s.admission.queued()) }

// of are the sequences of an agent.
func (s *slots) of(tenant, agent string) []*sequence {
	return slices.DeleteFunc(s.all(), func(seq *sequence) bool { return seq.name != tenant || seq.agent != agent })
}

// ofTenant are the sequences of a tenant, those of no agent included.
func (s *slots) ofTenant(tenant string) []*sequence {
	return slices.DeleteFunc(s.all(), func(seq *sequence) bool { return seq.name != tenant })
}

// count is how many slots are taken.
func (s *slots) count() slotCount { return slotCount{len(s.running), len(s.preempted)} }

func (s *slots) isRunning(seq *sequence) bool { return slices.Contains(s.running, seq) }

// give gives a slot to a sequence.
func (s *slots) give(seq *sequence) {
	s.remove(seq)
	s.running = insertByAge(s.running, seq)
}

// take takes a sequence's slot away until it gets one again.
func (s *slots) take(seq *sequence) {
	s.remove(seq)
	s.preempted = insertByAge(s.preempted, seq)
}

// remove takes the sequence out of whichever list it is in.
func (s *slots) remove(seq *sequence) {
	is := func(other *sequence) bool { return other == seq }
	s.running = slices.DeleteFunc(s.running, is)
	s.preempted = slices.DeleteFunc(s.preempted, is)
	s.admission.leave(seq)
}

func insertByAge(list []*sequence, seq *sequence) []*sequence {
	at, _ := slices.BinarySearchFunc(list, seq, func(a, b *sequence) int { return cmp.Compare(a.age, b.age) })
	return slices.Insert(list, at, seq)
}

// overtaking is how much longer than its own prompt takes to compute a request may be kept waiting by shorter ones.
const overtaking = 10

// ahead orders requests for slots and for prefill: the one whose prompt is computed soonest goes first, and
// waiting counts. So a short question does not wait for long prompts that came just before it, and a long
// prompt is overtaken by shorter ones for no longer than ten times the time that it takes itself. Among equals
// the oldest goes first.
func (s *slots) ahead(a, b *sequence) bool {
	now := s.cfg.Clock()
	first, second := s.claim(a, now), s.claim(b, now)
	return first < second || first == second && a.age < b.age
}

func (s *slots) claim(seq *sequence, now time.Time) time.Duration {
	return s.restores.computing(seq.left()) - now.Sub(seq.submitted)/overtaking
}

// foremost is the sequence that goes first, or nil.
func (s *slots) foremost(waiting []*sequence) (first *sequence) {
	for _, seq := range waiting {
		if first == nil || s.ahead(seq, first) {
			first = seq
		}
	}
	return first
}

// next is the sequence that gets the next slot, or nil: one that had a slot before, else the foremost in the queue of the
// tenant whose turn it is.
func (s *slots) next() *sequence {
	if len(s.preempted) > 0 {
		return s.preempted[0]
	}
	return s.foremost(s.turns.first(s.admission.queued()))
}

// nextPrefill is the running sequence whose prompt is computed next, or nil: the foremost of the tenant whose turn it is.
func (s *slots) nextPrefill() *sequence {
	return s.foremost(s.turns.first(slices.DeleteFunc(slices.Clone(s.running), func(seq *sequence) bool { return !seq.prefills() })))
}
