package anthropic

import (
	"encoding/json"
	"time"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/exact"
)

// tool is a tool as it is sent.
type tool struct {
	Type         *string         `json:"type"`
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"input_schema"`
	Strict       *bool           `json:"strict"`
	CacheControl *cacheControl   `json:"cache_control"`
}

type toolChoice struct {
	Type            string `json:"type"`
	Name            string `json:"name"`
	DisableParallel *bool  `json:"disable_parallel_tool_use"`
}

// single tells whether an answer is to have one call at most.
func (c *toolChoice) single() bool { return c != nil && c.DisableParallel != nil && *c.DisableParallel }

// cacheControl marks the end of a part of the prompt that is worth keeping.
type cacheControl struct {
	Type string  `json:"type"`
	TTL  *string `json:"ttl"`
}

// maxBreakpoints is the most cache_control marks in a request.
const maxBreakpoints = 4

// checkAt refuses a mark that is not known.
func (c *cacheControl) checkAt(place string) error {
	if c == nil {
		return nil
	}
	if c.Type != "ephemeral" {
		return invalid("%s.cache_control.type: must be \"ephemeral\"", place)
	}
	if c.TTL != nil && *c.TTL != "5m" && *c.TTL != "1h" {
		return invalid("%s.cache_control.ttl: must be \"5m\" or \"1h\"", place)
	}
	return nil
}

// retention is how long the mark wants what lies before it to be kept: softly, after what nobody marked.
func (c *cacheControl) retention() time.Duration {
	switch {
	case c == nil:
		return 0
	case c.TTL != nil && *c.TTL == "1h":
		return time.Hour
	}
	return 5 * time.Minute
}

// tools checks the tools and the choice among them.
func (b *body) tools() ([]prompt.Tool, error) {
	var tools []prompt.Tool
	names := map[string]bool{}
	for i, t := range b.Tools {
		place := messages.At("tools", i)
		if err := t.check(place); err != nil {
			return nil, err
		}
		if names[t.Name] {
			return nil, invalid("%s.name: another tool has the same name", place)
		}
		names[t.Name] = true
		tools = append(tools, prompt.Tool{
			Name: t.Name, Description: t.Description, InputSchema: t.InputSchema, Place: place,
			Strict: t.Strict != nil && *t.Strict, Breakpoint: t.CacheControl != nil, Retain: t.CacheControl.retention(),
		})
	}
	if b.ToolChoice != nil && b.ToolChoice.Type == "none" {
		return nil, nil
	}
	return tools, nil
}

func (t *tool) check(place string) error {
	if t.Type != nil && *t.Type != "custom" {
		return invalid("%s.type: tools that run on the server are not offered here; send a tool of type \"custom\"", place)
	}
	if !messages.IsToolName(t.Name) {
		return invalid("%s.name: must be 1 to 128 letters, digits, underscores or hyphens", place)
	}
	var schema struct {
		Type string `json:"type"`
	}
	if !messages.IsObject(t.InputSchema) {
		return invalid("%s.input_schema: must be a JSON schema object", place)
	}
	if err := exact.Fill(t.InputSchema, &schema); err != nil || schema.Type != "object" {
		return invalid("%s.input_schema.type: must be \"object\"", place)
	}
	return t.CacheControl.checkAt(place)
}

// choice reads tool_choice.
func (b *body) choice(tools []prompt.Tool) (messages.Choice, error) {
	choice := messages.Choice{Place: "tool_choice", Schema: ".input_schema"}
	if b.ToolChoice == nil {
		return choice, nil
	}
	switch b.ToolChoice.Type {
	case "auto", "none":
	case "any":
		choice.Required = true
	case "tool":
		choice.Required, choice.Only = true, []string{b.ToolChoice.Name}
	default:
		return choice, invalid("tool_choice.type: must be \"auto\", \"any\", \"tool\" or \"none\"")
	}
	if err := choice.Check(tools); err != nil {
		return choice, err
	}
	return choice, nil
}
