package chat

// The weight of values. A list may hold the same list many times, so that a short template makes a value whose text has no
// end; what writes, compares or sorts a value as a whole weighs it before.

import "fmt"

const (
	mostItems   = 1 << 22 // of one list
	mostMade    = 1 << 30 // bytes that one rendering makes in all
	deepestData = 500     // lists in lists
)

var errTooMuch = fmt.Errorf("more than %d bytes of values", mostMade)

// charge counts bytes that the rendering makes.
func (r *rendering) charge(bytes int) error {
	if r.made += bytes; r.made > mostMade {
		return errTooMuch
	}
	return nil
}

// weigh refuses values whose text is too large, and charges for looking.
func (r *rendering) weigh(values ...any) error {
	if r == nil {
		return nil // a filter that is called outside of a rendering
	}
	s := scale{left: mostOutput}
	for _, v := range values {
		s.add(v, 0)
	}
	if err := r.charge(mostOutput - max(s.left, 0)); err != nil {
		return err
	}
	if s.left < 0 {
		return errTooLarge
	}
	return nil
}

// scale adds up about as many bytes as values have as text, and stops when nothing is left.
type scale struct{ left int }

func (s *scale) add(v any, depth int) {
	if depth > deepestData {
		s.left = -1
	}
	if s.left < 0 {
		return
	}
	switch v := v.(type) {
	case string:
		s.left -= len(v)
	case markup:
		s.left -= len(v)
	case *List:
		for _, each := range v.Items {
			s.left -= 2
			s.add(each, depth+1)
			if s.left < 0 {
				return
			}
		}
	case *Dict:
		s.addDict(v, depth)
	default:
		s.left--
	}
}

func (s *scale) addDict(d *Dict, depth int) {
	for _, key := range d.keys {
		s.left -= 4
		s.add(key, depth+1)
		s.add(d.at(key), depth+1)
		if s.left < 0 {
			return
		}
	}
}

// isWhole tells whether a value is one of many.
func isWhole(v any) bool {
	switch v.(type) {
	case *List, *Dict:
		return true
	}
	return false
}

// weighing are the filters that look at a value as a whole.
func weighing(name string) bool {
	switch name {
	case "tojson", "join", "string", "safe", "upper", "lower", "capitalize", "title", "trim", "indent", "replace", "sort", "unique",
		"min", "max", "sum", "dictsort":
		return true
	}
	return false
}

// weighed weighs what a filter is applied to, and what it may put between the parts of it.
func weighed(apply filter) filter {
	return func(v any, args arguments) (any, error) {
		if err := args.run.weigh(append([]any{v}, args.list...)...); err != nil {
			return nil, err
		}
		return apply(v, args)
	}
}
