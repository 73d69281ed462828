package chat

// For loops and what `loop` tells about them.

import (
	"errors"
	"fmt"
)

// loopState is the variable `loop`.
type loopState struct {
	items []any
	at    int
	depth int
}

func (l *loopState) attribute(name string) any {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.at + 1)
	case "index0":
		return int64(l.at)
	case "revindex":
		return int64(n - l.at)
	case "revindex0":
		return int64(n - l.at - 1)
	case "first":
		return l.at == 0
	case "last":
		return l.at == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth + 1)
	case "depth0":
		return int64(l.depth)
	case "previtem":
		return l.near(-1, name)
	case "nextitem":
		return l.near(1, name)
	case "cycle":
		return callable{name, l.cycle}
	}
	return undefined{"loop." + name}
}

func (l *loopState) near(step int, name string) any {
	if i := l.at + step; i >= 0 && i < len(l.items) {
		return l.items[i]
	}
	return undefined{"loop." + name}
}

func (l *loopState) cycle(args arguments) (any, error) {
	if len(args.list) == 0 {
		return nil, fmt.Errorf("loop.cycle needs something to cycle through")
	}
	return args.list[l.at%len(args.list)], nil
}

func (f forStmt) run(s *scope) error {
	over, err := f.over.eval(s)
	if err != nil {
		return at(f.line, err)
	}
	items, err := iterate(over)
	if err == nil {
		items, err = f.kept(s, items)
	}
	if err != nil {
		return at(f.line, err)
	}
	if len(items) == 0 {
		return runAll(s.inner(), f.otherwise)
	}
	return f.rounds(s, &loopState{items: items})
}

// kept are the items that the loop's condition lets through.
func (f forStmt) kept(s *scope, items []any) ([]any, error) {
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

func (f forStmt) rounds(s *scope, loop *loopState) error {
	for i, v := range loop.items {
		loop.at = i
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
