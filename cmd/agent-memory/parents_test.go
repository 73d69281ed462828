package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// An agent for which others work stays in the pool, however many they are; one that merely was there before them does not.
func TestAgentsThatOthersWorkForStayInThePool(t *testing.T) {
	r := talkative(t, func(c *config.Config) { c.Agent.MaxAgentsInMemory = 2 })
	r.say(t, "bystander", "", strings.Repeat("b", 300))
	r.sayAs(t, map[string]string{"X-Claude-Code-Session-Id": "session"}, "", strings.Repeat("s", 300))
	for i := range 4 {
		r.sayAs(t, map[string]string{"X-Claude-Code-Session-Id": "session", "X-Claude-Code-Agent-Id": fmt.Sprint("worker", i)}, "", strings.Repeat(fmt.Sprint(i), 300))
	}
	for _, gone := range []string{"bystander", "session%2Fworker0", "session%2Fworker1", "session%2Fworker2"} {
		eventually(t, gone+" to leave the pool", func() bool { return r.show(t, "/v1/agents/"+gone).Tiers[0].Blocks == 0 })
	}
	for _, stays := range []string{"session", "session%2Fworker3"} {
		if s := r.show(t, "/v1/agents/"+stays); s.Tiers[0].Tokens != s.Tokens {
			t.Errorf("%s has left it: %+v", stays, s)
		}
	}
	if s := r.show(t, "/v1/agents/session"); s.Retain != "" {
		t.Errorf("the keeping is told as somebody's wish: %+v", s)
	}
}
