package chat

// The functions that templates may call.

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// RaisedError is what a template says with raise_exception: the conversation is not one that the model takes.
// It is the client's mistake, not the server's.
type RaisedError struct{ Message string }

func (e *RaisedError) Error() string { return e.Message }

func functionNames() []string {
	return []string{"range", "namespace", "dict", "raise_exception", "strftime_now"}
}

// functions are the global names of one rendering.
func functions(now time.Time) map[string]any {
	named := map[string]func(arguments) (any, error){
		"range": rangeOf,
		"namespace": func(args arguments) (any, error) {
			d, err := dictOf(args)
			return &namespace{d}, err
		},
		"dict":            func(args arguments) (any, error) { return dictOf(args) },
		"raise_exception": raise,
		"strftime_now": func(args arguments) (any, error) {
			layout, err := args.text(0, "format", "")
			if err != nil {
				return nil, err
			}
			return strftime(now, layout)
		},
	}
	vars := make(map[string]any, len(named))
	for name, call := range named {
		vars[name] = callable{name, call}
	}
	return vars
}

func raise(args arguments) (any, error) {
	return nil, &RaisedError{str(args.get(0, "message", ""))}
}

// dictOf is Python's dict(): a mapping or pairs, and then the named values in their order.
func dictOf(args arguments) (*Dict, error) {
	d := NewDict()
	if len(args.list) > 1 {
		return nil, fmt.Errorf("dict takes one value besides named ones, not %d", len(args.list))
	}
	if len(args.list) == 1 {
		if err := d.update(args.list[0]); err != nil {
			return nil, err
		}
	}
	for _, n := range args.named {
		d.Set(n.name, n.value)
	}
	return d, nil
}

// update sets what a mapping or an iterable of pairs has.
func (d *Dict) update(from any) error {
	if u, ok := from.(undefined); ok {
		return fmt.Errorf("%s is undefined: no dict can be made of it", u.name)
	}
	if other, ok := from.(*Dict); ok {
		from = other.pairs()
	}
	items, err := iterate(from)
	if err != nil {
		return err
	}
	for i, item := range items {
		pair, err := iterate(item)
		if err == nil && len(pair) != 2 {
			err = fmt.Errorf("it has %d", len(pair))
		}
		if err == nil {
			err = d.setItem(pair[0], pair[1])
		}
		if err != nil {
			return fmt.Errorf("item %d for a dict is not a key with its value: %w", i, err)
		}
	}
	return nil
}

func rangeOf(args arguments) (any, error) {
	limits := []int64{0, 0, 1}
	for i := range min(len(args.list), 3) {
		n, err := args.whole(i, "a limit of range", 0)
		if err != nil {
			return nil, err
		}
		limits[i] = n
	}
	if len(args.list) == 1 {
		limits[0], limits[1] = 0, limits[0]
	}
	from, to, step := limits[0], limits[1], limits[2]
	if step == 0 {
		return nil, errors.New("range needs a step other than 0")
	}
	list := &List{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(list.Items) >= mostRange {
			return nil, errTooLarge
		}
		list.Items = append(list.Items, i)
	}
	return list, nil
}

// strftime formats a time as C does.
func strftime(now time.Time, format string) (string, error) {
	layouts := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'b': "Jan", 'B': "January",
		'a': "Mon", 'A': "Monday", 'y': "06", 'p': "PM", 'I': "03", 'e': "_2", 'j': "002", 'F': "2006-01-02", 'T': "15:04:05", 'Z': "MST", 'z': "-0700"}
	unpadded := map[byte]string{'d': "2", 'm': "1", 'I': "3"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		table := layouts
		if format[i] == '-' && i+1 < len(format) {
			table = unpadded
			i++
		}
		layout, ok := table[format[i]]
		switch {
		case format[i] == '%':
			b.WriteByte('%')
		case !ok:
			return "", fmt.Errorf("strftime_now: %%%c is not supported", format[i])
		default:
			b.WriteString(now.Format(layout))
		}
	}
	return b.String(), nil
}
