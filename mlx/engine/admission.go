package engine

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// admission is the bounded queue of requests, and what is known of the work that was accepted.
type admission struct {
	cfg *Config

	mu       sync.Mutex
	queue    []*sequence // waiting for their first slot, oldest first
	arrivals arrivals
	age      uint64        // of the request submitted last
	taken    slotCount     // as the loop told last
	draining bool          // new requests are refused for good
	paused   bool          // new requests are refused for now
	busy     bool          // work waits for a step
	missed   int           // ticks of the watchdog since the last step ended, or since work arrived at an idle loop
	idle     chan struct{} // while draining: closed when no work is left
}

// slotCount is how many sequences have a slot, and how many lost theirs for want of memory.
type slotCount struct{ running, preempted int }

func (n slotCount) all() int { return n.running + n.preempted }

// enqueue adds the sequence to the queue, which is bounded. isCurrent tells whether the model is still the one whose tokens it
// has.
func (a *admission) enqueue(seq *sequence, isCurrent func() bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrivals.end(seq)
	if a.draining {
		return ErrDraining
	}
	if a.paused || !isCurrent() {
		return ErrStarting
	}
	if !a.hasPlace(seq.name) {
		return fmt.Errorf("%w: %d requests are waiting", ErrQueueFull, len(a.queue))
	}
	a.age++
	seq.age = a.age
	a.queue = append(a.queue, seq)
	if !a.busy {
		a.busy, a.missed = true, 0
	}
	return nil
}

// hasPlace tells whether the queue takes a request of a tenant. When it is full, a tenant that has less than
// an even share of its places is let in still, up to twice as many in all: who fills the queue keeps nobody
// else out. The caller holds mu.
func (a *admission) hasPlace(tenant string) bool {
	if len(a.queue) < a.cfg.MaxQueue+max(0, a.cfg.MaxBatch-a.taken.all()) {
		return true
	}
	waiting := map[string]int{tenant: 0}
	for _, seq := range a.queue {
		waiting[seq.name]++
	}
	return len(a.queue) < 2*a.cfg.MaxQueue && waiting[tenant] < a.cfg.MaxQueue/len(waiting)
}

// queued is the queue as it is now.
func (a *admission) queued() []*sequence {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.queue)
}

// leave takes a sequence out of the queue.
func (a *admission) leave(seq *sequence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = slices.DeleteFunc(a.queue, func(other *sequence) bool { return other == seq })
}

// note records how many sequences run and wait, by which enqueue knows the free slots.
func (a *admission) note(taken slotCount) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken = taken
}

// settle records the end of a step and reports whether work is left.
func (a *admission) settle(taken slotCount) (busy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken, a.missed = taken, 0
	a.busy = taken.all()+len(a.queue) > 0
	if !a.busy {
		a.tellIdle()
	}
	return a.busy
}

// tellIdle tells those who wait for it that no work is left. The caller holds mu.
func (a *admission) tellIdle() {
	if a.idle != nil {
		close(a.idle)
		a.idle = nil
	}
}

// drain refuses requests from now on and returns what is closed when no work is left.
func (a *admission) drain() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining = true
	return a.whenIdle()
}

// pause refuses requests until resume and returns what is closed when no work is left. Those whose prompts are being looked up
// are refused when they come to the queue.
func (a *admission) pause() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = true
	return a.whenIdle()
}

func (a *admission) resume() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = false
}

// whenIdle is closed when no work is left. The caller holds mu.
func (a *admission) whenIdle() <-chan struct{} {
	if a.idle == nil {
		a.idle = make(chan struct{})
	}
	idle := a.idle
	if !a.busy {
		a.tellIdle()
	}
	return idle
}

// tick notes that a while has passed without a step, if work waits for one, and returns how long that has
// been so.
func (a *admission) tick() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy {
		a.missed++
	}
	return a.stalled()
}

// stalled is how long work has waited for a step, by the watchdog's own ticks: time in which the whole
// process stood still, with a machine that slept, does not count. The caller holds mu.
func (a *admission) stalled() time.Duration {
	return time.Duration(max(0, a.missed-1)) * watchEvery // the first may come at once
}

// status is what is known of the requests.
func (a *admission) status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Status{
		Draining: a.draining, Swapping: a.paused, Hung: a.stalled() >= hangAfter,
		Running: a.taken.running, Preempted: a.taken.preempted, Queued: len(a.queue), BatchSize: a.cfg.MaxBatch,
	}
}
