package anthropic_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/anthropic"
	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// claudeSystem is a system prompt in the form of Claude Code's.
func claudeSystem(turn int) string {
	rules := strings.Repeat("This rule is to be kept. ", 60)
	return fmt.Sprintf(`[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.%d; cc_entrypoint=cli; cch=%05d;"},{"type":"text","text":"%s"}]`,
		turn, turn*7919, rules)
}

// What Claude Code begins its system prompt with changes with every turn: the rest is read from the cache all the same,
// and the tokens are those of a prompt without it.
func TestTheAttributionIsLeftOut(t *testing.T) {
	server := saying(t, plainTemplate, "One.", "Two.")
	first := parse(t, post(t, server, "/v1/messages", with("system", claudeSystem(1))))
	second := parse(t, post(t, server, "/v1/messages", with("system", claudeSystem(2))))
	if second.Usage.Read < first.Usage.Input-1 {
		t.Errorf("of %d tokens %d were read", first.Usage.Input, second.Usage.Read)
	}
	alone := parse(t, post(t, serve(t, setup{}), "/v1/messages", with("system", `[{"type":"text","text":"x-anthropic-billing-header: cc_version=2;"}]`)))
	if want := len("user:hi") + 1; alone.Usage.Input+alone.Usage.Read != want {
		t.Errorf("a system prompt of nothing else: usage %+v, want %d tokens", alone.Usage, want)
	}
}

// Where the line is no client's head of a prompt it is text: as a later block, before other lines, or as the user's.
func TestOnlyTheHeadIsAnAttribution(t *testing.T) {
	server := serve(t, setup{})
	const line = "x-anthropic-billing-header: a;"
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"a later block": {with("system", `[{"type":"text","text":"be"},{"type":"text","text":"`+line+`"}]`), len("system:be"+line+"user:hi") + 1},
		"several lines": {with("system", `[{"type":"text","text":"`+line+`\nbe"}]`), len("system:"+line+"_beuser:hi") + 1},
		"the user's":    {with("messages", `[{"role":"user","content":"`+line+`"}]`), len("user:"+line) + 1},
	} {
		if got := parse(t, post(t, server, "/v1/messages", c.body)); got.Usage.Input+got.Usage.Read != c.want {
			t.Errorf("%s: usage %+v, want %d tokens", name, got.Usage, c.want)
		}
	}
}

// An operator may keep it.
func TestTheAttributionIsKeptOnDemand(t *testing.T) {
	s := setup{Surfaces: []httpapi.Surface{anthropic.Surface()}}
	s.Register = func(p messagestest.Parts) {
		anthropic.Register(anthropic.Config{Router: p.Router, Service: p.Service, KeepAttribution: true, Log: p.Log})
	}
	server := messagestest.Serve(t, s)
	const line = "x-anthropic-billing-header: a;"
	got := parse(t, post(t, server, "/v1/messages", with("system", `[{"type":"text","text":"`+line+`"}]`)))
	if want := len("system:"+line+"user:hi") + 1; got.Usage.Input != want {
		t.Errorf("usage %+v, want %d tokens", got.Usage, want)
	}
}
