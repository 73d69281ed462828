package health

import "time"

// When a full pool makes the server not ready, and when it is ready again.
const (
	highUtilization = 0.90
	lowUtilization  = 0.85
	highFor         = 30 * time.Second
)

// pressure tells a pool that stays full from one that is full for a moment.
type pressure struct {
	since  time.Time // since when utilisation is over the high mark; zero if it isn't
	isHigh bool
}

// note records the utilisation at a moment.
func (p *pressure) note(utilization float64, now time.Time) {
	if utilization <= highUtilization {
		p.since = time.Time{}
		p.isHigh = p.isHigh && utilization >= lowUtilization
		return
	}
	if p.since.IsZero() {
		p.since = now
	}
	p.isHigh = p.isHigh || now.Sub(p.since) >= highFor
}
