package messages

import (
	"slices"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// Choice says which tools the answer calls.
type Choice struct {
	Required bool     // one at least, and nothing but calls is written
	Only     []string // with Required: those among which it is; nil: all
	Place    string   // of the choice in the body
	Schema   string   // what the place of a tool's schema ends with, behind that of the tool
}

// Check refuses a choice among tools that there are none of.
func (c Choice) Check(tools []prompt.Tool) error {
	switch {
	case !c.Required:
		return nil
	case len(tools) == 0:
		return Refuse(Invalid, "%s: there are no tools to call; send tools, or leave it out", c.Place)
	case c.Only != nil && len(c.Only) == 0:
		return Refuse(Invalid, "%s: names no tool; name one", c.Place)
	}
	for _, name := range c.Only {
		if !slices.ContainsFunc(tools, func(t prompt.Tool) bool { return t.Name == name }) {
			return Refuse(Invalid, "%s: %s is none of the tools; name one of them", c.Place, httpapi.Clip(name))
		}
	}
	return nil
}
