package prompt

// A cache breakpoint stands behind a part or a tool. Where that lies in the prompt is found by rendering a
// conversation that ends there.

// untilBreakpoint is the conversation up to its last cache_control breakpoint.
func untilBreakpoint(c Conversation) (Conversation, bool) {
	for i := len(c.Turns) - 1; i >= 0; i-- {
		parts := c.Turns[i].Parts
		for j := len(parts) - 1; j >= 0; j-- {
			if parts[j].Breakpoint {
				head := Conversation{Tools: c.Tools, Effort: c.Effort, Turns: append([]Turn{}, c.Turns[:i]...)}
				head.Turns = append(head.Turns, Turn{Role: c.Turns[i].Role, Parts: parts[:j+1]})
				return head, true
			}
		}
	}
	return untilTool(c)
}

// untilTool is a conversation that begins like the given one up to the end of the last tool with a
// breakpoint, and goes on otherwise: without the tools behind that, or with one more. Where tools stand is up
// to the template.
func untilTool(c Conversation) (Conversation, bool) {
	for i := len(c.Tools) - 1; i >= 0; i-- {
		if !c.Tools[i].Breakpoint {
			continue
		}
		tools := append([]Tool{}, c.Tools[:i+1]...)
		if i == len(c.Tools)-1 {
			tools = append(tools, Tool{Name: "another", InputSchema: []byte(`{"type":"object"}`)})
		}
		return Conversation{Tools: tools, Turns: c.Turns, Effort: c.Effort}, true
	}
	return Conversation{}, false
}

// common is the length of the common beginning.
func common(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
