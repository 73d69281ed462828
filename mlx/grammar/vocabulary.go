package grammar

import (
	"slices"
	"sort"
	"strings"
)

// Vocabulary is what tokens write. It does not change.
type Vocabulary struct {
	texts   []string // by token; empty for one that writes nothing
	ends    map[int32]bool
	sorted  []word
	longest int               // bytes of the longest token
	marks   map[string]string // what stands for the marks that are tokens
}

// markByte stands in no UTF-8: it begins what stands for a mark, so that nothing else writes one.
const markByte = 0xFF

// word is a token in the order of the texts.
type word struct {
	token  int32
	common int // bytes that it shares with the one before
}

// NewVocabulary lists the tokens from 0 to size. text tells what a token writes, and ends are those that end an answer. A
// token that writes one of the marks stands for it only where a form has that mark.
func NewVocabulary(size int, text func(token int32) (string, bool), ends []int32, marks ...string) *Vocabulary {
	v := &Vocabulary{texts: make([]string, size), ends: map[int32]bool{}, marks: map[string]string{}}
	for _, token := range ends {
		v.ends[token] = true
	}
	for token := range int32(size) {
		written, ok := text(token)
		if !ok || written == "" || v.ends[token] || strings.IndexByte(written, markByte) >= 0 {
			continue
		}
		if i := slices.Index(marks, written); i >= 0 {
			v.marks[written] = string([]byte{markByte, byte(i)})
			written = v.marks[written]
		}
		v.texts[token] = written
		v.longest = max(v.longest, len(written))
		v.sorted = append(v.sorted, word{token: token})
	}
	sort.Slice(v.sorted, func(i, j int) bool { return v.texts[v.sorted[i].token] < v.texts[v.sorted[j].token] })
	for i := 1; i < len(v.sorted); i++ {
		v.sorted[i].common = common(v.texts[v.sorted[i-1].token], v.texts[v.sorted[i].token])
	}
	return v
}

func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func (v *Vocabulary) text(token int32) (text string, ends bool) {
	if token < 0 || int(token) >= len(v.texts) {
		return "", false
	}
	return v.texts[token], v.ends[token]
}

// mask finds the tokens that go on from a state. Words follow each other by their bytes, so that what two of them share is
// walked once.
func (v *Vocabulary) mask(a *automaton, from *state) []uint64 {
	mask := make([]uint64, (len(v.texts)+63)/64)
	behind := []*state{from} // behind as many bytes of the last word as were walked
	for _, w := range v.sorted {
		if w.common < len(behind)-1 {
			behind = behind[:w.common+1]
		}
		at := behind[len(behind)-1]
		if at == dead { // what the words share goes nowhere
			continue
		}
		text := v.texts[w.token]
		for i := len(behind) - 1; i < len(text) && at != dead; i++ {
			at = a.step(at, text[i])
			behind = append(behind, at)
		}
		if at != dead {
			mask[w.token/64] |= 1 << (w.token % 64)
		}
	}
	if from.complete {
		for token := range v.ends {
			if int(token) < len(v.texts) {
				mask[token/64] |= 1 << (token % 64)
			}
		}
	}
	return mask
}
