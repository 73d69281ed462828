package disk

import (
	"errors"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// What of a tenant lies in the folder goes before it was listed too, and what was put aside as damaged.
func TestNothingOfATenantStaysInTheFolder(t *testing.T) {
	b := newBench(t, 100*unit)
	kept, damaged := toy(kv.Root, 1), toy(kv.Root, 2)
	b.put(kept)
	b.put(damaged)
	b.must(b.Quarantine(t.Context(), damaged.Ref, errors.New("damaged by the test")))
	b.restart()
	moved, err := b.Wipe(t.Context(), kept.Salt, time.Time{})
	if err != nil || moved.Blocks != 1 || moved.Bytes == 0 {
		t.Errorf("%+v, %v", moved, err)
	}
	if b.has(kept) || b.Quarantined(damaged.Ref) {
		t.Error("something is found still")
	}
	b.restart()
	if status := b.Status(); status.Blocks != 0 || b.has(kept) || b.Quarantined(damaged.Ref) {
		t.Errorf("after a restart: %+v", status)
	}
}
