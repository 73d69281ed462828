package ratelimit_test

import (
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
