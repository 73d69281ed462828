package engine

import (
	"sync/atomic"
	"time"
)

// firstPatience is how long a sequence waits for a block that is on its way, before anything was computed.
const firstPatience = time.Second

// restorePolicy decides whether a block is fetched or computed, by what both took of late. It may be used from anywhere.
type restorePolicy struct {
	margin  time.Duration // that fetching may take longer than computing: what is fetched is equal to the bit
	minimum time.Duration // that a sequence waits at least for a block on its way

	tokenNanos atomic.Int64 // that a prompt token takes to compute, of late; 0 before any was
}

// measure notes what computing prompt tokens took.
func (p *restorePolicy) measure(tokens int, took time.Duration) {
	now, before := took.Nanoseconds()/int64(max(1, tokens)), p.tokenNanos.Load()
	if before > 0 {
		now = before + (now-before)/4
	}
	p.tokenNanos.Store(now)
}

// computing is how long computing so many prompt tokens takes, as measured of late; 0 if nothing was.
func (p *restorePolicy) computing(tokens int) time.Duration {
	return time.Duration(p.tokenNanos.Load() * int64(tokens))
}

// isWorthwhile tells whether fetching a block, which takes as long as given if that is known, is quicker than computing its
// tokens, or hardly slower.
func (p *restorePolicy) isWorthwhile(tokens int, fetching time.Duration, known bool) bool {
	compute := p.computing(tokens)
	return !known || compute == 0 || fetching < compute+p.margin
}

// patience is how long a sequence waits for its next block: twice as long as computing it would take.
func (p *restorePolicy) patience() time.Duration {
	compute := p.computing(BlockTokens)
	if compute == 0 {
		return max(firstPatience, p.minimum)
	}
	return max(2*compute, p.minimum)
}
