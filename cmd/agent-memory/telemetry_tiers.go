package main

import (
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/prometheus/client_golang/prometheus"
)

// tierTelemetry counts what moves between the tiers.
type tierTelemetry struct {
	evicted, hits, misses, restores, stores, dropped, damaged, failed, bytes *prometheus.CounterVec
	calls                                                                    *prometheus.CounterVec
	latency                                                                  *prometheus.HistogramVec
	lastStores                                                               *prometheus.GaugeVec
}

func newTierTelemetry(registry prometheus.Registerer) *tierTelemetry {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	t := &tierTelemetry{
		evicted:  counter("semantic_eviction_total", "Blocks given up by a tier.", "tier", "reason"),
		hits:     counter("semantic_tier_hits_total", "Full blocks of prompts that a tier had.", "tier"),
		misses:   counter("semantic_tier_misses_total", "Full blocks of prompts that a tier had not.", "tier"),
		restores: counter("semantic_tier_restores_total", "Blocks that came from a tier into the pool.", "tier"),
		stores:   counter("semantic_tier_stores_total", "Blocks that became durable in a tier.", "tier"),
		dropped:  counter("semantic_store_dropped_total", "Blocks that were not stored when they could have been; they are tried again.", "reason"),
		damaged:  counter("semantic_tier_damaged_total", "Blocks that failed their verification.", "tier"),
		failed:   counter("semantic_tier_failures_total", "Operations that a tier failed.", "tier", "operation"),
		bytes:    counter("semantic_tier_bytes_total", "Bytes moved between the pool and a tier.", "tier", "direction"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "semantic_tier_block_seconds", Help: "Time of moving a block between the pool and a tier.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30},
		}, []string{"tier", "direction"}),
	}
	t.calls = counter("semantic_tier_calls_total", "Calls of a tier over the network that ended; fault is empty for success.", "tier", "operation", "fault")
	t.lastStores = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "semantic_tier_last_store_timestamp_seconds", Help: "When a block last became durable in the tier.",
	}, []string{"tier"})
	registry.MustRegister(t.latency, t.lastStores)
	for _, reason := range []string{"memory", "memory_lost"} {
		t.evicted.WithLabelValues("pool", reason)
	}
	return t
}

// begin makes the series of a tier that is there, at 0: a rate does not see the step from nothing to the first.
func (t *tierTelemetry) begin(tier string) {
	for _, counter := range []*prometheus.CounterVec{t.hits, t.misses, t.restores, t.stores, t.damaged} {
		counter.WithLabelValues(tier)
	}
	for _, direction := range []string{"up", "down"} {
		t.bytes.WithLabelValues(tier, direction)
		t.latency.WithLabelValues(tier, direction)
	}
}

// moves feeds the counters from the cache over the tiers.
func (t *telemetry) moves() cache.Listener {
	return cache.Listener{
		Looked: func(tier string, hits, misses int) {
			t.tiers.hits.WithLabelValues(tier).Add(float64(hits))
			t.tiers.misses.WithLabelValues(tier).Add(float64(misses))
		},
		Fetched: func(m cache.Transfer) {
			t.tiers.restores.WithLabelValues(m.Tier).Inc()
			t.tiers.countBytes(m.Tier, "up", m.Bytes, m.Took)
			t.accounts.ledger.Fetch(m.Payer, m.Space, m.Took)
		},
		Stored: func(m cache.Transfer) {
			t.tiers.stores.WithLabelValues(m.Tier).Inc()
			t.tiers.lastStores.WithLabelValues(m.Tier).SetToCurrentTime()
			t.tiers.countBytes(m.Tier, "down", m.Bytes, m.Took)
			t.accounts.ledger.Store(m.Payer, m.Space, m.Tier, m.Bytes)
		},
		Dropped:  func(reason string) { t.tiers.dropped.WithLabelValues(reason).Inc() },
		Damaged:  func(tier string, _ error) { t.tiers.damaged.WithLabelValues(tier).Inc() },
		Failed:   func(tier, doing string, _ error) { t.tiers.failed.WithLabelValues(tier, doing).Inc() },
		Reclaims: func(reason string, blocks int) { t.tiers.evicted.WithLabelValues("pool", reason).Add(float64(blocks)) },
	}
}

func (t *tierTelemetry) countBytes(tier, direction string, bytes int64, took time.Duration) {
	t.bytes.WithLabelValues(tier, direction).Add(float64(bytes))
	t.latency.WithLabelValues(tier, direction).Observe(took.Seconds())
}

// call counts a call of a tier over the network.
func (t *telemetry) call(c tier.Call) {
	t.tiers.calls.WithLabelValues(c.Tier, c.Doing, c.Fault).Inc()
}

// disk feeds the counters from the disk.
func (t *telemetry) disk() disk.Listener {
	return disk.Listener{Evicted: func(reason string, _ int64) { t.tiers.evicted.WithLabelValues("disk", reason).Inc() }}
}

// collected counts what a collection removed from the bucket.
func (t *telemetry) collected(c agents.Collection) {
	t.tiers.evicted.WithLabelValues("object", "unowned").Add(float64(c.Removed.Blocks))
}

// watchTiers registers gauges of the agents and the tiers.
func watchTiers(registry prometheus.Registerer, mem *memory, all *agents.Registry) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "semantic_agents_active", Help: "Agents that were used since they were last evicted from the pool.",
	}, func() float64 { return float64(all.Hot()) }), tierCollector{mem})
}

// tierCollector reads the tiers' states when it is asked.
type tierCollector struct{ memory *memory }

var (
	tierHealthy  = prometheus.NewDesc("semantic_tier_healthy", "1 if the tier takes blocks, 0 if it is degraded.", []string{"tier"}, nil)
	tierBytes    = prometheus.NewDesc("semantic_tier_bytes", "Physical bytes in use in the tier.", []string{"tier"}, nil)
	tierBudget   = prometheus.NewDesc("semantic_tier_budget_bytes", "Physical bytes that the tier may use.", []string{"tier"}, nil)
	tierBlocks   = prometheus.NewDesc("semantic_tier_blocks", "Blocks that can be found in the tier.", []string{"tier"}, nil)
	pendingBytes = prometheus.NewDesc("semantic_store_pending_bytes", "Bytes of blocks that wait to be stored and that nobody uses.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c tierCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{tierHealthy, tierBytes, tierBudget, tierBlocks, pendingBytes} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c tierCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(pendingBytes, float64(c.memory.Pool().Unsaved))
	for _, status := range c.memory.Tiers() {
		healthy := 0.0
		if status.Healthy {
			healthy = 1
		}
		gauge(tierHealthy, healthy, status.Name)
		gauge(tierBytes, float64(status.Bytes), status.Name)
		gauge(tierBudget, float64(status.Budget), status.Name)
		gauge(tierBlocks, float64(status.Blocks), status.Name)
	}
}
