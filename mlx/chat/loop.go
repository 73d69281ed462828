package chat

// For loops and what `loop` tells about them.

import (
	"errors"
	"fmt"
)

// loopState is the variable `loop`.
type loopState struct {
	items []any
	index int
	depth int
}

func (l *loopState) attribute(name string) any {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.index + 1)
	case "index0":
		return int64(l.index)
	case "revindex":
		return int64(n - l.index)
	case "revindex0":
		return int64(n - l.index - 1)
	case "first":
		return l.index == 0
	case "last":
		return l.index == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth + 1)
	case "depth0":
		return int64(l.depth)
	case "previtem":
		return l.neighbour(-1, name)
	case "nextitem":
		return l.neighbour(1, name)
	case "cycle":
		return callable{name, l.cycle}
	}
	return undefined{"loop." + name}
}

func (l *loopState) neighbour(step int, name string) any {
	if i := l.index + step; i >= 0 && i < len(l.items) {
		return l.items[i]
	}
	return undefined{"loop." + name}
}

func (l *loopState) cycle(args arguments) (any, error) {
	if len(args.list) == 0 {
		return nil, fmt.Errorf("loop.cycle needs something to cycle through")
	}
	return args.list[l.index%len(args.list)], nil
}

func (f forStmt) run(s *scope) error {
	iterable, err := f.iterable.eval(s)
	if err != nil {
		return at(f.line, err)
	}
	items, err := iterate(iterable)
	if err == nil {
		items, err = f.filterItems(s, items)
	}
	if err != nil {
		return at(f.line, err)
	}
	if len(items) == 0 {
		return runAll(s.inner(), f.otherwise)
	}
	return f.runRounds(s, &loopState{items: items})
}

// filterItems returns the items that the loop's condition lets through.
func (f forStmt) filterItems(s *scope, items []any) ([]any, error) {
	if f.condition == nil {
		return items, nil
	}
	var kept []any
	for _, v := range items {
		inner := s.inner()
		if err := bind(inner, f.targets, v); err != nil {
			return nil, err
		}
		keep, err := f.condition.eval(inner)
		if err != nil {
			return nil, err
		}
		if truth(keep) {
			kept = append(kept, v)
		}
	}
	return kept, nil
}

func (f forStmt) runRounds(s *scope, loop *loopState) error {
	for i, v := range loop.items {
		loop.index = i
		inner := s.inner()
		inner.vars["loop"] = loop
		if err := bind(inner, f.targets, v); err != nil {
			return at(f.line, err)
		}
		err := runAll(inner, f.body)
		if errors.Is(err, errBreak) {
			return nil
		}
		if err != nil && !errors.Is(err, errContinue) {
			return err
		}
		if err := s.run.step(); err != nil {
			return err
		}
	}
	return nil
}
