package tokenizer

// How much longer a text can get. A file can name steps each of which doubles what the one before left; forty of them
// make a terabyte of one letter. Their product over the worst text is bounded when the file is loaded.

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	mostGrowth = 64 // NFKC, then ▁ in front and for each space, comes to 36
	mostSteps  = 64 // of one kind in a file, sequences among them
)

// growth is the most bytes that become of a text: of[b] for each byte b of it, and more for the whole.
type growth struct {
	of   [256]float64
	more float64
}

func noGrowth() growth {
	var g growth
	for b := range g.of {
		g.of[b] = 1
	}
	return g
}

// most is the factor for a text of one byte or more.
func (g *growth) most() float64 { return slices.Max(g.of[:]) + g.more }

func (g *growth) sum(text string) float64 {
	total := 0.0
	for i := range len(text) {
		total += g.of[text[i]]
	}
	return total
}

// grower tells what becomes of a text, given what the steps after this one make of its result.
type grower interface {
	grow(after growth) growth
}

func checkGrowth(step grower) error {
	g := step.grow(noGrowth())
	if most := g.most(); most > mostGrowth {
		return fmt.Errorf("a text could become %.3g times as long; the most is %d times", most, mostGrowth)
	}
	return nil
}

// steps counts those of a file.
type steps int

func (s *steps) add(n int) error {
	if *s += steps(n); *s > mostSteps {
		return fmt.Errorf("it has more than %d steps", mostSteps)
	}
	return nil
}

func (n normalizers) grow(g growth) growth {
	for _, step := range slices.Backward(n) {
		g = step.grow(g)
	}
	return g
}

func (f form) grow(g growth) growth {
	if f.form == norm.NFC || f.form == norm.NFD {
		return g.beyondASCII(3) // U+0390
	}
	return g.beyondASCII(11) // U+FDFA
}

// beyondASCII lets a byte that is not ASCII become factor bytes of any value.
func (g growth) beyondASCII(factor float64) growth {
	worst := factor * slices.Max(g.of[:])
	for b := utf8.RuneSelf; b < len(g.of); b++ {
		g.of[b] = worst
	}
	return g
}

func (p prepend) grow(g growth) growth {
	g.more += g.sum(string(p))
	return g
}

func (lowercase) grow(g growth) growth {
	for b := 'A'; b <= 'Z'; b++ {
		g.of[b] = g.of[b+'a'-'A']
	}
	return g.beyondASCII(1.5) // U+023A
}

func (strip) grow(g growth) growth { return g }

// grow lets each byte of a match pay its part of the content, or stay.
func (r replace) grow(g growth) growth {
	price := g.sum(r.content)
	if l, ok := r.pattern.(literal); ok {
		price /= float64(max(len(l), 1))
	}
	for b, may := range bytesOf(r.pattern) {
		if may {
			g.of[b] = max(g.of[b], price)
		}
	}
	return g
}

// bytesOf are the bytes that a match may have, of regular expressions exactly only in ASCII.
func bytesOf(p pattern) (may [256]bool) {
	switch p := p.(type) {
	case literal:
		for i := range len(p) {
			may[p[i]] = true
		}
	case *regex:
		for _, i := range p.program {
			for b := range may {
				may[b] = may[b] || i.op == opClass && (i.class.has(rune(b)) && b < utf8.RuneSelf || b >= utf8.RuneSelf && i.class.beyondASCII())
			}
		}
	default:
		for b := range may {
			may[b] = true
		}
	}
	return may
}

func (c *class) beyondASCII() bool {
	return len(c.set) > 0 && c.set[len(c.set)-1].high >= utf8.RuneSelf
}

// grow is what the replacements of a decoder make of a token.
func (d *decoder) grow(g growth) growth {
	for _, r := range slices.Backward(d.replaces) {
		g = r.grow(g)
	}
	return g
}
