package divergence_test

import (
	"testing"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages/divergence"
)

func asked(text string) *divergence.Outline {
	turn := prompt.Turn{Role: prompt.User, Parts: []prompt.Part{{Kind: prompt.Text, Text: text}}}
	return divergence.Of(prompt.Conversation{Turns: []prompt.Turn{turn}}, ".input_schema")
}

// However many answers one request is given, the agent's other conversations are not forgotten for it.
func TestOneRequestIsRememberedOnce(t *testing.T) {
	m, owner := divergence.NewMemory(), divergence.Owner{Tenant: "t", Agent: "a"}
	first, second := asked("the first conversation"), asked("the second")
	m.Keep(owner, nil, first)
	for range 20 {
		m.Keep(owner, nil, second)
	}
	if got := m.Nearest(owner, asked("the first conversation")); got != first {
		t.Error("the first conversation is forgotten")
	}
	m.Forget(func(o divergence.Owner) bool { return o == owner })
	if m.Nearest(owner, first) != nil {
		t.Error("a deleted agent's conversations are remembered")
	}
}
