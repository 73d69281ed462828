package openai

import (
	"encoding/json"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// toolBody is a tool as it is sent.
type toolBody struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Strict      *bool           `json:"strict"`
	} `json:"function"`
}

// tools checks the tools.
func (b *chatBody) tools() (tools []prompt.Tool, err error) {
	names := map[string]bool{}
	for i, t := range b.Tools {
		place := messages.At("tools", i)
		switch f := t.Function; {
		case t.Type != "function":
			return nil, invalid("%s.type: must be \"function\"", place)
		case !messages.IsToolName(f.Name):
			return nil, invalid("%s.function.name: must be 1 to 128 letters, digits, underscores or hyphens", place)
		case names[f.Name]:
			return nil, invalid("%s.function.name: another tool has the same name", place)
		case messages.IsAbsent(f.Parameters):
			f.Parameters = json.RawMessage(`{"type":"object","properties":{}}`)
			fallthrough
		default:
			if !messages.IsObject(f.Parameters) {
				return nil, invalid("%s.function.parameters: must be a JSON schema object", place)
			}
			names[f.Name] = true
			tools = append(tools, prompt.Tool{
				Name: f.Name, Description: f.Description, InputSchema: f.Parameters, Place: place, Strict: f.Strict != nil && *f.Strict,
			})
		}
	}
	if string(b.ToolChoice) == `"none"` {
		return nil, nil
	}
	return tools, nil
}

// namedTool is a tool that is chosen by its name.
type namedTool struct {
	Type     string   `json:"type"`
	Function toolName `json:"function"`
}

// chosenTools is tool_choice as an object: one tool, or some with a mode.
type chosenTools struct {
	Type         string   `json:"type"`
	Function     toolName `json:"function"`
	AllowedTools struct {
		Mode  string      `json:"mode"`
		Tools []namedTool `json:"tools"`
	} `json:"allowed_tools"`
}

type toolName struct {
	Name string `json:"name"`
}

// choice reads tool_choice.
func (b *chatBody) choice(tools []prompt.Tool) (messages.Choice, error) {
	choice := messages.Choice{Place: "tool_choice", Schema: ".function.parameters"}
	if messages.IsAbsent(b.ToolChoice) {
		return choice, nil
	}
	if messages.IsObject(b.ToolChoice) {
		if err := readChoice(b.ToolChoice, &choice); err != nil {
			return choice, err
		}
		return choice, choice.Check(tools)
	}
	return choiceByMode(b.ToolChoice, choice, tools)
}

// choiceByMode reads a choice that names no tool.
func choiceByMode(raw json.RawMessage, choice messages.Choice, tools []prompt.Tool) (messages.Choice, error) {
	var mode string
	if err := messages.Fill("tool_choice", raw, &mode); err != nil {
		return choice, err
	}
	switch mode {
	case "auto", "none":
		return choice, nil
	case "required":
		choice.Required = true
		return choice, choice.Check(tools)
	}
	return choice, invalid("tool_choice: must be \"auto\", \"none\", \"required\" or a function's name in an object")
}

// readChoice reads a choice by names.
func readChoice(raw json.RawMessage, choice *messages.Choice) error {
	var sent chosenTools
	if err := messages.Fill("tool_choice", raw, &sent); err != nil {
		return err
	}
	switch {
	case sent.Type == "function":
		choice.Required, choice.Only = true, []string{sent.Function.Name}
		return nil
	case sent.Type != "allowed_tools":
		return invalid("tool_choice.type: must be \"function\" or \"allowed_tools\"")
	case sent.AllowedTools.Mode != "required":
		return invalid("tool_choice.allowed_tools.mode: must be \"required\"; with \"auto\" send the tools that are allowed only")
	}
	choice.Required, choice.Only = true, []string{}
	for _, tool := range sent.AllowedTools.Tools {
		choice.Only = append(choice.Only, tool.Function.Name)
	}
	return nil
}
