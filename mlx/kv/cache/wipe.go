package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Wipe removes every block under a salt from the pool and every tier, but for those that tiers which know it stored later
// than the given time. Those on their way between tiers do not arrive.
func (l *levers) Wipe(ctx context.Context, salt kv.SaltID, until time.Time) (moved kv.Moved, err error) {
	l.beginWipe(salt)
	defer l.endWipe(salt)
	l.cfg.OnDevice(func() { l.cfg.Pool.RemoveSalt(salt) })
	for _, tier := range l.cfg.Tiers {
		wiper, wipes := kv.As[kv.Wiper](tier)
		if !wipes {
			err = errors.Join(err, fmt.Errorf("remove a tenant's blocks from tier %s: it can't be asked now: %s", tier.Name(), tier.Status().Problem))
			continue
		}
		removed, failure := wiper.Wipe(ctx, salt, until)
		moved.Blocks += removed.Blocks
		moved.Bytes += removed.Bytes
		err = errors.Join(err, failure)
	}
	return moved, err
}

// beginWipe marks the salt's blocks that are on their way, or set out until endWipe, to be removed where they arrive.
func (l *levers) beginWipe(salt kv.SaltID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deletes.beginSalt(salt)
	l.writeback.noteWiped(salt)
	l.fetcher.flights.noteWiped(salt)
}

func (l *levers) endWipe(salt kv.SaltID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deletes.endSalt(salt)
}

// noteWiped marks a salt's blocks on their way down so that they are removed where they arrive. The caller holds mu.
func (b *writeback) noteWiped(salt kv.SaltID) {
	for _, w := range b.writers {
		for at, j := range w.jobs {
			j.deleted = j.deleted || at.Salt == salt
		}
		for at := range w.owed.at {
			if at.Salt == salt {
				w.owed.remove(at)
			}
		}
	}
}

// noteWiped marks a salt's blocks on their way up so that they are removed where they arrive. The caller holds mu.
func (s *flights) noteWiped(salt kv.SaltID) {
	for at, f := range s.flying {
		f.deleted = f.deleted || at.Salt == salt
	}
}
