package engine

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// watch reports a device that doesn't finish a step while work waits: a warning when it counts as hung, and for
// good all stacks and Config.Fatal.
func (e *Engine) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	warned := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stalled := e.stalledNow()
		if stalled >= fatalAfter {
			e.giveUp(stalled)
			return
		}
		if hung := stalled >= hangAfter; hung != warned {
			warned = hung
			e.cfg.Logger.Warn("engine_hang", "hung", hung, "stalled_seconds", stalled.Seconds())
		}
	}
}

func (e *Engine) stalledNow() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stalled(time.Now())
}

// giveUp leaves what is known in the log and ends the process.
func (e *Engine) giveUp(stalled time.Duration) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	e.cfg.Logger.Error("engine_dead", "stalled_seconds", stalled.Seconds(), "stacks", string(stacks))
	e.cfg.Fatal(fmt.Errorf("the device has not finished a step for %v while work waits", stalled.Round(time.Second)))
}
