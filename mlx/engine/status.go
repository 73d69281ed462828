package engine

import "time"

// Status is the engine's state at one moment.
type Status struct {
	Phase    string  // what the start is doing, "ready" afterwards
	Progress float64 // of the phase, from 0 to 1
	Started  bool    // whether the model is loaded
	Draining bool    // whether new requests are refused for good
	Hung     bool    // whether work has waited for a step for too long

	Running   int // sequences that hold a slot
	Preempted int // sequences that lost their slot for want of memory
	Queued    int // requests waiting for their first slot
	BatchSize int // number of slots

	PoolBudget      int64 // bytes for KV
	PoolBytes       int64 // of those, held by sequences
	PoolResident    int64 // of those, held by sequences or kept to be found again
	PoolUtilization float64
}

// Status returns the state. It may be called from anywhere at any time, a hung device included.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	status := e.status
	status.Queued = len(e.queue)
	status.Hung = e.stalled(time.Now()) >= hangAfter
	if e.pool != nil {
		stats := e.pool.Stats()
		status.PoolBudget, status.PoolBytes, status.PoolUtilization = stats.Budget, stats.Busy, stats.Utilization
		status.PoolResident = stats.Resident
	}
	return status
}

// stalled is how long work has waited for a step. The caller holds mu.
func (e *Engine) stalled(now time.Time) time.Duration {
	if !e.busy {
		return 0
	}
	return now.Sub(e.beat)
}

// note records how many sequences run and wait, by which Submit knows the free slots.
func (e *Engine) note(running, preempted int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Running, e.status.Preempted = running, preempted
}

// settle records the end of a step and reports whether work is left.
func (e *Engine) settle(running, preempted int) (busy bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Running, e.status.Preempted = running, preempted
	e.beat = time.Now()
	e.busy = running+preempted+len(e.queue) > 0
	if !e.busy && e.idle != nil {
		select {
		case <-e.idle:
		default:
			close(e.idle)
		}
	}
	return e.busy
}
