package main

import (
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/modules/ledger"
	"github.com/prometheus/client_golang/prometheus"
)

// accountTelemetry charges what the node does to those who asked for it, and counts for all what no other metric does: the
// ledger's sums are the counters'.
type accountTelemetry struct {
	ledger      *ledger.Ledger
	read        *prometheus.CounterVec
	avoided     prometheus.Counter
	requests    *prometheus.CounterVec
	objectBytes *prometheus.CounterVec
}

func newAccountTelemetry(registry prometheus.Registerer, l *ledger.Ledger) *accountTelemetry {
	t := &accountTelemetry{
		ledger: l,
		read: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_read_tokens_total", Help: "Tokens of prompts that were read, by the tier that their KV came from; pool for what was there.",
		}, []string{"tier"}),
		avoided: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "semantic_compute_avoided_seconds_total", Help: "Time that computing the tokens would have taken that were read, at the rate of prefill measured of late.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_object_requests_total", Help: "Requests to the bucket, well or not.",
		}, []string{"operation"}),
		objectBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_object_bytes_total", Help: "Bytes of objects that were read from the bucket and written to it.",
		}, []string{"direction"}),
	}
	for _, tier := range []string{"pool", "disk", "object"} {
		t.read.WithLabelValues(tier)
	}
	for _, operation := range []string{"get", "put", "list", "delete", "head"} {
		t.requests.WithLabelValues(operation)
	}
	for _, direction := range []string{"read", "written"} {
		t.objectBytes.WithLabelValues(direction)
	}
	registry.MustRegister(t.read, t.avoided, t.requests, t.objectBytes, byteHours{l})
	return t
}

// payer is who pays for a request.
func (t *accountTelemetry) payer(who engine.Asks) kv.Payer {
	return t.ledger.Payer(who.Tenant, who.Agent, who.Model, who.Space)
}

// computed charges the prompts' tokens of a step.
func (t *accountTelemetry) computed(s engine.Step) {
	for _, c := range s.Charges {
		t.ledger.Compute(c.Payer, c.Tokens)
	}
}

// finished charges a request that ended.
func (t *accountTelemetry) finished(f engine.Finished) {
	t.ledger.Finish(f.Payer, ledger.Finished{Generated: f.Usage.Generated, Read: f.Read.Tokens, Avoided: f.Read.Avoided})
	t.avoided.Add(f.Read.Avoided.Seconds())
	for tier, tokens := range f.Read.Tokens {
		t.read.WithLabelValues(tier).Add(float64(tokens))
	}
}

// asked charges a request to the bucket.
func (t *accountTelemetry) asked(r object.Request) {
	t.ledger.Call(r.Payer, r.Read, r.Written)
	t.requests.WithLabelValues(r.Operation).Inc()
	t.objectBytes.WithLabelValues("read").Add(float64(r.Read))
	t.objectBytes.WithLabelValues("written").Add(float64(r.Written))
}

// byteHours tells what the tiers held, when it is asked.
type byteHours struct{ ledger *ledger.Ledger }

var tierByteHours = prometheus.NewDesc("semantic_tier_byte_hours_total", "Bytes of blocks in the tier times hours, as the ledger charges them.", []string{"tier"}, nil)

// Describe implements prometheus.Collector.
func (b byteHours) Describe(to chan<- *prometheus.Desc) { to <- tierByteHours }

// Collect implements prometheus.Collector.
func (b byteHours) Collect(to chan<- prometheus.Metric) {
	for tier, hours := range b.ledger.ByteHours() {
		to <- prometheus.MustNewConstMetric(tierByteHours, prometheus.CounterValue, hours, tier)
	}
}
