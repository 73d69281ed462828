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
	over time.Time // since when utilisation is over the high mark; zero if it isn't
	high bool
}

// see takes note of the utilisation at a moment.
func (p *pressure) see(utilization float64, now time.Time) {
	if utilization <= highUtilization {
		p.over = time.Time{}
		p.high = p.high && utilization >= lowUtilization
		return
	}
	if p.over.IsZero() {
		p.over = now
	}
	p.high = p.high || now.Sub(p.over) >= highFor
}
