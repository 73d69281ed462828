package health

import (
	"testing"
	"time"
)

func TestPressureWaitsAndLingers(t *testing.T) {
	var p pressure
	begin := time.Unix(0, 0)
	for _, step := range []struct {
		second int
		used   float64
		high   bool
	}{
		{0, 0.95, false}, {29, 0.95, false}, {30, 0.95, true}, {31, 0.89, true}, {40, 0.86, true}, {41, 0.84, false},
		{50, 0.95, false}, {60, 0.90, false}, {81, 0.95, false}, {110, 0.95, false}, {111, 0.95, true},
	} {
		p.note(step.used, begin.Add(time.Duration(step.second)*time.Second))
		if p.isHigh != step.high {
			t.Errorf("after %d s at %.2f: high is %v", step.second, step.used, p.isHigh)
		}
	}
}
