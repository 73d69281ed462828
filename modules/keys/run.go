package keys

import (
	"context"
	"maps"
	"sync"
	"time"
)

// How often what is done. A change is told to all nodes at once; they look for it themselves should that be
// missed.
const (
	lookEvery   = 500 * time.Millisecond
	listenAgain = time.Second // after the connection that tells was lost
	noteEvery   = time.Minute
	endPatience = 2 * time.Second // for the last uses to be written
)

// mostUses is how many keys' uses wait to be written.
const mostUses = 10_000

// Note records that a key was used.
func (k *Keys) Note(id string) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, waits := k.uses[id]; waits || len(k.uses) < mostUses {
		k.uses[id] = now
	}
}

// Run learns of changes and writes uses down until ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { k.look(ctx) })
	all.Go(func() { k.listen(ctx) })
	all.Go(func() { k.note(ctx) })
	all.Wait()
	return nil
}

// look asks whether something changed, at every tick and when it is told.
func (k *Keys) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	away := false
	for {
		err := k.cfg.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !away:
			k.cfg.Log.Warn("api_keys_unavailable", "error", err.Error(),
				"note", "keys that this node knows are taken for five minutes, others get 503; it tries again")
		case err == nil && away:
			k.cfg.Log.Info("api_keys_healed", "note", "keys are looked up again")
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-tick.C:
		}
	}
}

// listen is told of changes by a store that can.
func (k *Keys) listen(ctx context.Context) {
	tick := time.NewTicker(listenAgain)
	defer tick.Stop()
	for {
		if store, err := k.open(); err == nil {
			if watcher, is := store.(Watcher); is {
				if err := watcher.Watch(ctx, k.awake); err != nil && ctx.Err() == nil {
					k.cfg.Log.Debug("api_keys_not_told", "error", err.Error())
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note writes uses down, also at the end.
func (k *Keys) note(ctx context.Context) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
			defer cancel()
			k.write(last)
			return
		case <-tick.C:
			k.write(ctx)
		}
	}
}

// write writes the uses that wait. If that fails they wait on.
func (k *Keys) write(ctx context.Context) {
	k.mu.Lock()
	uses := k.uses
	k.uses = map[string]time.Time{}
	k.mu.Unlock()
	if len(uses) == 0 {
		return
	}
	store, err := k.open()
	if err == nil {
		err = store.Note(ctx, uses)
	}
	if err == nil {
		return
	}
	k.cfg.Log.Debug("api_key_uses_not_written", "error", err.Error())
	k.mu.Lock()
	defer k.mu.Unlock()
	later := k.uses
	k.uses = uses
	maps.Copy(k.uses, later)
}
