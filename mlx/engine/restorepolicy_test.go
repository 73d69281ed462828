package engine

import (
	"testing"
	"time"
)

func TestFetchingIsWeighedAgainstComputing(t *testing.T) {
	p := restorePolicy{margin: 20 * time.Millisecond, minimum: 250 * time.Millisecond}
	if !p.isWorthwhile(256, time.Hour, true) || p.patience() != firstPatience {
		t.Error("before anything was computed a block is not fetched, or not waited for a second")
	}
	p.measure(256, 256*time.Millisecond)
	for fetching, want := range map[time.Duration]bool{
		100 * time.Millisecond: true, 256 * time.Millisecond: true, 275 * time.Millisecond: true, 277 * time.Millisecond: false,
	} {
		if p.isWorthwhile(256, fetching, true) != want {
			t.Errorf("%v against 256 ms: not %v", fetching, want)
		}
	}
	if !p.isWorthwhile(256, time.Hour, false) {
		t.Error("a tier that was never measured is not tried")
	}
	if p.isWorthwhile(16, 100*time.Millisecond, true) {
		t.Error("a short tail is fetched though computing it takes 16 ms")
	}
	if p.patience() != 512*time.Millisecond {
		t.Errorf("patience of %v", p.patience())
	}
	p.measure(256, 0)
	if got := p.computing(256); got != 192*time.Millisecond {
		t.Errorf("after a quicker chunk: %v", got)
	}
	p.tokenNanos.Store(1)
	if p.patience() != p.minimum {
		t.Errorf("patience of %v where computing takes no time", p.patience())
	}
}
