package ledger

import (
	"cmp"
	"slices"
	"time"
)

// LedgerRow is what one agent, tenant or model was charged since the node started. What belongs to several (kind others) or to none
// (kind none) has rows of its own, so that the sums of all rows are the node's counters.
type LedgerRow struct { //nolint:revive // it is the name of the API's schema, too
	Kind   Kind   `json:"kind" enum:"agent,others,none,tenant,model" doc:"others: agents that were not seen for so long that they have no row of their own any more; none: what no agent, or nobody in particular, asked for"`
	Tenant string `json:"tenant" doc:"Empty if it is no tenant's, or if the tenant has not asked since the start"`
	Agent  string `json:"agent"`
	Model  string `json:"model" doc:"Empty if it is no model's, or if the model was not loaded since the start"`
	Figures
}

// Figures are what is counted.
type Figures struct {
	Requests  int64 `json:"requests" doc:"That ended, well or not"`
	Computed  int64 `json:"tokens_computed" doc:"Of prompts, and of answers that were computed again"`
	Generated int64 `json:"tokens_generated"`

	ReadPool   int64 `json:"tokens_read_pool" doc:"Of prompts, whose KV was in the pool"`
	ReadDisk   int64 `json:"tokens_read_disk" doc:"Whose KV was brought up from the disk for the request"`
	ReadObject int64 `json:"tokens_read_object" doc:"Whose KV was brought up from the bucket for the request"`

	Saved   float64 `json:"restore_ms_saved" doc:"Estimate: compute_ms_avoided minus read_ms; negative if reading took longer than computing would have"`
	Avoided float64 `json:"compute_ms_avoided" doc:"What computing the tokens that were read would have taken, at the rate of prefill that was measured of late when they were read"`
	Reading float64 `json:"read_ms" doc:"What bringing blocks up took, of all blocks together, also of those that were not used in the end"`

	HoursPool   float64 `json:"byte_hours_pool" doc:"Of blocks that can be found"`
	HoursDisk   float64 `json:"byte_hours_disk" doc:"Of the files of blocks that can be found"`
	HoursObject float64 `json:"byte_hours_object" doc:"Of objects that this node stored since it started, as long as they are there as far as it knows"`

	BytesPool   int64 `json:"bytes_pool" doc:"Charged now"`
	BytesDisk   int64 `json:"bytes_disk" doc:"Charged now"`
	BytesObject int64 `json:"bytes_object" doc:"Charged now"`

	Calls   int64 `json:"object_calls" doc:"Requests to the bucket, well or not"`
	Read    int64 `json:"object_bytes_read"`
	Written int64 `json:"object_bytes_written"`

	DiskWritten int64 `json:"disk_bytes_written" doc:"Of blocks that became durable on the disk"`
}

// figures are the amounts as they are told.
func (a *amounts) figures(now time.Duration) Figures {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	hours := func(tier int) float64 { return a.held[tier].until(now).hours() }
	return Figures{
		Requests: a.requests, Computed: a.computed, Generated: a.generated,
		ReadPool: a.read[poolTier], ReadDisk: a.read[diskTier], ReadObject: a.read[objectTier],
		Saved: ms(a.avoided - a.reading), Avoided: ms(a.avoided), Reading: ms(a.reading),
		HoursPool: hours(poolTier), HoursDisk: hours(diskTier), HoursObject: hours(objectTier),
		BytesPool: a.held[poolTier].bytes, BytesDisk: a.held[diskTier].bytes, BytesObject: a.held[objectTier].bytes,
		Calls: a.objectCalls, Read: a.objectRead, Written: a.objectWritten,
		DiskWritten: a.diskWritten,
	}
}

// view is how rows are put together.
type view string

const (
	byAgent  view = "agent"
	byTenant view = "tenant"
	byModel  view = "model"
)

// of is the name of the row that a row belongs to.
func (v view) of(n name) name {
	switch {
	case v == byTenant && n.tenant != "":
		return name{kind: KindTenant, tenant: n.tenant}
	case v == byModel && n.model != "":
		return name{kind: KindModel, model: n.model}
	case v == byAgent:
		return n
	}
	return name{kind: KindNone}
}

func compare(a, b name) int {
	return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.agent, b.agent), cmp.Compare(a.model, b.model), cmp.Compare(a.kind, b.kind))
}

// book is all rows of one moment, in their order.
type book struct {
	at    time.Duration
	rows  []LedgerRow
	total Figures
}

func (l *Ledger) book(v view) book {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	sums := map[name]*amounts{}
	l.each(func(n name, a *amounts) {
		n = v.of(n)
		if sums[n] == nil {
			sums[n] = &amounts{}
		}
		sums[n].take(a, now)
	})
	b := book{at: now, total: l.total.figures(now)}
	for n, a := range sums {
		if figures := a.figures(now); figures != (Figures{}) {
			b.rows = append(b.rows, LedgerRow{n.kind, n.tenant, n.agent, n.model, figures})
		}
	}
	slices.SortFunc(b.rows, func(a, b LedgerRow) int { return compare(a.name(), b.name()) })
	return b
}

func (r LedgerRow) name() name { return name{r.Kind, r.Tenant, r.Agent, r.Model} }

// each visits all rows. Two may have the same name. The caller holds mu.
func (l *Ledger) each(visit func(name, *amounts)) {
	for _, rows := range []interface {
		Update(change func(name, *row) (*row, bool))
	}{l.agents, l.tenants} {
		rows.Update(func(n name, r *row) (*row, bool) {
			visit(n, r.amounts)
			return r, true
		})
	}
	for s, r := range l.spaces {
		tenant, _ := l.named.tenants.Get(s.Salt)
		model, _ := l.named.models.Get(s.Fingerprint)
		visit(name{kind: KindNone, tenant: tenant, model: model}, r.amounts)
	}
	visit(l.others.name, l.others.amounts)
	visit(l.nobody.name, l.nobody.amounts)
}
