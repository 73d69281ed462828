package tiertest_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

// running is a shelf with no work of its own.
type running struct{ *tiertest.Shelf }

// Run implements tier.Running.
func (running) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Close implements tier.Running.
func (running) Close() error { return nil }

func late(t *testing.T, open func() (tier.Running, error)) *tier.Late {
	t.Helper()
	l, err := tier.OpenLate(tier.LateConfig{
		Name: "shelf", Open: open, IsFinal: func(error) bool { return false }, Advise: func(error) string { return "wait" },
		Log: slog.New(slog.DiscardHandler), WaitMin: time.Millisecond, WaitMax: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAPlainTierKeepsTheContract(t *testing.T) {
	tiertest.Run(t, func(*testing.T) kv.Tier { return tiertest.NewShelf("shelf") }, tiertest.Toy)
}

func TestATierThatWasOpenedLateKeepsTheContract(t *testing.T) {
	tiertest.Run(t, func(t *testing.T) kv.Tier {
		return late(t, func() (tier.Running, error) { return running{tiertest.NewShelf("shelf")}, nil })
	}, tiertest.Toy)
}

// Until it can be opened a tier has nothing, takes nothing, removes nothing in silence, and says why; then its
// abilities are found through the wrapper.
func TestATierOpensLate(t *testing.T) {
	attempts := 0
	l := late(t, func() (tier.Running, error) {
		if attempts++; attempts < 3 {
			return nil, errors.New("not yet")
		}
		return running{tiertest.NewShelf("shelf")}, nil
	})
	e, data := tiertest.Toy(t, kv.Space{}, kv.Root, kv.BlockTokens, 1)
	if _, able := kv.As[kv.Quarantiner](l); able || l.Status().Healthy || l.Status().Problem != "not yet; wait" {
		t.Errorf("able: %v, %+v", able, l.Status())
	}
	if err := l.Put(t.Context(), e, data); !errors.Is(err, kv.ErrRefused) {
		t.Errorf("store: %v", err)
	}
	if _, err := l.Get(t.Context(), e.Ref, nil); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("read: %v", err)
	}
	if err := l.Delete(t.Context(), e.Ref); err == nil {
		t.Error("removed from where nothing can be removed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	if !tiertest.Within(20*time.Second, func() bool { return l.Status().Healthy }) {
		t.Fatal("it is never opened")
	}
	if _, able := kv.As[kv.Quarantiner](l); !able {
		t.Error("its abilities are hidden by the wrapper")
	}
	if err := l.Put(t.Context(), e, data); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
