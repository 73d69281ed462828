package agents_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// wiped notes whose requests were forgotten and whose blocks were removed.
type wiped struct {
	tiers
	forgotten, removed []string
	until              time.Time
}

func (m *wiped) ForgetTenant(_ context.Context, tenant string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgotten = append(m.forgotten, tenant)
	return nil
}

func (m *wiped) DeleteTenant(_ context.Context, tenant string, until time.Time) (kv.Moved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failure != nil {
		return kv.Moved{}, m.failure
	}
	m.removed, m.until = append(m.removed, tenant), until
	return kv.Moved{Blocks: 3, Bytes: 300}, nil
}

// All of a tenant goes, what is noted of it and not written included, and nothing of another tenant; also across the end
// of the process that took the deletion.
func TestAllOfATenantIsDeleted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.db")
	broken := &wiped{tiers: tiers{failure: errors.New("the disk is away")}}
	r, end := registry(t, file, broken)
	r.Note("t", "written", agents.Use{Chain: chain(1), At: at(10)})
	if _, err := r.Written(t.Context(), "t", "written"); err != nil {
		t.Fatal(err)
	}
	r.Note("t", "noted", agents.Use{Chain: chain(2), At: at(11)})
	r.Note("u", "other", agents.Use{Chain: chain(3), At: at(12)})
	began := time.Now()
	d, err := r.DeleteTenant(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	await(t, r, d.Operation, func(d agents.Deletion) bool { return d.Error != "" })
	for _, id := range []string{"written", "noted"} {
		if _, err := r.Written(t.Context(), "t", id); !errors.Is(err, agents.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := r.Written(t.Context(), "u", "other"); err != nil {
		t.Errorf("another tenant's agent: %v", err)
	}
	end()
	working := &wiped{}
	r, end = registry(t, file, working)
	defer end()
	done := await(t, r, d.Operation, func(d agents.Deletion) bool { return !d.Ended.IsZero() })
	if done.Removed.Blocks != 3 || done.Removed.Bytes != 300 || !slices.Equal(working.removed, []string{"t"}) || !slices.Equal(broken.forgotten, []string{"t"}) {
		t.Errorf("%+v, removed %v, forgotten %v", done, working.removed, broken.forgotten)
	}
	if margin := working.until.Sub(began); margin < time.Minute || margin > time.Hour {
		t.Errorf("blocks stored up to %v behind the deletion are taken for those of before", margin)
	}
}
