package ratelimit_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

func TestABucketHoldsAMinuteAndRefillsEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.New(ratelimit.Config{PerCaller: 6})
		for range 6 {
			if !limiter.Caller("a").Allowed {
				t.Fatal("refused within the limit")
			}
		}
		refused := limiter.Caller("a")
		if refused.Allowed || refused.RetryAfter != 10*time.Second || refused.Remaining != 0 || refused.Limit != 6 {
			t.Errorf("%+v", refused)
		}
		if !limiter.Caller("b").Allowed {
			t.Error("one caller's limit holds for another")
		}
		time.Sleep(10 * time.Second)
		if !limiter.Caller("a").Allowed {
			t.Error("refused after the wait it was told")
		}
	})
}

func TestZeroIsNoLimit(t *testing.T) {
	limiter := ratelimit.New(ratelimit.Config{})
	for range 5000 {
		if !limiter.Global().Allowed || !limiter.Caller("a").Allowed {
			t.Fatal("refused")
		}
	}
}

func TestTheCallerNotSeenForLongestIsForgotten(t *testing.T) {
	limiter := ratelimit.New(ratelimit.Config{PerCaller: 1, MaxCallers: 2})
	limiter.Caller("a")
	limiter.Caller("b")
	if limiter.Caller("a").Allowed {
		t.Error("a is forgotten too early")
	}
	limiter.Caller("c")
	if limiter.Caller("a").Allowed {
		t.Error("a was seen last and is forgotten")
	}
	if !limiter.Caller("b").Allowed {
		t.Error("b is not forgotten")
	}
}

// The buckets of a million names take the memory of those that are remembered.
func TestAMillionCallersTakeNoMoreMemoryThanTenThousand(t *testing.T) {
	limiter := ratelimit.New(ratelimit.Config{PerCaller: 1})
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before, long := heap(), strings.Repeat("x", 50)
	for i := range 1_000_000 {
		name := fmt.Sprint(long, i)
		if !limiter.Caller(name).Allowed {
			t.Fatal("a new name is refused")
		}
	}
	if grown := heap() - before; grown > 12<<20 {
		t.Errorf("they take %d MB", grown>>20)
	}
	if limiter.Caller(long + "999999").Allowed {
		t.Error("the name seen last is forgotten")
	}
}

func TestATenantsLimitHoldsForAllItsCallers(t *testing.T) {
	limiter := ratelimit.New(ratelimit.Config{PerTenant: 3})
	for range 3 {
		if !limiter.Tenant("a").Allowed {
			t.Fatal("refused within the limit")
		}
	}
	if d := limiter.Tenant("a"); d.Allowed || d.Limit != 3 || d.RetryAfter <= 0 {
		t.Errorf("%+v", d)
	}
	if !limiter.Tenant("b").Allowed || !limiter.Caller("a").Allowed || !limiter.Global().Allowed {
		t.Error("one tenant's limit holds for others")
	}
}
