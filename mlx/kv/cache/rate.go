package cache

import (
	"sync"
	"time"
)

// How measured rates age.
const (
	weight  = 0.25             // of a new measurement in the average
	expires = 30 * time.Second // a rate that nobody measured for so long says nothing any more
)

// rate is a moving average of seconds for each unit. An old one is forgotten, so that one stall never decides
// for good.
type rate struct {
	mu      sync.Mutex
	seconds float64
	at      time.Time
}

func (r *rate) measure(units int64, took time.Duration, now time.Time) {
	if units <= 0 {
		return
	}
	seconds := took.Seconds() / float64(units)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || now.Sub(r.at) > expires {
		r.seconds = seconds
	} else {
		r.seconds += weight * (seconds - r.seconds)
	}
	r.at = now
}

// estimate is the time for so many units, and false if nothing is known of late.
func (r *rate) estimate(units int64, now time.Time) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || now.Sub(r.at) > expires {
		return 0, false
	}
	return time.Duration(r.seconds * float64(units) * float64(time.Second)), true
}

// Estimate is how long so many bytes of a block that was found would take to fetch, by what was measured of late, and
// false if nothing is known. A block that only stuck tiers have counts as stuckAfter.
func (fe *fetcher) Estimate(f Found, bytes int64) (time.Duration, bool) {
	if f.InPool {
		return 0, true
	}
	if len(f.Tiers) == 0 {
		return 0, false
	}
	for _, i := range f.Tiers {
		if fe.flights.isStuck(i) {
			continue
		}
		took, known := fe.rates[i].estimate(bytes, fe.cfg.Clock())
		return took / time.Duration(fe.cfg.Readers), known
	}
	return stuckAfter, true
}
