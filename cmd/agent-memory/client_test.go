package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// command runs a command line against the server and returns what it prints.
func (r *running) command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(context.Background(), append(args, "--url", r.url), &out, &out)
	return out.String(), err
}

func TestOperatorsUseTheCommandLine(t *testing.T) {
	t.Setenv("SEMANTIC_ADMIN_KEY", "operator")
	r := talkative(t, func(c *config.Config) { c.AdminKey, c.APIKeys = "operator", []string{"user"} })
	odd := "user/7 ü%"
	r.key = "user"
	r.say(t, odd, "", strings.Repeat("words ", 200))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"agents", "list"}, "user/7 ü%"},
		{[]string{"agents", "list", "--json", "--prefix", "user"}, `"tokens": 12`},
		{[]string{"pool", "flush"}, "blocks"},
		{[]string{"agents", "show", odd}, "DURABLE TOKENS"},
		{[]string{"agents", "evict", odd}, "5 blocks"},
		{[]string{"agents", "prefetch", odd, "--json"}, `"blocks": 5`},
		{[]string{"agents", "retain", odd, "--for", "1h"}, "retained until"},
		{[]string{"ledger"}, odd},
		{[]string{"ledger", "--by", "tenant", "--json"}, `"tenant": "default"`},
		{[]string{"ledger", "--by", "model", "--csv"}, "model,,,memory,1,"},
		{[]string{"pool"}, "healthy"},
		{[]string{"pool", "evict", "--mb", "1"}, "blocks"},
		{[]string{"pool", "trim", "--json"}, `"blocks"`},
		{[]string{"agents", "delete", odd}, "5 blocks"},
	} {
		if out, err := r.command(t, c.args...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %s%v, want %q", c.args, out, err, c.want)
		}
	}
	if _, err := r.command(t, "agents", "show", odd); err == nil || !strings.Contains(err.Error(), "there is no such agent") {
		t.Errorf("a deleted agent: %v", err)
	}
	gone := &running{url: "http://127.0.0.1:1"}
	if _, err := gone.command(t, "pool"); err == nil || !strings.Contains(err.Error(), "agent-memory serve") {
		t.Errorf("no server: %v", err)
	}
}
