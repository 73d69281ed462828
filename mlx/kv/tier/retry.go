package tier

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/cenkalti/backoff/v5"
)

// RetryConfig says how often a failed call is made again. Zero values take the defaults named.
type RetryConfig struct {
	Attempts uint          // of one call: 3
	First    time.Duration // pause before the second, about: 100 ms; it doubles
	Longest  time.Duration // pause: 2 s
}

// Retry makes calls again that failed for a reason that may pass, after a pause of a random length, so that many nodes
// don't come back at once. What is missing, damaged or refused stays so, and who gave up is left alone.
type Retry struct {
	kv.Tier
	cfg RetryConfig
}

var _ kv.Wrapper = (*Retry)(nil)

// NewRetry puts retries around a tier.
func NewRetry(inner kv.Tier, cfg RetryConfig) *Retry {
	if cfg.Attempts == 0 {
		cfg.Attempts = 3
	}
	if cfg.First == 0 {
		cfg.First = 100 * time.Millisecond
	}
	if cfg.Longest == 0 {
		cfg.Longest = 2 * time.Second
	}
	return &Retry{inner, cfg}
}

// again makes a call until it succeeds, fails for good, or was made often enough.
func again[T any](ctx context.Context, cfg RetryConfig, call func() (T, error)) (T, error) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: cfg.First, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: cfg.Longest,
	}
	result, err := backoff.Retry(ctx, func() (T, error) {
		result, err := call()
		if err != nil && !mayPass(ctx, err) {
			err = backoff.Permanent(err)
		}
		return result, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(cfg.Attempts))
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		err = permanent.Unwrap()
	}
	return result, err
}

func mayPass(ctx context.Context, err error) bool {
	for _, lasting := range []error{kv.ErrNotFound, kv.ErrDamaged, kv.ErrRefused, kv.ErrVersion, ErrOpen, context.Canceled} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	return ctx.Err() == nil
}

// Unwrap implements kv.Wrapper.
func (r *Retry) Unwrap() kv.Tier { return r.Tier }

// Get implements kv.Tier.
func (r *Retry) Get(ctx context.Context, ref kv.Ref, buf []byte) ([]byte, error) {
	return again(ctx, r.cfg, func() ([]byte, error) { return r.Tier.Get(ctx, ref, buf) })
}

// Put implements kv.Tier.
func (r *Retry) Put(ctx context.Context, e kv.Entry, data []byte) error {
	_, err := again(ctx, r.cfg, func() (struct{}, error) { return struct{}{}, r.Tier.Put(ctx, e, data) })
	return err
}

// Delete implements kv.Tier.
func (r *Retry) Delete(ctx context.Context, ref kv.Ref) error {
	_, err := again(ctx, r.cfg, func() (struct{}, error) { return struct{}{}, r.Tier.Delete(ctx, ref) })
	return err
}
