package tokenizer

// The characters as a pattern tells them apart.

import (
	"slices"
	"unicode"
)

const (
	maxKinds   = 200
	maxLookUps = 1 << 20 // while they are sorted
)

// runeKinds sorts all characters by the classes of a program that they belong to.
type runeKinds struct {
	pages         []uint16 // by character / 256
	distinctPages [][256]uint8
	latin         [256]uint8 // the page of the characters below 256
	examples      []rune     // one of each kind
}

func (k *runeKinds) of(r rune) int { return int(k.distinctPages[k.pages[r>>8]][r&0xFF]) }

// newRuneKinds returns nil where there are too many kinds.
func newRuneKinds(program []instruction) *runeKinds {
	classes := distinctClasses(program)
	borders := []rune{0, unicode.MaxRune + 1}
	for _, c := range classes {
		for _, r := range c.set {
			borders = append(borders, r.low, r.high+1)
		}
	}
	slices.Sort(borders)
	borders = slices.Compact(borders)
	if len(borders)*len(classes) > maxLookUps {
		return nil
	}
	k, names, kinds := &runeKinds{}, map[string]uint8{}, make([]uint8, len(borders)-1)
	for i, low := range borders[:len(borders)-1] {
		name := kindName(classes, low)
		kind, known := names[name]
		if !known {
			if len(names) == maxKinds {
				return nil
			}
			kind = uint8(len(names))
			names[name] = kind
			k.examples = append(k.examples, low)
		}
		kinds[i] = kind
	}
	k.paginate(borders, kinds)
	return k
}

// kindName tells which of the classes a character belongs to.
func kindName(classes []*class, r rune) string {
	name := make([]byte, len(classes))
	for i, c := range classes {
		if c.has(r) {
			name[i] = 1
		}
	}
	return string(name)
}

func distinctClasses(program []instruction) []*class {
	var all []*class
	for i := range program {
		c := &program[i].class
		if program[i].op == opClass && !slices.ContainsFunc(all, func(o *class) bool { return slices.Equal(o.set, c.set) }) {
			all = append(all, c)
		}
	}
	return all
}

// paginate fills the pages with the kinds of the characters between borders; of equal pages one is kept.
func (k *runeKinds) paginate(borders []rune, kinds []uint8) {
	places := map[[256]uint8]uint16{}
	whole := map[uint8]uint16{} // the pages that are of one kind, which most are
	at := 0
	for low := rune(0); low <= unicode.MaxRune; low += 256 {
		for borders[at+1] <= low {
			at++
		}
		kind := kinds[at]
		place, known := whole[kind]
		if isWhole := borders[at+1] >= low+256; !isWhole || !known {
			place = k.place(places, pageFrom(low, borders[at:], kinds[at:]))
			if isWhole {
				whole[kind] = place
			}
		}
		k.pages = append(k.pages, place)
	}
	k.latin = k.distinctPages[0]
}

func (k *runeKinds) place(places map[[256]uint8]uint16, page [256]uint8) uint16 {
	place, known := places[page]
	if !known {
		place = uint16(len(k.distinctPages))
		places[page] = place
		k.distinctPages = append(k.distinctPages, page)
	}
	return place
}

func pageFrom(low rune, borders []rune, kinds []uint8) (page [256]uint8) {
	at := 0
	for i := range page {
		for borders[at+1] <= low+rune(i) {
			at++
		}
		page[i] = kinds[at]
	}
	return page
}
