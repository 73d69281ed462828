package httpapi

import "github.com/agent-memory/agent-memory/platform/auth"

// Guard asks for a key with a scope on a path and all below it. Of several the longest counts.
type Guard struct {
	Prefix string
	Scope  auth.Scope
	Advice string // for those whose key lacks it; may be empty
}

// guardOf is the guard of a path, if it has one.
func (c *Config) guardOf(path string) (guard Guard, guarded bool) {
	for _, g := range c.Guards {
		if isBelow(path, g.Prefix) && (!guarded || len(g.Prefix) > len(guard.Prefix)) {
			guard, guarded = g, true
		}
	}
	return guard, guarded
}
