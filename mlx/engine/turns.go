package engine

import (
	"slices"
	"time"
)

// turns share the device among tenants: the next free slot, and the next chunk of a prompt, go to the waiting
// tenant that the device worked for least. What counts is the time since a tenant has requests; one that
// comes, or comes back, begins with the least of the others'. So nobody saves turns up, and who asks alone
// has the whole device. The device's thread alone uses them.
type turns struct {
	used map[string]time.Duration // by tenants that have requests
}

// charge notes that the device worked for sequences.
func (t *turns) charge(took time.Duration, of ...*sequence) {
	for _, seq := range of {
		if t.used == nil {
			t.used = map[string]time.Duration{}
		}
		t.used[seq.name] = t.by(seq) + took/time.Duration(len(of))
	}
}

// settle notes who has requests now.
func (t *turns) settle(all []*sequence) {
	least, present := t.least(), map[string]time.Duration{}
	for _, seq := range all {
		present[seq.name] = t.by(seq) - least // so that the numbers stay small
	}
	t.used = present
}

// least is the least time of those that have requests.
func (t *turns) least() (least time.Duration) {
	first := true
	for _, used := range t.used {
		if first || used < least {
			least, first = used, false
		}
	}
	return least
}

// by is how long the device worked for the tenant of a request. One that just came begins with the least.
func (t *turns) by(seq *sequence) time.Duration {
	if used, known := t.used[seq.name]; known {
		return used
	}
	return t.least()
}

// first returns the requests of the tenants whose turn it is. It changes the list.
func (t *turns) first(waiting []*sequence) []*sequence {
	if len(waiting) == 0 {
		return nil
	}
	least := t.by(waiting[0])
	for _, seq := range waiting[1:] {
		least = min(least, t.by(seq))
	}
	return slices.DeleteFunc(waiting, func(seq *sequence) bool { return t.by(seq) > least })
}
