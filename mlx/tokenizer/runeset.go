package tokenizer

// Sets of characters as ranges: what classes of regular expressions are made of.

import (
	"cmp"
	"slices"
	"unicode"
)

type runeRange struct{ low, high rune }

// runeSet is in order, and its ranges neither overlap nor touch.
type runeSet []runeRange

// newRuneSet puts ranges, in any order, together.
func newRuneSet(ranges []runeRange) runeSet {
	slices.SortFunc(ranges, func(a, b runeRange) int { return cmp.Compare(a.low, b.low) })
	set := make(runeSet, 0, len(ranges))
	for _, r := range ranges {
		if last := len(set) - 1; last >= 0 && r.low <= set[last].high+1 {
			set[last].high = max(set[last].high, r.high)
			continue
		}
		set = append(set, r)
	}
	return set
}

// setOfTable holds the characters of a table.
func setOfTable(table *unicode.RangeTable) runeSet {
	var ranges []runeRange
	add := func(low, high, stride rune) {
		for ; stride > 1 && low < high; low += stride {
			ranges = append(ranges, runeRange{low, low})
		}
		ranges = append(ranges, runeRange{low, high})
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return newRuneSet(ranges)
}

// complement returns the characters that the set lacks.
func (s runeSet) complement() runeSet {
	out := make(runeSet, 0, len(s)+1)
	next := rune(0)
	for _, r := range s {
		if r.low > next {
			out = append(out, runeRange{next, r.low - 1})
		}
		next = r.high + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, runeRange{next, unicode.MaxRune})
	}
	return out
}

func (s runeSet) has(r rune) bool {
	_, found := slices.BinarySearchFunc(s, r, func(each runeRange, r rune) int {
		switch {
		case each.high < r:
			return -1
		case each.low > r:
			return 1
		}
		return 0
	})
	return found
}
