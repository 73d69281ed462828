package cache

import "sync"

// tasks are the goroutines of a cache. None outlives it.
type tasks struct {
	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

// run runs f beside the caller, unless the tasks are closed.
func (t *tasks) run(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.group.Go(f)
	}
}

// close lets no further task begin.
func (t *tasks) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// wait waits for the end of those that have begun.
func (t *tasks) wait() { t.group.Wait() }
