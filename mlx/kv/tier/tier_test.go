package tier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

var errAway = errors.New("the network is away")

func ref(n byte) kv.Ref { return kv.Ref{Key: kv.Key{0: n}, Tokens: kv.BlockTokens} }

func quick() tier.RetryConfig { return tier.RetryConfig{First: time.Microsecond} }

// Every wrapper, and all of them, are tiers like the one inside.
func TestWrappedTiersAreTiers(t *testing.T) {
	nothing := func(tier.Call) {}
	for name, wrap := range map[string]func(kv.Tier) kv.Tier{
		"metrics": func(inner kv.Tier) kv.Tier { return tier.NewMetrics(inner, time.Now, nothing) },
		"retry":   func(inner kv.Tier) kv.Tier { return tier.NewRetry(inner, quick()) },
		"breaker": func(inner kv.Tier) kv.Tier { return tier.NewBreaker(inner, tier.BreakerConfig{}) },
		"all": func(inner kv.Tier) kv.Tier {
			return tier.NewMetrics(tier.NewRetry(tier.NewBreaker(inner, tier.BreakerConfig{}), quick()), time.Now, nothing)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tiertest.Run(t, func(*testing.T) kv.Tier { return wrap(tiertest.NewShelf("bucket")) }, tiertest.Toy)
		})
	}
}

// failing fails so many calls, and then does as the tier inside.
type failing struct {
	kv.Tier
	mu    sync.Mutex
	left  int
	err   error
	calls int
}

func (f *failing) Get(ctx context.Context, r kv.Ref, buf []byte) ([]byte, error) {
	f.mu.Lock()
	f.calls++
	f.left--
	fails := f.left >= 0
	f.mu.Unlock()
	if fails {
		return nil, f.err
	}
	return f.Tier.Get(ctx, r, buf)
}

func TestWhatMayPassIsTriedAgainAndWhatLastsIsNot(t *testing.T) {
	for _, c := range []struct {
		err   error
		fails int
		calls int // that are made
		fault string
	}{
		{errAway, 2, 3, "missing"}, // the third gets through: the shelf is empty
		{errAway, 5, 3, "other"},
		{fmt.Errorf("store: %w", kv.ErrThrottled), 1, 2, "missing"},
		{fmt.Errorf("read: %w", kv.ErrTimeout), 9, 3, "timeout"},
		{kv.ErrNotFound, 1, 1, "missing"},
		{kv.ErrDamaged, 1, 1, "damaged"},
		{kv.ErrRefused, 1, 1, "refused"},
		{tier.ErrOpen, 1, 1, "other"},
		{context.Canceled, 1, 1, "other"},
	} {
		inner := &failing{Tier: tiertest.NewShelf("bucket"), left: c.fails, err: c.err}
		_, err := tier.NewRetry(inner, quick()).Get(t.Context(), ref(1), nil)
		if inner.calls != c.calls || kv.FaultOf(err) != c.fault {
			t.Errorf("%v, %d times: %d calls, then %v", c.err, c.fails, inner.calls, err)
		}
	}
}

func TestWhoGaveUpIsNotKeptWaitingByRetries(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	inner := &failing{Tier: tiertest.NewShelf("bucket"), left: 9, err: errAway}
	done := make(chan error)
	go func() {
		_, err := tier.NewRetry(inner, tier.RetryConfig{First: time.Hour, Longest: time.Hour}).Get(ctx, ref(1), nil)
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
}

// A tier that fails in a row is left alone, is unhealthy meanwhile, and is tried by one call after the pause.
func TestABreakerLeavesATierAloneAndTriesItAgain(t *testing.T) {
	shelf := tiertest.NewShelf("bucket")
	b := tier.NewBreaker(shelf, tier.BreakerConfig{Failures: 3, Pause: 50 * time.Millisecond, Advise: func(error) string { return "look at the cable" }})
	get := func() error { _, err := b.Get(t.Context(), ref(1), nil); return err }
	shelf.Fail(errAway)
	for range 3 {
		if err := get(); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
	}
	if err := get(); !errors.Is(err, tier.ErrOpen) || shelf.Gets() != 3 {
		t.Errorf("%v after %d reads", err, shelf.Gets())
	}
	if s := b.Status(); s.Healthy || s.Problem != "the network is away; look at the cable" {
		t.Errorf("%+v", s)
	}
	if !tiertest.Within(soon, func() bool { return b.Status().Healthy }) {
		t.Fatal("nobody is told that it may be tried")
	}
	if err := get(); !errors.Is(err, errAway) || b.Status().Healthy {
		t.Errorf("%v, %+v", err, b.Status())
	}
	shelf.Fail(nil)
	if !tiertest.Within(soon, func() bool { return errors.Is(get(), kv.ErrNotFound) }) {
		t.Fatal("it never heals")
	}
	if s := b.Status(); !s.Healthy || s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

const soon = 30 * time.Second

// Misses, damage, and callers who give up say nothing against the tier.
func TestABreakerDoesNotMindMisses(t *testing.T) {
	b := tier.NewBreaker(tiertest.NewShelf("bucket"), tier.BreakerConfig{Failures: 2})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if _, err := b.Get(t.Context(), ref(1), nil); !errors.Is(err, kv.ErrNotFound) {
			t.Fatal(err)
		}
		if _, err := b.Get(gone, ref(1), nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if !b.Status().Healthy {
		t.Error("unhealthy")
	}
}

func TestEveryCallIsCounted(t *testing.T) {
	var calls []string
	shelf := tiertest.NewShelf("bucket")
	m := tier.NewMetrics(shelf, time.Now, func(c tier.Call) { calls = append(calls, fmt.Sprint(c.Tier, " ", c.Doing, " ", c.Fault, c.Bytes)) })
	_ = m.Put(t.Context(), kv.Entry{Ref: ref(1)}, []byte("abc"))
	_, _ = m.Get(t.Context(), ref(1), nil)
	_, _ = m.Get(t.Context(), ref(2), nil)
	_, _ = m.Lookup(t.Context(), []kv.Ref{ref(1)})
	shelf.Fail(fmt.Errorf("%w: no quota", kv.ErrRefused))
	_ = m.Put(t.Context(), kv.Entry{Ref: ref(3)}, []byte("abc"))
	_ = m.Delete(t.Context(), ref(1))
	shelf.Fail(fmt.Errorf("read: %w", tier.ErrOpen))
	_, _ = m.Get(t.Context(), ref(1), nil)
	want := []string{"bucket put 3", "bucket get 3", "bucket get missing0", "bucket lookup 0", "bucket put refused0", "bucket delete 0", "bucket get open0"}
	if !slices.Equal(calls, want) {
		t.Errorf("%q, want %q", calls, want)
	}
}
