package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/usage"
)

func (r *running) usage(t *testing.T, query string) (page usage.TenantUsagePage) {
	t.Helper()
	status, text := r.call(t, http.MethodGet, "/admin/usage"+query, "operator", "")
	if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	return page
}

// What tenants ask for is told for each of them by the API, and by the metrics for so many as labels may
// have.
func TestUsageIsToldByTenant(t *testing.T) {
	r := talkative(t, operated)
	prompt := strings.Repeat("words ", 100)
	one, two := r.makeKey(t, `{"tenant":"one"}`).Secret, r.makeKey(t, `{"tenant":"two ü"}`).Secret
	read := 0
	for range 2 {
		read += r.cached(t, one, "a", prompt)
	}
	r.cached(t, two, "a", prompt)
	page := r.usage(t, "")
	if len(page.Tenants) != 2 || page.Since.IsZero() || page.Next != "" {
		t.Fatalf("%+v", page)
	}
	length := int64(len(prompt) + 1)
	for i, want := range []usage.TenantUsage{
		{Tenant: "one", Requests: 2, Prompt: 2 * length, Cached: int64(read), Generated: 8}, {Tenant: "two ü", Requests: 1, Prompt: length, Generated: 4},
	} {
		got := page.Tenants[i]
		if want.Last = got.Last; got != want || got.Last.Before(page.Since) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	exposition := body(t, r.get(t, "/metrics"))
	for _, line := range []string{
		`semantic_tenant_requests_total{tenant="one"} 2`, fmt.Sprintf(`semantic_tenant_tokens_total{kind="cached",tenant="one"} %d`, read),
		`semantic_tenant_tokens_total{kind="generated",tenant="two ü"} 4`,
	} {
		if !strings.Contains(exposition, line) {
			t.Errorf("%s is missing", line)
		}
	}
}

func TestManyTenantsAreFewLabels(t *testing.T) {
	r := talkative(t, operated)
	const tenants = namedTenants + 10
	for i := range tenants {
		r.wantAnswer(t, r.makeKey(t, fmt.Sprintf(`{"tenant":"t%02d"}`, i)).Secret, http.StatusOK)
	}
	r.wantAnswer(t, r.makeKey(t, `{"tenant":"t00"}`).Secret, http.StatusOK)
	exposition := body(t, r.get(t, "/metrics"))
	if n := strings.Count(exposition, "\nsemantic_tenant_requests_total{"); n != namedTenants+1 {
		t.Errorf("%d labels", n)
	}
	for _, line := range []string{`semantic_tenant_requests_total{tenant="other"} 10`, `semantic_tenant_requests_total{tenant="t00"} 2`} {
		if !strings.Contains(exposition, line) {
			t.Errorf("%s is missing", line)
		}
	}
	var names []string
	for page := r.usage(t, "?limit=7"); ; page = r.usage(t, "?limit=7&cursor="+page.Next) {
		for _, u := range page.Tenants {
			names = append(names, u.Tenant)
		}
		if page.Next == "" {
			break
		}
	}
	if len(names) != tenants || names[0] != "t00" || names[tenants-1] != fmt.Sprintf("t%02d", tenants-1) {
		t.Errorf("%d names: %v", len(names), names)
	}
	if status, text := r.call(t, http.MethodGet, "/admin/usage?cursor=!", "operator", ""); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, text)
	}
}
