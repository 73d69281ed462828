// Package ratelimit bounds how many requests a minute a caller, a tenant, and all together, may make on this
// node.
package ratelimit

import (
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/lru"
	"golang.org/x/time/rate"
)

// Config describes the limits.
type Config struct {
	PerCaller  int // requests a minute of one caller; 0 for no limit
	PerTenant  int // requests a minute of all callers of a tenant; 0 for no limit
	Global     int // requests a minute of all callers; 0 for no limit
	MaxCallers int // most callers, and most tenants, remembered: those seen last; 0 means 10,000
}

// Limiter counts requests. Each limit is a bucket that holds a minute's requests and refills evenly.
type Limiter struct {
	cfg    Config
	global *rate.Limiter

	mu      sync.Mutex
	callers *lru.Map[string, *rate.Limiter]
	tenants *lru.Map[string, *rate.Limiter]
}

// New returns a limiter with full buckets.
func New(cfg Config) *Limiter {
	if cfg.MaxCallers == 0 {
		cfg.MaxCallers = 10_000
	}
	return &Limiter{
		cfg: cfg, global: bucket(cfg.Global),
		callers: lru.New[string, *rate.Limiter](cfg.MaxCallers), tenants: lru.New[string, *rate.Limiter](cfg.MaxCallers),
	}
}

// bucket returns a limiter of n requests a minute.
func bucket(n int) *rate.Limiter {
	if n == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(float64(n)/60), n)
}

// Decision is the answer to one request.
type Decision struct {
	Allowed    bool
	Limit      int           // requests a minute; 0 for no limit
	Remaining  int           // requests left in the bucket
	Reset      time.Time     // when the bucket is full again
	RetryAfter time.Duration // when a refused request may come back
}

// Global counts a request of anybody.
func (l *Limiter) Global() Decision { return take(l.global, l.cfg.Global) }

// Caller counts a request of the named caller.
func (l *Limiter) Caller(name string) Decision {
	return take(l.bucketOf(l.callers, name, l.cfg.PerCaller), l.cfg.PerCaller)
}

// Tenant counts a request of the named tenant.
func (l *Limiter) Tenant(name string) Decision {
	return take(l.bucketOf(l.tenants, name, l.cfg.PerTenant), l.cfg.PerTenant)
}

func take(limit *rate.Limiter, perMinute int) Decision {
	if perMinute == 0 {
		return Decision{Allowed: true}
	}
	now := time.Now()
	allowed := limit.AllowN(now, 1)
	tokens := max(0, limit.TokensAt(now))
	wait := func(until float64) time.Duration {
		return time.Duration(max(0, until-tokens) / float64(limit.Limit()) * float64(time.Second))
	}
	decision := Decision{Allowed: allowed, Limit: perMinute, Remaining: int(tokens), Reset: now.Add(wait(float64(perMinute)))}
	if !allowed {
		decision.RetryAfter = wait(1)
	}
	return decision
}

// bucketOf finds or makes a bucket. Without a limit there is nothing to remember.
func (l *Limiter) bucketOf(buckets *lru.Map[string, *rate.Limiter], name string, perMinute int) *rate.Limiter {
	if perMinute == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limit, ok := buckets.Get(name)
	if !ok {
		limit = bucket(perMinute)
		buckets.Put(name, limit)
	}
	return limit
}
