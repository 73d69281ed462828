package engine

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// How long the watchdog waits for a step while work waits.
const (
	hangAfter  = 10 * time.Second // then the engine is reported as hung
	fatalAfter = 60 * time.Second // then Config.Fatal is called
)

// watchEvery is the watchdog's tick.
const watchEvery = time.Second

// watchdog looks whether steps end.
type watchdog struct {
	cfg       *Config
	admission *admission
}

// watch reports a device that doesn't finish a step while work waits: a warning when it counts as hung, and for
// good all stacks and Config.Fatal.
func (w *watchdog) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	warned := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stalled := w.admission.tick()
		if stalled >= fatalAfter {
			w.giveUp(stalled)
			return
		}
		if hung := stalled >= hangAfter; hung != warned {
			warned = hung
			w.cfg.Logger.Warn("engine_hang", "hung", hung, "stalled_seconds", stalled.Seconds())
		}
	}
}

// giveUp leaves what is known in the log and ends the process.
func (w *watchdog) giveUp(stalled time.Duration) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	w.cfg.Logger.Error("engine_dead", "stalled_seconds", stalled.Seconds(), "stacks", string(stacks))
	w.cfg.Fatal(fmt.Errorf("the device has not finished a step for %v while work waits", stalled.Round(time.Second)))
}
