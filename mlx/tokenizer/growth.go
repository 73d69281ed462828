package tokenizer

// How much longer a text can get. A file can name steps each of which doubles what the one before left; forty
// of them make a terabyte of one letter. Their product over the worst text is bounded when the file is
// loaded.

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxGrowth = 64 // NFKC, then ▁ in front and for each space, comes to 36
	maxSteps  = 64 // of one kind in a file, sequences among them
)

// growth is the most bytes that become of a text: factors[b] for each byte b of it, and constant ones for the
// whole.
type growth struct {
	factors  [256]float64
	constant float64
}

func noGrowth() growth {
	var g growth
	for b := range g.factors {
		g.factors[b] = 1
	}
	return g
}

// factor is how many times its length a text of one byte or more can have.
func (g *growth) factor() float64 { return slices.Max(g.factors[:]) + g.constant }

func (g *growth) sum(text string) float64 {
	total := 0.0
	for i := range len(text) {
		total += g.factors[text[i]]
	}
	return total
}

// grower tells what becomes of a text, given what the steps after this one make of its result.
type grower interface {
	grow(after growth) growth
}

func checkGrowth(step grower) error {
	g := step.grow(noGrowth())
	if factor := g.factor(); factor > maxGrowth {
		return fmt.Errorf("a text could become %.3g times as long; the most is %d times", factor, maxGrowth)
	}
	return nil
}

// steps counts those of a file.
type steps int

func (s *steps) add(n int) error {
	if *s += steps(n); *s > maxSteps {
		return fmt.Errorf("it has more than %d steps", maxSteps)
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
	maxBytes := factor * slices.Max(g.factors[:])
	for b := utf8.RuneSelf; b < len(g.factors); b++ {
		g.factors[b] = maxBytes
	}
	return g
}

func (p prepend) grow(g growth) growth {
	g.constant += g.sum(string(p))
	return g
}

func (lowercase) grow(g growth) growth {
	for b := 'A'; b <= 'Z'; b++ {
		g.factors[b] = g.factors[b+'a'-'A']
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
	for b, isMatched := range bytesOf(r.pattern) {
		if isMatched {
			g.factors[b] = max(g.factors[b], price)
		}
	}
	return g
}

// bytesOf are the bytes that a match may have, of regular expressions exactly only in ASCII.
func bytesOf(p pattern) (bytes [256]bool) {
	switch p := p.(type) {
	case literal:
		for i := range len(p) {
			bytes[p[i]] = true
		}
	case *regex:
		for _, i := range p.program {
			for b := range bytes {
				bytes[b] = bytes[b] || i.op == opClass && (i.class.has(rune(b)) && b < utf8.RuneSelf || b >= utf8.RuneSelf && i.class.beyondASCII())
			}
		}
	default:
		for b := range bytes {
			bytes[b] = true
		}
	}
	return bytes
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
