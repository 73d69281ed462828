package openai

import (
	"encoding/json"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// responseTool is a tool as it is sent.
type responseTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      *bool           `json:"strict"`
}

// The kinds of tools that clients run.
const (
	functionTool = "function"
	customTool   = "custom" // it takes a text
)

// customSchema is that of a custom tool's call as the model writes it.
const customSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

// customArguments are the arguments of a custom tool's call, as the model writes them.
func customArguments(input string) string {
	encoded, _ := json.Marshal(struct { // a text always has a form
		Input string `json:"input"`
	}{input})
	return string(encoded)
}

// customInput is the text that a custom tool is called with.
func customInput(arguments string) string {
	var a struct {
		Input string `json:"input"`
	}
	if json.Unmarshal([]byte(arguments), &a) != nil || a.Input == "" {
		return arguments
	}
	return a.Input
}

// offered checks the tools. Those that the server would run (a search, a sandbox) are left out: clients name them by default,
// and there are none here.
func (b *responseBody) offered() (tools []prompt.Tool, err error) {
	if string(b.ToolChoice) == `"none"` {
		return nil, nil
	}
	names := map[string]bool{}
	for i, t := range b.Tools {
		place := messages.At("tools", i)
		if t.Type != functionTool && t.Type != customTool {
			continue
		}
		switch {
		case !messages.IsToolName(t.Name):
			return nil, invalid("%s.name: must be 1 to 128 letters, digits, underscores or hyphens", place)
		case names[t.Name]:
			return nil, invalid("%s.name: another tool has the same name", place)
		case t.Type == customTool:
			t.Parameters = json.RawMessage(customSchema)
		case messages.IsAbsent(t.Parameters):
			t.Parameters = json.RawMessage(`{"type":"object","properties":{}}`)
		case !messages.IsObject(t.Parameters):
			return nil, invalid("%s.parameters: must be a JSON schema object", place)
		}
		names[t.Name] = true
		tools = append(tools, prompt.Tool{Name: t.Name, Description: t.Description, InputSchema: t.Parameters, Place: place, Strict: t.Strict != nil && *t.Strict})
	}
	return tools, nil
}

// customNames are the tools that take a text.
func (b *responseBody) customNames() map[string]bool {
	names := map[string]bool{}
	for _, t := range b.Tools {
		if t.Type == customTool {
			names[t.Name] = true
		}
	}
	return names
}

// choice reads tool_choice.
func (b *responseBody) choice(tools []prompt.Tool) (messages.Choice, error) {
	choice := messages.Choice{Place: "tool_choice", Schema: ".parameters"}
	if messages.IsAbsent(b.ToolChoice) {
		return choice, nil
	}
	if !messages.IsObject(b.ToolChoice) {
		return choiceByMode(b.ToolChoice, choice, tools)
	}
	type named struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	var sent struct {
		Type  string  `json:"type"`
		Name  string  `json:"name"`
		Mode  string  `json:"mode"`
		Tools []named `json:"tools"`
	}
	if err := messages.Fill("tool_choice", b.ToolChoice, &sent); err != nil {
		return choice, err
	}
	switch {
	case sent.Type == functionTool || sent.Type == customTool:
		choice.Only = []string{sent.Name}
	case sent.Type != "allowed_tools":
		return choice, invalid("tool_choice.type: must be \"function\", \"custom\" or \"allowed_tools\"")
	case sent.Mode != "required":
		return choice, invalid("tool_choice.mode: must be \"required\"; with \"auto\" send the tools that are allowed only")
	default:
		choice.Only = []string{}
		for _, tool := range sent.Tools {
			choice.Only = append(choice.Only, tool.Name)
		}
	}
	choice.Required = true
	return choice, choice.Check(tools)
}
