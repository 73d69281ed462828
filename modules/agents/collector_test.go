package agents_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/mlx/kv/object/objecttest"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// ended hears how collections end: what each did, or why it stopped.
type ended struct {
	slog.Handler
	collections chan agents.Collection
	stops       chan string
}

func (e *ended) Enabled(context.Context, slog.Level) bool { return true }

func (e *ended) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "collection_stopped" {
		return nil
	}
	text := ""
	r.Attrs(func(a slog.Attr) bool { text += a.String() + " "; return true })
	select {
	case e.stops <- text:
	default:
	}
	return nil
}

// collecting is a registry that collects from a bucket all the time.
type collecting struct {
	*agents.Registry
	*ended
	bucket *objecttest.Bucket
	now    *atomic.Int64 // seconds
}

const collectedAfter = time.Hour

func collectFrom(t *testing.T, bucket *objecttest.Bucket, now *atomic.Int64, secret string) collecting {
	t.Helper()
	heard := &ended{Handler: slog.DiscardHandler, collections: make(chan agents.Collection), stops: make(chan string)}
	ctx, cancel := context.WithCancel(context.Background())
	r, end := run(t, agents.Settings{
		Open: opener(t, filepath.Join(t.TempDir(), "records.db")), Memory: &tiers{removed: map[kv.Key]bool{}}, Secret: []byte(secret),
		TTL: collectedAfter, Retry: time.Millisecond, Collect: time.Millisecond, Clock: func() time.Time { return at(now.Load()) },
		Shared: object.NewInventory(object.New(object.Config{Bucket: bucket})), Log: slog.New(heard),
		Collected: func(c agents.Collection) {
			select {
			case heard.collections <- c:
			case <-ctx.Done():
			}
		},
	})
	t.Cleanup(func() { cancel(); end() })
	return collecting{r, heard, bucket, now}
}

// newBucket is a bucket whose clock a test sets.
func newBucket() (*objecttest.Bucket, *atomic.Int64) {
	now := &atomic.Int64{}
	now.Store(1_000_000)
	return objecttest.NewAt(func() time.Time { return at(now.Load()) }), now
}

// nameOf is the name of a block's object.
func nameOf(ref kv.Ref) string {
	return fmt.Sprintf("v1/%s/%s/%s/%s.%s", ref.Fingerprint, ref.Salt, ref.Parent.String()[:2], ref.Parent, ref.Key)
}

// store puts the blocks of chains into the bucket.
func (c collecting) store(chains ...kv.Chain) {
	for _, chain := range chains {
		for _, ref := range chain.Refs() {
			c.bucket.Set(nameOf(ref), []byte("a block"))
		}
	}
}

// blocks is how many blocks of the chain the bucket has.
func (c collecting) blocks(chain kv.Chain) (n int) {
	names := strings.Join(c.bucket.Keys(), "\n")
	for _, ref := range chain.Refs() {
		if strings.Contains(names, nameOf(ref)) {
			n++
		}
	}
	return n
}

// next waits for a collection that began after now.
func (c collecting) next() agents.Collection {
	<-c.collections
	return <-c.collections
}

// long is a chain of so many blocks.
func long(blocks int) kv.Chain {
	keys := make([]byte, blocks)
	for i := range keys {
		keys[i] = byte(i + 1)
	}
	return chain(keys...)
}

// stopped waits for a collection that stops, and returns why.
func (c collecting) stopped() string {
	for {
		select {
		case <-c.collections:
		case why := <-c.stops:
			return why
		}
	}
}

// What nobody owns goes when it is old, and nothing else; what came to be owned late stays.
func TestWhatNobodyOwnsIsCollectedWhenItIsOld(t *testing.T) {
	bucket, now := newBucket()
	c := collectFrom(t, bucket, now, "secret")
	owned, orphaned, young := long(20), chain(104, 105), chain(106)
	c.Note("t", "a", agents.Use{Chain: owned, At: at(now.Load())})
	if _, err := c.Written(t.Context(), "t", "a"); err != nil {
		t.Fatal(err)
	}
	c.store(owned, orphaned)
	c.bucket.Set("v1/somebody's notes", []byte("are none of ours"))
	now.Add(int64(collectedAfter.Seconds()))
	c.store(young)
	if got := c.next(); got.Blocks != 23 || got.Orphans != 0 || c.blocks(orphaned) != 2 {
		t.Errorf("as old as the TTL: %+v, %d are left", got, c.blocks(orphaned))
	}
	now.Add(1)
	c.Note("t", "a", agents.Use{Chain: owned, At: at(now.Load())})
	for c.blocks(orphaned) > 0 {
		c.next()
	}
	c.next()
	if c.blocks(owned) != 20 || c.blocks(young) != 1 || len(c.bucket.Keys()) != 23 {
		t.Errorf("left are %v", c.bucket.Keys())
	}
}

