package disk

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// records tell when the owners of blocks used them.
type records struct {
	uses    map[kv.Key]time.Time
	failure error
}

func (r *records) lastUse(_ context.Context, blocks []kv.Ref) (uses []time.Time, err error) {
	for _, e := range blocks {
		uses = append(uses, r.uses[e.Key])
	}
	return uses, r.failure
}

// aged opens a tier on a real folder whose files have the given times.
func aged(t *testing.T, known *records, times map[*stored]time.Time) (b *bench, log *strings.Builder) {
	log = &strings.Builder{}
	b = &bench{TB: t, clock: newClock(), evicted: map[string]int{}}
	cfg := Config{FS: vfs.OS{}, Dir: t.TempDir(), Budget: 8 << 20, TTL: 24 * time.Hour, Header: tiertest.ToyHeader, Clock: b.clock.Now,
		LastUse: known.lastUse, Log: slog.New(slog.NewTextHandler(log, nil))}
	cfg.Listener.Evicted = func(reason string, _ int64) { b.evicted[reason]++ }
	first := openReal(t, cfg)
	for s, at := range times {
		b.must(first.Put(t.Context(), s.Entry, s.data))
		b.must(os.Chtimes(filepath.Join(cfg.Dir, s.Path()), at, at))
	}
	b.must(first.Close())
	b.Tier = openReal(t, cfg)
	return b, log
}

// A file's time alone says little: the record of who owns the block counts, nothing is from the future, and what goes
// for its age is counted and logged.
func TestAgeFollowsUseAndRecord(t *testing.T) {
	owned, nobodys, future := toy(kv.Root, 1), toy(kv.Root, 2), toy(kv.Root, 3)
	known := &records{uses: map[kv.Key]time.Time{owned.Key: newClock().Now().Add(-time.Hour)}}
	y1971, y2037 := time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2037, 1, 1, 0, 0, 0, 0, time.UTC)
	b, log := aged(t, known, map[*stored]time.Time{&owned: y1971, &nobodys: y1971, &future: y2037})
	known.failure = errors.New("the database is locked")
	b.sweep(t.Context())
	b.wantHeld("[0 1 2]", owned, nobodys, future) // the records can't be asked
	known.failure = nil
	b.sweep(t.Context())
	b.wantHeld("[0 2]", owned, nobodys, future)
	if b.evicted[ReasonTTL] != 1 || !strings.Contains(log.String(), "disk_blocks_expired blocks=1") {
		t.Errorf("%v, log %s", b.evicted, log)
	}
	b.clock.advance(25 * time.Hour)
	b.sweep(t.Context())
	b.wantHeld("[0]", owned, nobodys, future) // its agent may have a longer TTL, and takes it along when it goes
	delete(known.uses, owned.Key)
	b.sweep(t.Context())
	b.wantHeld("[]", owned, nobodys, future)
	if b.evicted[ReasonTTL] != 3 || !strings.Contains(log.String(), "disk_blocks_expired blocks=1") {
		t.Errorf("%v, log %s", b.evicted, log)
	}
}

// A block dated in the future gets today's date with its next use, and is evicted when it is the oldest.
func TestAUseCorrectsADateInTheFuture(t *testing.T) {
	a, c := toy(kv.Root, 1), toy(kv.Root, 2)
	b, _ := aged(t, &records{}, map[*stored]time.Time{&a: newClock().Now().Add(100_000 * time.Hour), &c: newClock().Now().Add(-time.Hour)})
	b.clock.advance(time.Minute)
	b.Touch([]kv.Ref{a.Ref}, time.Time{})
	b.clock.advance(time.Minute)
	b.Touch([]kv.Ref{c.Ref}, time.Time{})
	b.sweep(t.Context())
	info, err := os.Stat(filepath.Join(b.cfg.Dir, a.Path()))
	if err != nil || info.ModTime().After(b.clock.Now()) {
		t.Errorf("the file's time is %s, %v", info.ModTime(), err)
	}
	b.catalog.mu.Lock()
	defer b.catalog.mu.Unlock()
	if first := b.catalog.leaves(func(*block) bool { return true }).next(); first.Key != a.Key {
		t.Error("what was used last goes first")
	}
}

// The clock was wrong for a while and is set back: the order of uses stays, and blocks grow old again.
func TestAClockThatIsSetBack(t *testing.T) {
	b, _ := aged(t, &records{}, nil)
	b.clock.advance(100_000 * time.Hour)
	blocks := []stored{toy(kv.Root, 1), toy(kv.Root, 2), toy(kv.Root, 3)}
	for _, s := range blocks {
		b.put(s)
	}
	b.clock.advance(-100_000 * time.Hour)
	b.sweep(t.Context())
	b.Touch([]kv.Ref{blocks[0].Ref}, time.Time{})
	b.catalog.mu.Lock()
	first := b.catalog.leaves(func(*block) bool { return true }).next()
	b.catalog.mu.Unlock()
	if first.Key != blocks[1].Key {
		t.Error("the order of uses is lost")
	}
	b.clock.advance(25 * time.Hour)
	b.sweep(t.Context())
	b.wantHeld("[]", blocks...)
}
