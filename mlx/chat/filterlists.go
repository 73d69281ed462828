package chat

// Filters that choose items and map over them.

import (
	"errors"
	"fmt"
)

// iterateTrue is iterate, but None and the like are empty.
func iterateTrue(v any) ([]any, error) {
	if !truth(v) {
		return nil, nil
	}
	return iterate(v)
}

func selectItems(keep bool) filter {
	return func(v any, args arguments) (any, error) {
		return selectBy(v, args, keep, func(v any) (any, error) { return v, nil })
	}
}

func selectAttr(keep bool) filter {
	return func(v any, args arguments) (any, error) {
		if len(args.list) == 0 {
			return nil, errors.New("the name of an attribute is missing")
		}
		name := str(args.list[0])
		return selectBy(v, arguments{run: args.run, list: args.list[1:]}, keep, func(v any) (any, error) { return path(v, name) })
	}
}

// selectBy returns the items for which a test, or without one their truth, gives keep.
func selectBy(v any, args arguments, keep bool, valueOf func(any) (any, error)) (any, error) {
	list, err := iterateTrue(v)
	if err != nil {
		return nil, err
	}
	check := test(func(v any, _ arguments) (bool, error) { return truth(v), nil })
	if len(args.list) > 0 {
		var ok bool
		if check, ok = testOf(str(args.list[0])); !ok {
			return nil, fmt.Errorf("test %q is not supported", str(args.list[0]))
		}
		args.list = args.list[1:]
	}
	selected := &List{lazy: true}
	for _, each := range list {
		value, err := valueOf(each)
		if err != nil {
			return nil, err
		}
		holds, err := check(value, args)
		if err != nil {
			return nil, err
		}
		if holds == keep {
			selected.Items = append(selected.Items, each)
		}
	}
	return selected, nil
}

func mapFilter(v any, args arguments) (any, error) {
	list, err := iterateTrue(v)
	if err != nil {
		return nil, err
	}
	if name, ok := args.namedAs("attribute"); ok {
		values, err := attributes(list, str(name))
		for i, each := range values {
			if _, missing := each.(undefined); missing {
				values[i] = arguments{named: args.named}.get(0, "default", each)
			}
		}
		return &List{Items: values, lazy: true}, err
	}
	if len(args.list) == 0 {
		return nil, errors.New("map needs a filter or an attribute")
	}
	apply, ok := filterOf(str(args.list[0]))
	if !ok {
		return nil, fmt.Errorf("filter %q is not supported", str(args.list[0]))
	}
	out := &List{lazy: true}
	for _, each := range list {
		value, err := apply(each, arguments{args.run, args.list[1:], args.named})
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, value)
	}
	return out, nil
}
