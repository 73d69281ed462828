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

// rate is a moving average of seconds for each unit. An old one is forgotten, so that one stall never decides for good.
type rate struct {
	mu      sync.Mutex
	seconds float64
	at      time.Time
}

func (r *rate) measure(units int64, took time.Duration) {
	if units <= 0 {
		return
	}
	now, seconds := time.Now(), took.Seconds()/float64(units)
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
func (r *rate) estimate(units int64) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || time.Since(r.at) > expires {
		return 0, false
	}
	return time.Duration(r.seconds * float64(units) * float64(time.Second)), true
}
