package chat

// Conversations: from messages and tools to the variables of a template. What clients wrote passes through
// the guard, so that it cannot pass for the template's own structure.

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Message is one turn of a conversation.
type Message struct {
	Role       string // system, developer, user, assistant or tool
	Content    string
	Thinking   string     // reasoning of an assistant's turn, "" for none
	ToolCalls  []ToolCall // of an assistant's turn
	ToolCallID string     // of a tool's turn: the call that it answers
	Name       string     // of a tool's turn: the tool, if known
	Sampled    bool       // Content is what the model wrote: the prompt's Marks stand in it as the template's own
}

// ToolCall is a model's call of a tool.
type ToolCall struct {
	ID, Name  string
	Arguments json.RawMessage // an object
}

// Tool is a function that the model may call.
type Tool struct {
	Name, Description string
	Parameters        json.RawMessage // a JSON schema
}

// Prompt is a conversation to be rendered.
type Prompt struct {
	Messages            []Message
	Tools               []Tool
	Turns               Turns // of the template, as Probe found them
	AddGenerationPrompt bool
	BOS, EOS            string
	Extra               map[string]any // further variables, such as enable_thinking
	Guard               func(string) string
	Marks               []string // by which the model writes calls of tools
	Now                 time.Time
	Alive               func() bool // whether somebody still waits for the text; nil: yes
}

// Prompt renders a conversation. Tools that the template does not know are described in the system turn;
// turns are arranged as p.Turns demands. It returns ErrLeft when nobody waits any more.
func (t *Template) Prompt(p Prompt) (string, error) {
	if !t.UsesTools() {
		p = p.withPlainTools()
	}
	vars, err := p.forTemplate().Vars()
	if err != nil {
		return "", fmt.Errorf("prepare the conversation: %w", err)
	}
	return t.render(vars, p.Now, p.Alive)
}

// Vars are the variables that a template finds: messages, tools (none without any), add_generation_prompt,
// bos_token, eos_token and the extra ones.
func (p Prompt) Vars() (*Dict, error) {
	messages := &List{}
	for i, m := range p.Messages {
		d, err := p.message(m)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		messages.Items = append(messages.Items, d)
	}
	var tools any
	if len(p.Tools) > 0 {
		list, err := p.tools()
		if err != nil {
			return nil, err
		}
		tools = list
	}
	vars := NewDict("messages", messages, "tools", tools, "documents", nil,
		"add_generation_prompt", p.AddGenerationPrompt, "bos_token", p.BOS, "eos_token", p.EOS)
	for name, v := range p.Extra {
		vars.Set(name, v)
	}
	return vars, nil
}

func (p Prompt) guard(text string) string {
	if p.Guard == nil {
		return text
	}
	return p.Guard(text)
}

// guardAround guards a text but for the marks in it.
func (p Prompt) guardAround(text string) string {
	var b strings.Builder
	for {
		at, mark := firstOf(text, p.Marks)
		b.WriteString(p.guard(text[:at]))
		if mark == "" {
			return b.String()
		}
		b.WriteString(mark)
		text = text[at+len(mark):]
	}
}

// firstOf is where the first of the marks stands in a text, and which; the text's length if there is none.
func firstOf(text string, marks []string) (at int, first string) {
	at = len(text)
	for _, mark := range marks {
		if i := strings.Index(text, mark); i >= 0 && i < at {
			at, first = i, mark
		}
	}
	return at, first
}

func (p Prompt) message(m Message) (*Dict, error) {
	if !slices.Contains([]string{"system", "developer", "user", "assistant", "tool"}, m.Role) {
		return nil, fmt.Errorf("role %q is not known", m.Role)
	}
	content := p.guard(m.Content)
	if m.Sampled {
		content = p.guardAround(m.Content)
	}
	d := NewDict("role", m.Role, "content", content)
	if m.Thinking != "" {
		d.Set("reasoning_content", p.guard(m.Thinking))
	}
	if m.ToolCallID != "" {
		d.Set("tool_call_id", p.guard(m.ToolCallID))
	}
	if m.Name != "" {
		d.Set("name", p.guard(m.Name))
	}
	if len(m.ToolCalls) == 0 {
		return d, nil
	}
	calls := &List{}
	for _, call := range m.ToolCalls {
		arguments, err := FromJSON(call.Arguments, p.guard)
		if err != nil {
			return nil, fmt.Errorf("arguments of the call of %q: %w", call.Name, err)
		}
		function := NewDict("name", p.guard(call.Name), "arguments", arguments)
		calls.Items = append(calls.Items, NewDict("id", p.guard(call.ID), "type", "function", "function", function))
	}
	d.Set("tool_calls", calls)
	return d, nil
}

func (p Prompt) tools() (*List, error) {
	list := &List{}
	for _, tool := range p.Tools {
		function := NewDict("name", p.guard(tool.Name), "description", p.guard(tool.Description))
		if len(tool.Parameters) > 0 {
			parameters, err := FromJSON(tool.Parameters, p.guard)
			if err != nil {
				return nil, fmt.Errorf("parameters of tool %q: %w", tool.Name, err)
			}
			function.Set("parameters", parameters)
		}
		list.Items = append(list.Items, NewDict("type", "function", "function", function))
	}
	return list, nil
}

// DescribeTools tells a model about tools in plain words.
func DescribeTools(tools []Tool) string {
	var b strings.Builder
	b.WriteString("You can use these tools. To use one, answer with a JSON object that has its \"name\" and its \"arguments\".")
	for _, tool := range tools {
		fmt.Fprintf(&b, "\n\n%s: %s", tool.Name, tool.Description)
		if len(tool.Parameters) > 0 {
			fmt.Fprintf(&b, "\nArguments: %s", tool.Parameters)
		}
	}
	return b.String()
}

// withPlainTools puts tools, calls and results into the words of the turns, for templates that know none of
// them.
func (p Prompt) withPlainTools() Prompt {
	messages := make([]Message, 0, len(p.Messages)+1)
	for _, m := range p.Messages {
		messages = append(messages, m.withPlainCalls())
	}
	if len(p.Tools) > 0 {
		messages = withSystem(messages, DescribeTools(p.Tools))
	}
	p.Messages, p.Tools = messages, nil
	return p
}

func (m Message) withPlainCalls() Message {
	lines := make([]string, 0, 1+len(m.ToolCalls))
	if m.Content != "" {
		lines = append(lines, m.Content)
	}
	for _, call := range m.ToolCalls {
		lines = append(lines, fmt.Sprintf(`{"name": %q, "arguments": %s}`, call.Name, call.Arguments))
	}
	m.Content, m.ToolCalls = strings.Join(lines, "\n"), nil
	if m.Role == "tool" {
		m.Role, m.Content = "user", "The tool answered:\n"+m.Content
	}
	return m
}

// withSystem adds text to the system turn, which it makes if there is none.
func withSystem(messages []Message, text string) []Message {
	if len(messages) > 0 && messages[0].Role == "system" {
		messages[0].Content = joinParagraphs(messages[0].Content, text)
		return messages
	}
	return append([]Message{{Role: "system", Content: text}}, messages...)
}
