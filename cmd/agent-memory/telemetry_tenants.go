package main

import (
	"sync"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/usage"
	"github.com/prometheus/client_golang/prometheus"
)

// namedTenants is how many tenants the metrics tell by name: those that asked first. All others are one.
const namedTenants = 50

// otherTenants is the label of the others.
const otherTenants = "other"

// tenantTelemetry counts what tenants ask for.
type tenantTelemetry struct {
	usage    *usage.Counter
	requests *prometheus.CounterVec
	tokens   *prometheus.CounterVec

	mu    sync.Mutex
	named map[string]bool
}

func newTenantTelemetry(registry prometheus.Registerer, counter *usage.Counter) *tenantTelemetry {
	t := &tenantTelemetry{
		usage: counter, named: map[string]bool{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_tenant_requests_total", Help: "Requests of a tenant that ended in the engine; those of tenants beyond the first 50 are one.",
		}, []string{"tenant"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "semantic_tenant_tokens_total", Help: "Tokens of a tenant's prompts (prompt), of those that were read from a tier (cached), and generated.",
		}, []string{"tenant", "kind"}),
	}
	registry.MustRegister(t.requests, t.tokens)
	return t
}

// label is the tenant's name, as long as there are few.
func (t *tenantTelemetry) label(tenant string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.named[tenant] && len(t.named) >= namedTenants {
		return otherTenants
	}
	t.named[tenant] = true
	return tenant
}

func (t *tenantTelemetry) count(f engine.Finished) {
	t.usage.Note(usage.Request{
		Tenant: f.Tenant, Failed: f.Err != nil, Prompt: f.Usage.Prompt, Cached: f.Usage.Cached, Generated: f.Usage.Generated,
	})
	label := t.label(f.Tenant)
	t.requests.WithLabelValues(label).Inc()
	t.tokens.WithLabelValues(label, "prompt").Add(float64(f.Usage.Prompt))
	t.tokens.WithLabelValues(label, "cached").Add(float64(f.Usage.Cached))
	t.tokens.WithLabelValues(label, "generated").Add(float64(f.Usage.Generated))
}
