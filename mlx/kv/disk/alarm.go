package disk

import (
	"sync/atomic"
)

// alarm wakes Run when something has to be looked at soon.
type alarm struct {
	wake    chan struct{} // holds one token: several calls before Run hears of the first are one
	missing atomic.Bool   // something was found missing since the last reconciliation
}

func newAlarm() *alarm { return &alarm{wake: make(chan struct{}, 1)} }

// raise wakes Run.
func (a *alarm) raise() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// reportMissing makes Run compare what the tier knows with what is in the folder.
func (a *alarm) reportMissing() {
	a.missing.Store(true)
	a.raise()
}

// takeMissing tells whether something was found missing since the last call.
func (a *alarm) takeMissing() bool { return a.missing.Swap(false) }
