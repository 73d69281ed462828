package tier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/sony/gobreaker/v2"
)

// ErrOpen is why a broken tier is not asked.
var ErrOpen = errors.New("the tier failed of late and is left alone for a while")

// BreakerConfig says when a tier is left alone.
type BreakerConfig struct {
	Failures uint32        // in a row that open the breaker: 5
	Pause    time.Duration // until one call is let through to try: 5 s
	Advise   func(error) string
	Log      *slog.Logger
}

// Breaker leaves a tier alone that failed several times in a row: its calls fail at once, so that nobody waits, and the
// tier is unhealthy. After a pause one call is let through; how it ends decides.
type Breaker struct {
	kv.Tier
	cfg     BreakerConfig
	breaker *gobreaker.CircuitBreaker[any]
	failure atomic.Pointer[string] // the last
}

var _ kv.Wrapper = (*Breaker)(nil)

// NewBreaker puts a breaker around a tier, and around what it learns if it is a distant one.
func NewBreaker(inner kv.Tier, cfg BreakerConfig) kv.Wrapper {
	if cfg.Failures == 0 {
		cfg.Failures = 5
	}
	if cfg.Pause == 0 {
		cfg.Pause = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Breaker{Tier: inner, cfg: cfg}
	b.breaker = gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		Name: inner.Name(), MaxRequests: 1, Timeout: cfg.Pause,
		ReadyToTrip:   func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= cfg.Failures },
		IsSuccessful:  answered,
		IsExcluded:    func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) { b.tell(from, to) },
	})
	if distant, is := kv.As[kv.Distant](inner); is {
		return &distantBreaker{b, distant}
	}
	return b
}

// answered tells whether a tier that returned the error has done its work.
func answered(err error) bool {
	return err == nil || errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrDamaged)
}

func (b *Breaker) tell(from, to gobreaker.State) {
	switch {
	case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
		b.cfg.Log.Warn(b.Name()+"_tier_degraded", "error", *b.failure.Load(), "note", "it is tried again after "+b.cfg.Pause.String())
	case to == gobreaker.StateClosed:
		b.cfg.Log.Info(b.Name()+"_tier_healed", "note", "it is used again")
	}
}

// guard makes a call unless the breaker is open.
func guard[T any](b *Breaker, doing string, call func() (T, error)) (T, error) {
	result, err := b.breaker.Execute(func() (any, error) {
		result, err := call()
		if !answered(err) {
			b.note(err)
		}
		return result, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		var none T
		return none, fmt.Errorf("%s in the %s tier: %w", doing, b.Name(), ErrOpen)
	}
	return result.(T), err
}

func (b *Breaker) note(err error) {
	text := err.Error()
	if b.cfg.Advise != nil {
		text += "; " + b.cfg.Advise(err)
	}
	b.failure.Store(&text)
}

// Unwrap implements kv.Wrapper.
func (b *Breaker) Unwrap() kv.Tier { return b.Tier }

// Lookup implements kv.Tier.
func (b *Breaker) Lookup(ctx context.Context, refs []kv.Ref) ([]kv.Copy, error) {
	return guard(b, "look up", func() ([]kv.Copy, error) { return b.Tier.Lookup(ctx, refs) })
}

// Get implements kv.Tier.
func (b *Breaker) Get(ctx context.Context, ref kv.Ref, buf []byte) ([]byte, error) {
	return guard(b, "read", func() ([]byte, error) { return b.Tier.Get(ctx, ref, buf) })
}

// Put implements kv.Tier.
func (b *Breaker) Put(ctx context.Context, e kv.Entry, data []byte) error {
	_, err := guard(b, "store", func() (struct{}, error) { return struct{}{}, b.Tier.Put(ctx, e, data) })
	return err
}

// Delete implements kv.Tier.
func (b *Breaker) Delete(ctx context.Context, ref kv.Ref) error {
	_, err := guard(b, "remove", func() (struct{}, error) { return struct{}{}, b.Tier.Delete(ctx, ref) })
	return err
}

// Status implements kv.Tier. While the breaker is open the tier is unhealthy; when it may be tried it is not, so that
// somebody tries.
func (b *Breaker) Status() kv.TierStatus {
	status := b.Tier.Status()
	switch b.breaker.State() {
	case gobreaker.StateOpen:
		status.Healthy, status.Problem = false, *b.failure.Load()
	case gobreaker.StateHalfOpen:
		status.Problem = *b.failure.Load() + "; not asked since"
	}
	return status
}

// distantBreaker also guards what is learned.
type distantBreaker struct {
	*Breaker
	distant kv.Distant
}

var _ kv.Distant = (*distantBreaker)(nil)

// Known implements kv.Distant.
func (b *distantBreaker) Known(refs []kv.Ref) []kv.Copy { return b.distant.Known(refs) }

// Learn implements kv.Distant.
func (b *distantBreaker) Learn(ctx context.Context, refs []kv.Ref) error {
	_, err := guard(b.Breaker, "look up", func() (struct{}, error) { return struct{}{}, b.distant.Learn(ctx, refs) })
	return err
}

// LearnBehind implements kv.Distant.
func (b *distantBreaker) LearnBehind(ctx context.Context, s kv.Space, parent kv.Key) (more bool, err error) {
	return guard(b.Breaker, "list", func() (bool, error) { return b.distant.LearnBehind(ctx, s, parent) })
}
