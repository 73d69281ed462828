package agents_test

import (
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// A record that a wrong clock dated in the future takes the time of its next use.
func TestAUseCorrectsARecordFromTheFuture(t *testing.T) {
	r, end := registry(t, filepath.Join(t.TempDir(), "records.db"), &tiers{removed: map[kv.Key]bool{}})
	defer end()
	now := time.Now().UTC()
	r.Note("t", "a", agents.Use{Chain: chain(1, 2), At: now.AddDate(12, 0, 0)})
	r.Note("t", "a", agents.Use{Chain: chain(3), At: now})
	record, err := r.Get(t.Context(), "t", "a")
	if err != nil || !record.Used.Equal(now) || len(record.Heads) != 2 || record.Heads[0].Used.After(now) {
		t.Errorf("%+v, %v", record, err)
	}
}

// Agents go when the clock says that their time is over: the server's, or their own; retained ones stay.
func TestAgentsGoWhenTheirTimeIsOver(t *testing.T) {
	var now atomic.Int64
	now.Store(at(1_000_000).Unix())
	r, end := run(t, agents.Settings{
		Open: opener(t, filepath.Join(t.TempDir(), "records.db")), Memory: &tiers{removed: map[kv.Key]bool{}}, Secret: []byte("secret"),
		TTL: time.Hour, Retry: time.Millisecond, Sweep: time.Millisecond, Clock: func() time.Time { return at(now.Load()) },
	})
	defer end()
	for id, ttl := range map[string]time.Duration{"default": 0, "short": time.Minute, "long": 24 * time.Hour, "retained": time.Minute} {
		if _, _, err := r.Create(t.Context(), "t", id, "", ttl); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Retain(t.Context(), "t", "retained", at(2_000_000)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		later time.Duration
		want  []string
	}{
		{59 * time.Second, []string{"t/default:0", "t/long:0", "t/retained:0", "t/short:0"}},
		{time.Minute, []string{"t/default:0", "t/long:0", "t/retained:0"}},
		{time.Hour, []string{"t/long:0", "t/retained:0"}},
	} {
		now.Add(int64(c.later.Seconds()))
		awaitListed(t, r, c.want)
	}
}

// awaitListed waits until these and no other agents are listed.
func awaitListed(t *testing.T, r *agents.Registry, want []string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		page, _, err := r.List(t.Context(), agents.Filter{Limit: 100})
		if err != nil && !errors.Is(err, agents.ErrNotFound) {
			t.Fatal(err)
		}
		if slices.Equal(ids(page), want) {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("listed are %v, want %v", ids(page), want)
		}
	}
}
