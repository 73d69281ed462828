package chat

import "slices"

// namesUsed are the names that a template reads and gives values to.
type namesUsed struct {
	defined map[string]bool // names of macros and variables, wherever they get a value
	names   map[string]bool // names that are read
	unknown []unknownName   // names that nothing has, where they are read in any case
	reads   map[string]bool // special names that the macro around this place reads
}

// unknownName is a filter, a test, a method or a function that is not supported.
type unknownName struct {
	err      error
	function string // it may still get a value further down; "" for what is no function
}

// forgive drops what was found unknown since there were so many: whether it is used depends on a condition.
func (n *namesUsed) forgive(since int) { n.unknown = n.unknown[:since] }

// refusal is the first unknown name that is used in any case.
func (n *namesUsed) refusal() error {
	for _, u := range n.unknown {
		if u.function == "" || !n.defined[u.function] && !slices.Contains(functionNames(), u.function) {
			return u.err
		}
	}
	return nil
}

func (n *namesUsed) isUnknown(err error) { n.unknown = append(n.unknown, unknownName{err: err}) }
