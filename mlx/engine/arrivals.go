package engine

import "time"

// agentOf names an agent of a tenant.
type agentOf struct{ tenant, id string }

// arrivals are the requests of agents that are being looked up and are in no list yet. The admission's lock
// guards them.
type arrivals struct {
	number map[agentOf]int
	forgot map[agentOf]time.Time // while there are any: those submitted before are forgotten
}

func newArrivals() arrivals { return arrivals{map[agentOf]int{}, map[agentOf]time.Time{}} }

// end notes that a request was looked up. If its agent was forgotten meanwhile, so is the request.
func (a arrivals) end(seq *sequence) {
	at := agentOf{seq.name, seq.agent}
	if when, forgotten := a.forgot[at]; forgotten && !seq.submitted.After(when) {
		seq.forget()
	}
	if a.number[at]--; a.number[at] <= 0 {
		delete(a.number, at)
		delete(a.forgot, at)
	}
}

// arrive notes a request that is about to be looked up.
func (a *admission) arrive(seq *sequence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrivals.number[agentOf{seq.name, seq.agent}]++
}

// arriving is how many requests of an agent are being looked up.
func (a *admission) arriving(of agentOf) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.arrivals.number[of]
}

// forgetArrivingOf makes all of a tenant's requests that are being looked up nobody's.
func (a *admission) forgetArrivingOf(tenant string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for of, n := range a.arrivals.number {
		if of.tenant == tenant && n > 0 {
			a.arrivals.forgot[of] = a.cfg.Clock()
		}
	}
}

// forgetArriving makes those of an agent's requests that are being looked up nobody's, and returns how many
// there are.
func (a *admission) forgetArriving(of agentOf) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n = a.arrivals.number[of]; n > 0 {
		a.arrivals.forgot[of] = a.cfg.Clock()
	}
	return n
}