// A database that was set back, or emptied, makes most blocks nobody's: then nothing goes.
func TestACollectionStopsBeforeItTakesMoreThanATenth(t *testing.T) {
	bucket, now := newBucket()
	c := collectFrom(t, bucket, now, "secret")
	var all []kv.Chain
	for i := range 250 {
		ch := chain(byte(i))
		all = append(all, ch)
		if i >= 30 {
			c.Note("t", fmt.Sprint("agent ", i), agents.Use{Chain: ch, At: at(now.Load() + 4000)})
		}
	}
	c.store(all...)
	now.Add(4000)
	if why := c.stopped(); !strings.Contains(why, "of 250 blocks") || !strings.Contains(why, "tenth") {
		t.Errorf("it stopped with %q", why)
	}
	c.stopped()
	if n := len(c.bucket.Keys()); n != 251 {
		t.Errorf("%d objects are left of 250 blocks", n)
	}
	for i := range 5 {
		c.Note("t", "back", agents.Use{Chain: all[i], At: at(now.Load())})
	}
	for len(c.bucket.Keys()) == 251 {
		select {
		case <-c.collections:
		case <-c.stops:
		}
	}
	c.next()
	if n := len(c.bucket.Keys()); n != 226 {
		t.Errorf("%d objects are left, and 225 blocks are owned", n)
	}
}

// An operator is told what nobody owns, is held to the tenth too, and can have it removed all the same.
func TestAnOperatorCollectsMoreThanATenth(t *testing.T) {
	bucket, now := newBucket()
	c := collectFrom(t, bucket, now, "secret")
	go func() {
		for {
			select {
			case <-c.collections:
			case <-t.Context().Done():
				return
			}
		}
	}()
	owned, orphaned := long(10), chain(104, 105)
	c.Note("t", "a", agents.Use{Chain: owned, At: at(now.Load() + 4000)})
	if _, err := c.Written(t.Context(), "t", "a"); err != nil {
		t.Fatal(err)
	}
	c.store(owned, orphaned)
	now.Add(4000)
	found, err := c.Collect(t.Context(), agents.Order{Count: true})
	if err != nil || found.Blocks != 12 || found.Orphans != 2 || c.blocks(orphaned) != 2 {
		t.Errorf("counted %+v, %v; %d are left", found, err, c.blocks(orphaned))
	}
	if found, err = c.Collect(t.Context(), agents.Order{}); !errors.Is(err, agents.ErrTenth) || found.Orphans != 2 || c.blocks(orphaned) != 2 {
		t.Errorf("without leave: %+v, %v; %d are left", found, err, c.blocks(orphaned))
	}
	if found, err = c.Collect(t.Context(), agents.Order{AnyShare: true}); err != nil || found.Removed.Blocks != 2 || c.blocks(orphaned) != 0 || c.blocks(owned) != 10 {
		t.Errorf("with leave: %+v, %v; %d and %d are left", found, err, c.blocks(orphaned), c.blocks(owned))
	}
}

// Without a bucket there is nothing to collect from.
func TestNothingIsCollectedWithoutABucket(t *testing.T) {
	r, end := run(t, agents.Settings{
		Open: opener(t, filepath.Join(t.TempDir(), "records.db")), Memory: &tiers{removed: map[kv.Key]bool{}}, TTL: collectedAfter,
	})
	defer end()
	if _, err := r.Collect(t.Context(), agents.Order{AnyShare: true}); !errors.Is(err, agents.ErrNoInventory) {
		t.Errorf("error %v", err)
	}
}

// A bucket that another cluster came to first is not touched, and one that fails is tried again.
func TestACollectionKnowsItsOwnBucket(t *testing.T) {
	bucket, now := newBucket()
	first := collectFrom(t, bucket, now, "secret")
	first.next()
	orphan := chain(200)
	first.Note("t", "a", agents.Use{Chain: long(10), At: at(now.Load() + 4000)})
	first.store(long(10), orphan)
	now.Add(4000)
	second := collectFrom(t, bucket, now, "another secret")
	if why := second.stopped(); !strings.Contains(why, "another cluster secret") {
		t.Errorf("the other cluster stopped with %q", why)
	}
	bucket.Fail(errors.New("the network is away"))
	for range 2 {
		if why := first.stopped(); !strings.Contains(why, "the network is away") {
			t.Errorf("it stopped with %q", why)
		}
	}
	bucket.Fail(nil)
	for first.blocks(orphan) > 0 {
		select {
		case <-first.collections:
		case <-first.stops:
		}
	}
	for _, name := range bucket.Keys() {
		if name == "cluster" {
			return
		}
	}
	t.Error("the bucket no longer tells whose it is")
}
