package chat

import "slices"

// templateNames are the names that a template reads, and those to which it gives values.
type templateNames struct {
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

// dropUnknown forgets the unknown names from one on: whether they are used depends on a condition.
func (n *templateNames) dropUnknown(from int) { n.unknown = n.unknown[:from] }

// refusal is the first unknown name that is used in any case.
func (n *templateNames) refusal() error {
	for _, u := range n.unknown {
		if u.function == "" || !n.defined[u.function] && !slices.Contains(functionNames(), u.function) {
			return u.err
		}
	}
	return nil
}

func (n *templateNames) addUnknown(err error) { n.unknown = append(n.unknown, unknownName{err: err}) }
