package tokenizer

// Seams: two neighbouring characters that no merge ever brings into one token can be parted beforehand, and
// what is left and right of them merged on its own: the result is the same, since no merge reaches across.
// Vocabularies without word splitting (Gemma) give one "word" per text; seams make of it many short ones,
// which can be cached.

import "unicode/utf8"

const bigramBits = 1 << 22

// bigrams is a set of pairs of characters; it may claim a pair that it does not hold, which costs a seam
// only.
type bigrams struct {
	bits    []uint64
	byBytes bool // characters are bytes
}

func (m *bpe) findSeams() *bigrams {
	if !m.canCut() {
		return nil
	}
	b := &bigrams{bits: make([]uint64, bigramBits/64), byBytes: m.byteLevel}
	_, toByte := byteAlphabet()
	spelling := m.spellings()
	for p := range m.merges {
		last, _ := utf8.DecodeLastRuneInString(spelling[p.left])
		first, _ := utf8.DecodeRuneInString(spelling[p.right])
		if m.byteLevel {
			last, first = rune(toByte[last]), rune(toByte[first])
		}
		b.add(last, first)
	}
	return b
}

// canCut tells whether characters keep to themselves before merging: none is unknown (those vanish or are
// fused), and no byte token takes part in a merge.
func (m *bpe) canCut() bool {
	if !m.byteLevel && !m.byteFallback {
		return false
	}
	isByte := make(map[int32]bool, 256)
	for _, id := range m.byteIDs {
		if id < 0 {
			return false
		}
		isByte[id] = !m.byteLevel
	}
	for p := range m.merges {
		if isByte[p.left] || isByte[p.right] {
			return false
		}
	}
	return true
}

func (m *bpe) spellings() map[int32]string {
	spelling := make(map[int32]string, len(m.vocab))
	for token, id := range m.vocab {
		spelling[id] = token
	}
	return spelling
}

func (b *bigrams) add(left, right rune) {
	i := hashPair(left, right)
	b.bits[i/64] |= 1 << (i % 64)
}

func (b *bigrams) has(left, right rune) bool {
	i := hashPair(left, right)
	return b.bits[i/64]&(1<<(i%64)) != 0
}

func hashPair(left, right rune) uint64 {
	return (uint64(left)<<32 | uint64(right)) * 0x9E3779B97F4A7C15 >> 42 % bigramBits
}

// next is the length of word up to its first seam, or all of it.
func (b *bigrams) next(word string) int {
	if b.byBytes {
		for i := 1; i < len(word); i++ {
			if !b.has(rune(word[i-1]), rune(word[i])) {
				return i
			}
		}
		return len(word)
	}
	left, i := utf8.DecodeRuneInString(word)
	for i < len(word) {
		right, n := utf8.DecodeRuneInString(word[i:])
		if !b.has(left, right) {
			return i
		}
		left, i = right, i+n
	}
	return len(word)
}
