package messages

import (
	"cmp"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// Request asks for an answer, whatever API it came by.
type Request struct {
	ID           string // for the log; set by Take
	Tenant       string // whose memory this is; set by Take to that of the key, unless it is set
	Agent        string // whose conversation this is, or ""
	Model        string // as the client names it
	Conversation prompt.Conversation
	Text         *string // that the answer goes on with, as it is, instead of a conversation
	MaxTokens    int
	Sampling     engine.Sampling
	Stop         []string // strings that end the answer and are not part of it
	Form         *Form    // that the answer is held to; nil: none
	Choice       Choice   // among the tools
	CallPrefix   string   // of the ids of its answer's calls
	SingleCall   bool     // the answer is to have one call at most; what the model writes behind it is left out
	PromptOnly   bool     // nothing is to be answered: Take keeps the conversation
	Thinks       bool     // what the model thinks is wanted; else it is left out of the answer
	MostThoughts int      // tokens that it may think for; 0: as many as it wants

	Prompt prompt.Rendered  // set by Take, which drops the conversation for it
	Retain time.Duration    // how long it wants its memory kept; set by Take
	spec   engine.Spec      // of the model for which the prompt was rendered
	form   *grammar.Grammar // of the answer; nil: any
	tools  []string         // that its answer may call
	begun  string           // the text that its answer goes on with

	parent   string    // the agent for which its agent works, or ""
	followed *followed // how the conversation compares with what it was; nil: it can't be told
}

// agentHeaders name the agent that a request is of; the first that is present counts.
var agentHeaders = []string{"X-Agent-Id", "X-Session-Id"}

// The headers by which Claude Code tells its session, and which of the session's sub-agents asks.
const (
	claudeSession = "X-Claude-Code-Session-Id"
	claudeAgent   = "X-Claude-Code-Agent-Id"
	claudeParent  = "X-Claude-Code-Parent-Agent-Id"
)

// parentOf returns the agent for which a request's agent works, or "".
func parentOf(r *http.Request) string {
	session, agent, parent := r.Header.Get(claudeSession), r.Header.Get(claudeAgent), r.Header.Get(claudeParent)
	switch {
	case session == "" || agent == "" || AgentOf(r) != session+"/"+agent:
		return ""
	case parent == "" || parent == session:
		return session
	}
	return session + "/" + parent
}

// AgentOf returns the agent that a request's headers name, or "".
func AgentOf(r *http.Request) string {
	for _, name := range agentHeaders {
		if agent := r.Header.Get(name); agent != "" {
			return agent
		}
	}
	session, agent := r.Header.Get(claudeSession), r.Header.Get(claudeAgent)
	if session != "" && agent != "" {
		return session + "/" + agent
	}
	return cmp.Or(session, agent)
}

// CallerOf is AgentOf for what counts the agents' requests: it refuses what can't name an agent.
func CallerOf(r *http.Request) (string, error) {
	agent := AgentOf(r)
	if agent == "" {
		return "", nil
	}
	return agent, CheckAgent(agent)
}

// CheckAgent refuses ids that can't name an agent.
func CheckAgent(id string) error { return httpapi.CheckID("the agent's id", id) }

// begunText is the text of an assistant's turn that is to be gone on with, or "".
func begunText(c prompt.Conversation) (text string) {
	if !c.Continue || len(c.Turns) == 0 {
		return ""
	}
	for _, part := range c.Turns[len(c.Turns)-1].Parts {
		if part.Kind == prompt.Text {
			text += part.Text
		}
	}
	return text
}

// retention is the longest time for which a breakpoint wants the conversation's memory kept.
func retention(c prompt.Conversation) (longest time.Duration) {
	for _, tool := range c.Tools {
		longest = max(longest, tool.Retain)
	}
	for _, turn := range c.Turns {
		for _, part := range turn.Parts {
			longest = max(longest, part.Retain)
		}
	}
	return longest
}
