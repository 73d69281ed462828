package cache_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

// door lets everybody through but the first who comes after it was shut: that one waits until it is opened.
type door struct {
	shut     atomic.Bool
	somebody chan struct{} // closed when one waits
	opened   chan struct{}
}

func newDoor() *door { return &door{somebody: make(chan struct{}), opened: make(chan struct{})} }

func (d *door) pass() {
	if d.shut.CompareAndSwap(true, false) {
		close(d.somebody)
		<-d.opened
	}
}

// guarded is a tier with a door before its deletions.
type guarded struct {
	*tiertest.Shelf
	door *door
}

// Delete implements kv.Tier.
func (g guarded) Delete(ctx context.Context, ref kv.Ref) error {
	g.door.pass()
	return g.Shelf.Delete(ctx, ref)
}

// Wipe implements kv.Wiper.
func (g guarded) Wipe(ctx context.Context, salt kv.SaltID, until time.Time) (kv.Moved, error) {
	g.door.pass()
	return g.Shelf.Wipe(ctx, salt, until)
}

// deletion is a stack of two tiers whose steps a test can stop: work on the device, the deletion in the lower
// tier, and a flight between its arrival in the pool and its promotion.
type deletion struct {
	*stack
	bucket                  *tiertest.Shelf
	device, removal, flight *door
	deleted                 chan error
	ofTenant                bool // all of the tenant's blocks are deleted at once
}

// deletions runs a test of the deletion of a block also with that of all blocks of its tenant.
func deletions(t *testing.T, check func(*testing.T, *deletion)) {
	for name, ofTenant := range map[string]bool{"of a block": false, "of a tenant": true} {
		t.Run(name, func(t *testing.T) {
			d := newDeletion(t)
			d.ofTenant = ofTenant
			check(t, d)
		})
	}
}

func newDeletion(t *testing.T) *deletion {
	t.Helper()
	d := &deletion{bucket: tiertest.NewShelf("bucket"), device: newDoor(), removal: newDoor(), flight: newDoor(), deleted: make(chan error)}
	d.stack = newStackOf(t, 4, func(c *cache.Config) {
		c.OnDevice = func(f func()) { d.device.pass(); f() }
		c.Listener.Fetched = func(cache.Transfer) { d.flight.pass() }
	}, guarded{d.bucket, d.removal})
	return d
}

// delete begins the deletion of a block and returns when it waits at the door.
func (d *deletion) delete(t *testing.T, e kv.Entry, at *door) {
	t.Helper()
	at.shut.Store(true)
	go func() {
		ctx := context.WithoutCancel(t.Context())
		var err error
		if d.ofTenant {
			_, err = d.Wipe(ctx, e.Salt, time.Now())
		} else {
			_, err = d.Delete(ctx, []kv.Ref{e.Ref})
		}
		d.deleted <- err
	}()
	<-at.somebody
}

// wantGone opens the door to the deletion, and then lets everything end that was under way.
func (d *deletion) wantGone(t *testing.T, e kv.Entry, at *door, release func()) {
	t.Helper()
	close(at.opened)
	if err := <-d.deleted; err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := d.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if d.pool.Has(e.Space, e.Key) || d.below.Data(e.Key) != nil || d.bucket.Data(e.Key) != nil {
		t.Errorf("it came back: in the pool %v, on the shelf %v, in the bucket %v",
			d.pool.Has(e.Space, e.Key), d.below.Data(e.Key) != nil, d.bucket.Data(e.Key) != nil)
	}
	if err := d.pool.Check(); err != nil {
		t.Error(err)
	}
}

// What is queued for a tier while the deletion waits for the device does not arrive.
func TestAStoreThatBeginsDuringADeletionDoesNotUndoIt(t *testing.T) {
	deletions(t, func(t *testing.T, d *deletion) {
		e := d.add(t, kv.Root, 1, false)
		release := d.below.Hang()
		d.delete(t, e, d.device)
		d.Store(d.tenant, e, true)
		if !tiertest.Within(soon, func() bool { return d.below.Puts() > 0 }) {
			t.Fatal("not as the test wants it")
		}
		d.wantGone(t, e, d.device, release)
	})
}

// A flight that is through with the pool when its block is deleted writes nothing to the tier above.
func TestAPromotionDuringADeletionDoesNotUndoIt(t *testing.T) {
	deletions(t, func(t *testing.T, d *deletion) {
		e := d.add(t, kv.Root, 1, true)
		d.Trim(t.Context())
		d.below.Lose(e.Key)
		release, before := d.below.Hang(), d.below.Puts()
		d.flight.shut.Store(true)
		flight := d.Fetch(d.tenant, nil, cache.Found{Ref: e.Ref, Tiers: []int{1}}, nil)
		<-d.flight.somebody
		d.delete(t, e, d.device)
		close(d.flight.opened)
		if !tiertest.Within(soon, func() bool { return d.below.Puts() > before }) {
			t.Fatal("not as the test wants it")
		}
		if err := flight.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.wantGone(t, e, d.device, release)
	})
}

// A block that is fetched from a tier which has it still, while it is deleted everywhere, stays nowhere.
func TestAFetchDuringADeletionDoesNotUndoIt(t *testing.T) {
	deletions(t, func(t *testing.T, d *deletion) {
		e := d.add(t, kv.Root, 1, true)
		d.Trim(t.Context())
		d.delete(t, e, d.removal)
		gets := d.bucket.Gets()
		_ = d.Fetch(d.tenant, nil, cache.Found{Ref: e.Ref, Tiers: []int{0, 1}}, nil).Wait(t.Context()) // whatever it says
		if d.bucket.Gets() == gets {
			t.Fatal("not as the test wants it")
		}
		d.wantGone(t, e, d.removal, func() {})
	})
}
