package chat

// Tests: what may follow `is`.

import (
	"errors"
	"strings"
	"unicode"
)

type test func(v any, args arguments) (bool, error)

func testOf(name string) (test, bool) {
	t, ok := map[string]test{
		"defined": not(isUndefined), "undefined": is(isUndefined), "none": is(func(v any) bool { return v == nil }),
		"string": is(isString), "mapping": is(isMapping), "iterable": is(isSequence), "sequence": is(isSequence),
		"number": is(isNumber), "integer": is(isInteger), "float": is(isFloat), "boolean": is(isBoolean),
		"true": is(func(v any) bool { return v == true }), "false": is(func(v any) bool { return v == false }),
		"callable": is(func(v any) bool { _, ok := v.(callable); return ok }),
		"even":     remainder(2, 0), "odd": remainder(2, 1), "divisibleby": divisible,
		"lower": hasCaseOnly(unicode.IsUpper, unicode.IsLower), "upper": hasCaseOnly(unicode.IsLower, unicode.IsUpper),
		"equalto": comparison("=="), "eq": comparison("=="), "ne": comparison("!="), "in": comparison("in"), "sameas": comparison("=="),
		"lt": comparison("<"), "le": comparison("<="), "gt": comparison(">"), "ge": comparison(">="),
		"lessthan": comparison("<"), "greaterthan": comparison(">"),
	}[name]
	return t, ok
}

func is(holds func(any) bool) test {
	return func(v any, _ arguments) (bool, error) { return holds(v), nil }
}

func not(holds func(any) bool) test {
	return func(v any, _ arguments) (bool, error) { return !holds(v), nil }
}

func isUndefined(v any) bool { _, ok := v.(undefined); return ok }
func isString(v any) bool    { _, ok := textOf(v); return ok }
func isMapping(v any) bool   { _, ok := v.(*Dict); return ok }
func isBoolean(v any) bool   { _, ok := v.(bool); return ok }
func isFloat(v any) bool     { _, ok := v.(float64); return ok }

func isSequence(v any) bool {
	_, list := v.(*List)
	return list || isString(v) || isMapping(v) || isUndefined(v)
}

func isInteger(v any) bool {
	switch v.(type) {
	case int64, bigNumber:
		return true
	}
	return false
}

func isNumber(v any) bool { return isInteger(v) || isFloat(v) || isBoolean(v) }

func remainder(by, want int64) test {
	return func(v any, _ arguments) (bool, error) {
		n, ok := toInt(v)
		if !ok {
			return false, errors.New("the test needs a whole number")
		}
		return ((n%by)+by)%by == want, nil
	}
}

func divisible(v any, args arguments) (bool, error) {
	by, err := args.whole(0, "num", 1)
	if err != nil || by == 0 {
		return false, errors.Join(err, errors.New("divisibleby needs a number other than 0"))
	}
	return remainder(by, 0)(v, args)
}

// hasCaseOnly is Python's islower or isupper: the text has letters of the wanted case and none of the other.
func hasCaseOnly(forbidden, wanted func(rune) bool) test {
	return func(v any, _ arguments) (bool, error) {
		s := str(v)
		return strings.IndexFunc(s, wanted) >= 0 && strings.IndexFunc(s, forbidden) < 0, nil
	}
}

func comparison(op string) test {
	return func(v any, args arguments) (bool, error) {
		if len(args.list) == 0 {
			return false, errors.New("the test needs something to compare with")
		}
		return relate(op, v, args.list[0])
	}
}
