package main

import (
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/ledger"
	"github.com/agent-memory/agent-memory/modules/messages/divergence"
	"github.com/agent-memory/agent-memory/modules/usage"
	"github.com/prometheus/client_golang/prometheus"
)

// telemetry counts what the engine tells.
type telemetry struct {
	tokens      *prometheus.CounterVec
	answers     *prometheus.CounterVec
	preemptions prometheus.Counter
	audits      *prometheus.CounterVec
	divergences *prometheus.CounterVec
	queueWait   prometheus.Histogram
	ttft        prometheus.Histogram
	steps       prometheus.Histogram
	restores    prometheus.Histogram
	tiers       *tierTelemetry
	tenants     *tenantTelemetry
	accounts    *accountTelemetry
}

func newTelemetry(registry prometheus.Registerer) *telemetry {
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	t := &telemetry{
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_tokens_total", Help: "Tokens computed (prompt), read from a tier (cached) and generated.",
		}, []string{"kind"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_answers_total", Help: "Requests that ended in the engine, by reason.",
		}, []string{"reason"}),
		preemptions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "semantic_preemptions_total", Help: "Running sequences that gave their memory back and waited again.",
		}),
		audits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_audits_total", Help: "Requests that were computed again without any cache, by result: equal, differs, or dropped for want of time or memory.",
		}, []string{"result"}),
		divergences: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_cache_divergences_total", Help: "Requests of which a part is not what it was when their conversation was last asked about, by its kind.",
		}, []string{"kind"}),
		queueWait: histogram("semantic_queue_wait_seconds", "Time from a request to its slot.", seconds),
		ttft:      histogram("semantic_ttft_seconds", "Time from a request to its first token.", seconds),
		tiers:     newTierTelemetry(registry),
		steps:     histogram("semantic_step_duration_seconds", "Time of an engine step.", seconds),
		tenants:   newTenantTelemetry(registry, usage.New(time.Now)),
		accounts:  newAccountTelemetry(registry, ledger.New(time.Now)),
	}
	t.restores = histogram("semantic_restore_seconds", "Time from a sequence's first fetch to the last block that it waited for.", seconds)
	for _, result := range []engine.AuditResult{engine.AuditEqual, engine.AuditDiffers, engine.AuditDropped} {
		t.audits.WithLabelValues(string(result))
	}
	for _, kind := range divergence.Kinds() {
		t.divergences.WithLabelValues(string(kind))
	}
	for _, kind := range []string{"prompt", "cached", "generated"} {
		t.tokens.WithLabelValues(kind)
	}
	registry.MustRegister(t.divergences, t.audits, t.restores, t.tokens, t.answers, t.preemptions, t.queueWait, t.ttft, t.steps)
	return t
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}

// listener feeds the counters.
func (t *telemetry) listener() engine.Listener {
	return engine.Listener{
		Admitted:  func(waited time.Duration) { t.queueWait.Observe(waited.Seconds()) },
		FirstText: func(after time.Duration) { t.ttft.Observe(after.Seconds()) },
		Preempted: t.preemptions.Inc,
		Audited:   func(result engine.AuditResult) { t.audits.WithLabelValues(string(result)).Inc() },
		Restored:  func(after time.Duration) { t.restores.Observe(after.Seconds()) },
		Finished:  t.count,
		Stepped:   t.step,
	}
}

// diverged counts a conversation that was read before and differs now.
func (t *telemetry) diverged(kind divergence.Kind) { t.divergences.WithLabelValues(string(kind)).Inc() }

func (t *telemetry) step(s engine.Step) {
	t.steps.Observe(s.Took.Seconds())
	t.tokens.WithLabelValues("prompt").Add(float64(s.Prefill))
	t.accounts.computed(s)
}

func (t *telemetry) count(f engine.Finished) {
	t.tenants.count(f)
	t.accounts.finished(f)
	t.answers.WithLabelValues(reasonOf(f)).Inc()
	t.tokens.WithLabelValues("cached").Add(float64(f.Usage.Cached))
	t.tokens.WithLabelValues("generated").Add(float64(f.Usage.Generated))
}

func reasonOf(f engine.Finished) string {
	switch {
	case f.Err == nil:
		return reasonLabel(f.Reason)
	case errors.Is(f.Err, engine.ErrModel):
		return "failed"
	case errors.Is(f.Err, engine.ErrDraining):
		return "drained"
	}
	return "cancelled"
}

// reasonLabel is the label of a reason, which dashboards know.
func reasonLabel(why engine.StopReason) string {
	switch why {
	case engine.StopToken:
		return "end_turn"
	case engine.StopLimit:
		return "max_tokens"
	case engine.StopString:
		return "stop_sequence"
	case engine.StopNoRoom:
		return "model_context_window_exceeded"
	}
	return string(why)
}

// watch registers gauges that are read from the engine's status.
func watch(registry prometheus.Registerer, status func() engine.Status) {
	for name, gauge := range map[string]struct {
		help string
		read func(engine.Status) float64
	}{
		"semantic_pool_utilization_ratio": {"Share of the KV budget that sequences hold.", func(s engine.Status) float64 { return s.PoolUtilization }},
		"semantic_pool_bytes":             {"Bytes of KV that sequences hold.", func(s engine.Status) float64 { return float64(s.PoolBytes) }},
		"semantic_pool_resident_bytes":    {"Bytes of KV that sequences hold or that are kept to be found again.", func(s engine.Status) float64 { return float64(s.PoolResident) }},
		"semantic_queue_depth":            {"Requests that wait for a slot.", func(s engine.Status) float64 { return float64(s.Queued + s.Preempted) }},
		"semantic_slots_busy_ratio":       {"Share of the slots that are taken.", func(s engine.Status) float64 { return float64(s.Running) / float64(s.BatchSize) }},
	} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: gauge.help},
			func() float64 { return gauge.read(status()) }))
	}
}

// watchHealth registers what /health/ready tells, so that alerts need no probe of their own.
func watchHealth(registry prometheus.Registerer, isReady func() bool) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "semantic_ready", Help: "1 if requests should be sent here, 0 if /health/ready answers 503.",
	}, func() float64 {
		if isReady() {
			return 1
		}
		return 0
	}))
}
