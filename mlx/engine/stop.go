package engine

import "strings"

// stopMatcher looks for stop strings in text that arrives in pieces. It keeps back the end of the text as long as
// that may be the beginning of a stop string, so that no part of one is ever let through. What it finds doesn't
// depend on where the pieces are cut: the match that ends first wins, and of those the longest.
type stopMatcher struct {
	stops []string
	held  string
}

// push adds text. It returns what is safe to emit and the stop string that matched, if one did.
func (m *stopMatcher) push(text string) (emit, stop string) {
	if len(m.stops) == 0 {
		return text, ""
	}
	m.held += text
	if start, stop := m.find(); stop != "" {
		emit, m.held = m.held[:start], ""
		return emit, stop
	}
	keep := m.suspicious()
	cut := len(m.held) - keep
	emit, m.held = m.held[:cut], m.held[cut:]
	return emit, ""
}

// flush returns what was kept back, once no more text will come.
func (m *stopMatcher) flush() string {
	held := m.held
	m.held = ""
	return held
}

// find returns where the winning stop string begins, and the string.
func (m *stopMatcher) find() (start int, stop string) {
	end := len(m.held) + 1
	for _, s := range m.stops {
		at := strings.Index(m.held, s)
		if at < 0 {
			continue
		}
		if e := at + len(s); e < end || e == end && len(s) > len(stop) {
			start, end, stop = at, e, s
		}
	}
	return start, stop
}

// suspicious returns the length of the longest end of the text that begins a stop string.
func (m *stopMatcher) suspicious() int {
	longest := 0
	for _, s := range m.stops {
		for n := min(len(s)-1, len(m.held)); n > longest; n-- {
			if strings.HasSuffix(m.held, s[:n]) {
				longest = n
			}
		}
	}
	return longest
}
