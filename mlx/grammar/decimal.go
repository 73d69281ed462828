package grammar

import (
	"encoding/json"
	"math/big"
	"strings"
)

// limit is a bound of numbers: its digits before and behind the point, without zeros that say nothing. Past limits are not
// among the numbers that they bound.
type limit struct {
	negative    bool
	whole, rest string
	past        bool
}

// limitOf reads a bound as people write it.
func limitOf(raw json.RawMessage, past bool) (l limit, ok bool) {
	if _, ok := decimal(raw); !ok {
		return l, false
	}
	text, negative := strings.CutPrefix(string(raw), "-")
	whole, rest, _ := strings.Cut(text, ".")
	l = limit{negative, strings.TrimLeft(whole, "0"), strings.TrimRight(rest, "0"), past}
	if l.whole == "" {
		l.whole = "0"
		l.negative = negative && l.rest != ""
	}
	return l, true
}

// value is the bound as a number.
func (l limit) value() *big.Rat {
	text := l.whole + "." + l.rest + "0"
	if l.negative {
		text = "-" + text
	}
	v, _ := new(big.Rat).SetString(text)
	return v
}

// number is the form of numbers between the bounds. With bounds they have no exponents, but where only the sign is bound.
func (f fields) number(place string) (*node, error) {
	var least, most *limit
	for _, bound := range []struct {
		name        string
		upper, past bool
	}{{"minimum", false, false}, {"exclusiveMinimum", false, true}, {"maximum", true, false}, {"exclusiveMaximum", true, true}} {
		raw, given := f[bound.name]
		if !given {
			continue
		}
		l, ok := limitOf(raw, bound.past)
		switch {
		case !ok:
			return nil, refuse(place+"."+bound.name, "must be a number of at most 18 digits")
		case bound.upper:
			most = tighter(most, &l, -1)
		default:
			least = tighter(least, &l, 1)
		}
	}
	switch {
	case least == nil && most == nil:
		return number, nil
	case most == nil && *least == limit{whole: "0"}:
		return join(whole, fraction, exponent), nil
	}
	return decimals(least, most), nil
}

// tighter is the bound that leaves fewer numbers; direction is 1 for lower and -1 for upper bounds.
func tighter(a, b *limit, direction int) *limit {
	if a == nil {
		return b
	}
	if c := direction * b.value().Cmp(a.value()); c > 0 || c == 0 && b.past {
		return b
	}
	return a
}

// decimals is the form of the decimal numbers between two bounds, of which one may be missing.
func decimals(least, most *limit) *node {
	n, zero := either(), &limit{whole: "0"}
	if least == nil || least.negative {
		upper := (*limit)(nil)
		if least != nil {
			upper = &limit{whole: least.whole, rest: least.rest, past: least.past}
		}
		lower := zero
		if most != nil && most.negative {
			lower = &limit{whole: most.whole, rest: most.rest, past: most.past}
		} else if most != nil && most.value().Sign() == 0 && most.past {
			lower = &limit{whole: "0", past: true}
		}
		n.parts = append(n.parts, join(oneByte('-'), magnitudes(lower, upper)))
	}
	if most == nil || !most.negative {
		lower := zero
		if least != nil && !least.negative {
			lower = least
		}
		n.parts = append(n.parts, magnitudes(lower, most))
	}
	return n
}

// magnitudes is the form of the numbers between two bounds that are not negative; the upper one may be missing.
func magnitudes(least, most *limit) *node {
	above := next(least.whole, 1)
	if most == nil {
		return either(join(literal(least.whole), atLeast(least)), join(naturals(above, strings.Repeat("9", mostDigits)), fraction))
	}
	switch c := compareWhole(least.whole, most.whole); {
	case c > 0:
		return either()
	case c == 0:
		return join(literal(least.whole), within(least, most))
	}
	return either(
		join(literal(least.whole), atLeast(least)), join(naturals(above, next(most.whole, -1)), fraction), join(literal(most.whole), atMost(most)))
}

func compareWhole(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// next is the whole number beside another one.
func next(whole string, by int64) string {
	n, _ := new(big.Int).SetString(whole, 10)
	return n.Add(n, big.NewInt(by)).String()
}

var (
	anyDigits    = times(digit, 0, mostDigits)
	anyZeros     = times(oneByte('0'), 0, mostDigits)
	moreThanZero = join(anyZeros, set('1', '9'), anyDigits) // digits behind a point
	point        = oneByte('.')
)

// atLeast is the form of what follows a bound's whole part in numbers that are not below it.
func atLeast(l *limit) *node {
	if l.rest == "" && !l.past {
		return fraction
	}
	return join(point, digitsAtLeast(l.rest, l.past))
}

// digitsAtLeast are digits behind a point that are not below others.
func digitsAtLeast(rest string, past bool) *node {
	switch {
	case rest == "" && past:
		return moreThanZero
	case rest == "":
		return anyDigits
	}
	n := either(join(oneByte(rest[0]), digitsAtLeast(rest[1:], past)))
	if rest[0] < '9' {
		n.parts = append(n.parts, join(set(rest[0]+1, '9'), anyDigits))
	}
	return n
}

// atMost is the form of what follows a bound's whole part in numbers that are not above it.
func atMost(l *limit) *node {
	switch {
	case l.rest == "" && l.past:
		return either()
	case l.rest == "":
		return either(join(), join(point, oneByte('0'), anyZeros))
	}
	return either(join(), join(point, someDigitsAtMost(l.rest, l.past)))
}

// digitsAtMost are digits behind a point, or none, that are not above others.
func digitsAtMost(rest string, past bool) *node {
	switch {
	case rest == "" && past:
		return either()
	case rest == "":
		return anyZeros
	}
	return either(join(), someDigitsAtMost(rest, past))
}

func someDigitsAtMost(rest string, past bool) *node {
	n := either(join(oneByte(rest[0]), digitsAtMost(rest[1:], past)))
	if rest[0] > '0' {
		n.parts = append(n.parts, join(set('0', rest[0]-1), anyDigits))
	}
	return n
}

// within is the form of what follows the whole part that two bounds share in numbers between them.
func within(least, most *limit) *node {
	if least.rest == "" && !least.past {
		return atMost(most)
	}
	return join(point, digitsWithin(least.rest, least.past, most.rest, most.past))
}

// digitsWithin are digits behind a point between others.
func digitsWithin(least string, pastLeast bool, most string, pastMost bool) *node {
	switch {
	case least == "" && !pastLeast:
		return digitsAtMost(most, pastMost)
	case most == "":
		return either() // least is more than nothing, or nothing itself is past it
	}
	from := byte('0')
	if least != "" {
		from, least = least[0], least[1:]
	}
	to, above := most[0], most[1:]
	switch {
	case from > to:
		return either()
	case from == to:
		return join(oneByte(from), digitsWithin(least, pastLeast, above, pastMost))
	}
	n := either(join(oneByte(from), digitsAtLeast(least, pastLeast)), join(oneByte(to), digitsAtMost(above, pastMost)))
	if from+1 < to {
		n.parts = append(n.parts, join(set(from+1, to-1), anyDigits))
	}
	return n
}
