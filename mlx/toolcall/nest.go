package toolcall

// nest follows an object that is no call, so that what stands within it is none either. It ends with the
// object, or with an empty line, since prose has braces that nobody closes.
type nest struct {
	depth    int
	inString bool
	escaped  bool
	newline  bool // the last character was a line end
}

func (n *nest) enter() { *n = nest{depth: 1} }

func (n *nest) inside() bool { return n.depth > 0 }

func (n *nest) step(c byte) {
	if n.depth == 0 {
		return
	}
	if c == '\n' && n.newline {
		*n = nest{}
		return
	}
	n.newline = c == '\n'
	switch {
	case n.escaped:
		n.escaped = false
	case n.inString && c == '\\':
		n.escaped = true
	case c == '"':
		n.inString = !n.inString
	case n.inString:
	case c == '{':
		n.depth++
	case c == '}':
		n.depth--
	}
}

func (n *nest) walk(text string) {
	for i := 0; i < len(text) && n.depth > 0; i++ {
		n.step(text[i])
	}
}
