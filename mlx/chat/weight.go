package chat

// The weight of values. A list may hold the same list many times, so that a short template makes a value
// whose text has no end; what writes, compares or sorts a value as a whole weighs it before.

import "fmt"

const (
	maxItems      = 1 << 22 // of one list
	maxValueBytes = 1 << 30 // bytes that one rendering makes in all
	maxDataDepth  = 500     // lists in lists
)

var errTooManyBytes = fmt.Errorf("more than %d bytes of values", maxValueBytes)

// charge counts bytes that the rendering makes.
func (r *rendering) charge(bytes int) error {
	if r.made += bytes; r.made > maxValueBytes {
		return errTooManyBytes
	}
	return nil
}

// weigh refuses values whose text is too large, and charges for looking.
func (r *rendering) weigh(values ...any) error {
	if r == nil {
		return nil // a filter that is called outside of a rendering
	}
	s := weigher{budget: mostOutput}
	for _, v := range values {
		s.add(v, 0)
	}
	if err := r.charge(mostOutput - max(s.budget, 0)); err != nil {
		return err
	}
	if s.budget < 0 {
		return errTooLarge
	}
	return nil
}

// weigher takes the bytes that values have as text, roughly, from a budget, and stops when nothing is left of
// it.
type weigher struct{ budget int }

func (s *weigher) add(v any, depth int) {
	if depth > maxDataDepth {
		s.budget = -1
	}
	if s.budget < 0 {
		return
	}
	switch v := v.(type) {
	case string:
		s.budget -= len(v)
	case markup:
		s.budget -= len(v)
	case *List:
		for _, each := range v.Items {
			s.budget -= 2
			s.add(each, depth+1)
			if s.budget < 0 {
				return
			}
		}
	case *Dict:
		s.addDict(v, depth)
	default:
		s.budget--
	}
}

func (s *weigher) addDict(d *Dict, depth int) {
	for _, key := range d.keys {
		s.budget -= 4
		s.add(key, depth+1)
		s.add(d.at(key), depth+1)
		if s.budget < 0 {
			return
		}
	}
}

// isContainer tells whether a value has others in it.
func isContainer(v any) bool {
	switch v.(type) {
	case *List, *Dict:
		return true
	}
	return false
}

// looksAtWhole tells whether a filter looks at a value as a whole.
func looksAtWhole(name string) bool {
	switch name {
	case "tojson", "join", "string", "safe", "upper", "lower", "capitalize", "title", "trim", "indent", "replace", "sort", "unique",
		"min", "max", "sum", "dictsort":
		return true
	}
	return false
}

// weighFirst has a filter weigh what it is applied to, and its arguments, before it begins.
func weighFirst(apply filter) filter {
	return func(v any, args arguments) (any, error) {
		if err := args.run.weigh(append([]any{v}, args.list...)...); err != nil {
			return nil, err
		}
		return apply(v, args)
	}
}
