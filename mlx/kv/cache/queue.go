package cache

import (
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	stalledAfter = 5 * time.Second  // without a finished store while some wait: then stores are dropped
	refusedPause = 10 * time.Second // after a healthy tier refused a store, before dropped ones are tried again
	mostQueued   = 4096             // blocks that wait for one tier
	yieldFor     = time.Second      // without a store: then fetched files are written even while blocks are being fetched
)

// job is one block to write to one tier.
type job struct {
	kv.Entry
	payer   kv.Payer
	file    []byte // verified, of a block that was just fetched; nil: it is to be made
	nowhere bool   // nobody had the block when it was to be written
	deleted bool   // meanwhile, everywhere
	lost    bool   // the tier lost it meanwhile, perhaps after it said that it had it
}

// queue holds what is to be written to one tier, and what is being written. The cache's lock guards it.
type queue struct {
	cfg     *Config
	mu      *sync.Mutex
	changed *sync.Cond // with mu: a queue of the cache changed
	deletes deletions
	flights *flights // to whose blocks the writing of fetched ones gives way
	waiting []*job
	jobs    map[place]*job // waiting or under way
	last    time.Time      // a store ended, or began while nothing was under way
	refused time.Time      // the tier refused a store
	closed  bool
}

// add puts a job behind the others.
func (q *queue) add(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.append(j)
}

// addNew puts a job behind the others unless the block is on its way already.
func (q *queue) addNew(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.jobs[placeOf(j.Ref)] == nil && !q.closed {
		q.append(j)
	}
}

// append puts a job behind the others. The caller holds mu.
func (q *queue) append(j *job) {
	if !q.isWriting() {
		q.last = q.cfg.Clock()
	}
	j.deleted = q.deletes.has(placeOf(j.Ref))
	q.waiting = append(q.waiting, j)
	q.jobs[placeOf(j.Ref)] = j
	q.changed.Broadcast()
}

// next waits for a job, and returns nil once the queue is closed.
func (q *queue) next() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if i := slices.IndexFunc(q.waiting, q.mayBegin); i >= 0 {
			j := q.waiting[i]
			q.waiting = slices.Delete(q.waiting, i, i+1)
			return j
		}
		q.changed.Wait()
	}
	return nil
}

// mayBegin tells whether a job may be done now. Fetched files wait while a request waits for further blocks: their
// writing takes processor and memory bandwidth from the reading. The caller holds mu.
func (q *queue) mayBegin(j *job) bool {
	return j.file == nil || !q.flights.areUnderWay() || q.cfg.since(q.last) > yieldFor
}

// look has the workers look again for what may begin by now.
func (q *queue) look() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed.Broadcast()
}

// end ends a job that was under way, and tells what became of its block meanwhile.
func (q *queue) end(j *job) (isLost, isDeleted bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.jobs, placeOf(j.Ref))
	q.last = q.cfg.Clock()
	q.changed.Broadcast()
	return j.lost, j.deleted
}

// drop takes all that waits out of the queue.
func (q *queue) drop() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	dropped := q.waiting
	q.waiting = nil
	for _, j := range dropped {
		delete(q.jobs, placeOf(j.Ref))
	}
	q.changed.Broadcast()
	return dropped
}

// close ends the waiting for jobs. The caller holds mu.
func (q *queue) close() {
	q.closed = true
	q.changed.Broadcast()
}

// isWriting tells whether anything is on its way to the tier. The caller holds mu.
func (q *queue) isWriting() bool { return len(q.jobs) > 0 }

// isStalled tells whether stores wait and none has ended for long.
func (q *queue) isStalled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isWriting() && q.cfg.since(q.last) > stalledAfter
}

func (q *queue) isCrowded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) >= mostQueued
}

// isQuiet tells whether nothing waits to be stored and the tier has not refused a store of late.
func (q *queue) isQuiet() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0 && q.cfg.since(q.refused) > refusedPause
}

func (q *queue) noteRefused() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused = q.cfg.Clock()
}

// noteLost marks a block on its way, which the tier lost.
func (q *queue) noteLost(at place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j := q.jobs[at]; j != nil {
		j.lost = true
	}
}

// noteDeleted marks a block on its way, which is to be removed where it arrives. The caller holds mu.
func (q *queue) noteDeleted(at place) {
	if j := q.jobs[at]; j != nil {
		j.deleted = true
	}
}

func (q *queue) isDeleted(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return j.deleted
}

// promoted is how many fetched files are in memory for the tier.
func (q *queue) promoted() (files int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if j.file != nil {
			files++
		}
	}
	return files
}

// entries are the blocks on their way to the tier.
func (q *queue) entries() (entries []kv.Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		entries = append(entries, j.Entry)
	}
	return entries
}
