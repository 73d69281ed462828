package engine

// Status is the engine's state at one moment.
type Status struct {
	Phase    string  // what the start is doing, "ready" afterwards
	Progress float64 // of the phase, from 0 to 1
	Started  bool    // whether the model is loaded
	Unloaded bool    // whether there is no model, and none is being loaded
	Draining bool    // whether new requests are refused for good
	Swapping bool    // whether they are refused until another model is loaded
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
	status := e.admission.status()
	e.mu.Lock()
	defer e.mu.Unlock()
	status.Phase, status.Progress, status.Unloaded = e.phase, e.progress, e.isUnloaded
	if e.loaded != nil {
		status.Started = true
		stats := e.loaded.pool.Stats()
		status.PoolBudget, status.PoolBytes, status.PoolUtilization = stats.Budget, stats.Busy, stats.Utilization
		status.PoolResident = stats.Resident
	}
	return status
}
