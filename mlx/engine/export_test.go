package engine

// CheckPool verifies the pool's invariants. It may be called from Listener callbacks.
func (e *Engine) CheckPool() error { return e.loaded.pool.Check() }
