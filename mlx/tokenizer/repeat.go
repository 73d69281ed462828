package tokenizer

// Repetitions in regular expressions: their counts, and what they are compiled to.

import (
	"fmt"
	"strconv"
	"strings"
)

// quantifiers repeat what begins at start in the program and at from in the source.
func (c *compiler) quantifiers(start, from int) error {
	least, most, ok, err := c.counts()
	if err != nil || !ok {
		return err
	}
	lazy, possessive := c.accept("?"), false
	if !lazy && c.source[c.at-1] != '}' { // Ruby reads a{2}+ as (a{2})+
		possessive = c.accept("+")
	}
	if c.at < len(c.source) && strings.IndexByte("*+?{", c.source[c.at]) >= 0 {
		return fmt.Errorf("a repetition of a repetition is not supported")
	}
	end := c.at
	repeatAtom := func() error {
		before := c.before
		c.at, c.before = from, 0
		err := c.atom()
		c.at, c.before = end, before
		return err
	}
	c.truncate(start)
	atomic := -1
	if possessive {
		atomic = c.emit(instruction{op: opAtomic})
		c.program[atomic].next = c.here()
	}
	if err := c.repeat(least, most, lazy, repeatAtom); err != nil {
		return err
	}
	if possessive {
		c.emit(instruction{op: opEnd})
		c.program[atomic].other = c.here()
	}
	return nil
}

// counts reads a quantifier; most is -1 where there is no limit.
func (c *compiler) counts() (least, most int, ok bool, err error) {
	switch {
	case c.accept("*"):
		return 0, -1, true, nil
	case c.accept("+"):
		return 1, -1, true, nil
	case c.accept("?"):
		return 0, 1, true, nil
	case c.at >= len(c.source) || c.source[c.at] != '{':
		return 0, 0, false, nil
	}
	end := strings.IndexByte(c.source[c.at:], '}')
	if end < 0 {
		return 0, 0, false, fmt.Errorf("a brace is not closed")
	}
	low, high, isRange := strings.Cut(c.source[c.at+1:c.at+end], ",")
	c.at += end + 1
	if least, err = strconv.Atoi(low); low == "" && isRange {
		least, err = 0, nil
	}
	most = least
	if isRange && high == "" {
		most = -1
	} else if isRange && err == nil {
		most, err = strconv.Atoi(high)
	}
	if err != nil || least < 0 || least > maxRepeats || most > maxRepeats || most >= 0 && most < least {
		return 0, 0, false, fmt.Errorf("the repetition {%s,%s} is not supported", low, high)
	}
	return least, most, true, nil
}

func (c *compiler) repeat(least, most int, lazy bool, atom func() error) error {
	for range least {
		if err := atom(); err != nil {
			return err
		}
		if c.here() > maxInstructions {
			return fmt.Errorf("it is longer than %d steps", maxInstructions)
		}
	}
	if most < 0 {
		return c.loop(lazy, atom)
	}
	var splits []int
	for range most - least {
		splits = append(splits, c.emit(instruction{op: opSplit}))
		if err := atom(); err != nil {
			return err
		}
		if c.here() > maxInstructions {
			return fmt.Errorf("it is longer than %d steps", maxInstructions)
		}
	}
	for _, at := range splits {
		c.setSplit(at, at+1, c.here(), lazy)
	}
	return nil
}

func (c *compiler) loop(lazy bool, atom func() error) error {
	at := c.emit(instruction{op: opSplit})
	if err := atom(); err != nil {
		return err
	}
	if c.mayBeEmpty(at+1, c.here(), map[int]bool{}) {
		return fmt.Errorf("a repetition without end of what may be empty is not supported")
	}
	c.emit(instruction{op: opJump, next: at})
	c.setSplit(at, at+1, c.here(), lazy)
	return nil
}
