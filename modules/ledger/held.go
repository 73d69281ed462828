package ledger

import (
	"math/bits"
	"time"
)

// byteTime is bytes times nanoseconds, of which 64 bits hold a gigabyte for nine seconds only. Sums are exact.
type byteTime struct{ high, low uint64 }

func (b byteTime) plus(c byteTime) byteTime {
	low, carry := bits.Add64(b.low, c.low, 0)
	high, _ := bits.Add64(b.high, c.high, carry)
	return byteTime{high, low}
}

// hours is the nearest number of byte-hours.
func (b byteTime) hours() float64 {
	return (float64(b.high)*(1<<64) + float64(b.low)) / float64(time.Hour)
}

// held is what somebody has in a tier: its bytes now, and for how long it had how many until they changed last. Times are
// counted from the ledger's beginning.
type held struct {
	bytes  int64
	since  time.Duration
	before byteTime
}

// until is what was held until now.
func (h held) until(now time.Duration) byteTime {
	high, low := bits.Mul64(uint64(max(0, h.bytes)), uint64(max(0, now-h.since)))
	return h.before.plus(byteTime{high, low})
}

// change notes that so many bytes came, or went if they are negative.
func (h *held) change(bytes int64, now time.Duration) {
	h.before, h.since = h.until(now), max(h.since, now)
	h.bytes += bytes
}

// take adds what another one held and holds.
func (h *held) take(other held, now time.Duration) {
	h.change(other.bytes, now)
	h.before = h.before.plus(other.until(now))
}
