package database

import "time"

// At is the time of a number of nanoseconds in a database, where 0 is the zero time.
func At(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// Nanos is the number that At turns back.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
