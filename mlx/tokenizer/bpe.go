package tokenizer

// Byte-pair encoding of one word: the pair with the lowest rank is merged first, of equal ranks the leftmost.
// The cost grows as n log n with the length of a word.

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

const (
	cacheSlots     = 1 << 15
	maxCachedWord  = 48 // bytes of a word
	maxUncutWord   = 24 // bytes of a word that is not cut at seams
	byteTokenWidth = len("<0x00>")
)

type bpe struct {
	vocab         map[string]int32
	merges        map[pair]merge
	byteLevel     bool
	byteIDs       [256]int32 // of the byte's character, or of its fallback token; -1 where there is none
	alphabet      [256]rune
	byteFallback  bool
	unk           int32 // -1: characters without a token vanish
	fuseUnk       bool
	ignoreMerges  bool
	seams         *bigrams // nil: words may not be cut
	seed          maphash.Seed
	cache         []atomic.Pointer[cachedWord]
	maxTokenBytes int // most bytes of a word that one token stands for; 0: no bound is known
}

type pair struct{ left, right int32 }

type merge struct{ rank, id int32 }

type cachedWord struct {
	word string
	ids  []int32
}

// prepare fills in what follows from the vocabulary and the merges.
func (m *bpe) prepare() {
	m.alphabet, _ = byteAlphabet()
	for b := range 256 {
		token := string(m.alphabet[b])
		if !m.byteLevel {
			token = fmt.Sprintf("<0x%02X>", b)
		}
		m.byteIDs[b] = lookup(m.vocab, token)
	}
	m.seed = maphash.MakeSeed()
	m.cache = make([]atomic.Pointer[cachedWord], cacheSlots)
	m.seams = m.findSeams()
	m.maxTokenBytes = m.findMaxTokenBytes()
}

func lookup(vocab map[string]int32, token string) int32 {
	if id, ok := vocab[token]; ok {
		return id
	}
	return -1
}

// appendWord appends the ids of one word.
func (m *bpe) appendWord(ids []int32, word string) []int32 {
	if m.ignoreMerges {
		if id, ok := m.vocab[m.alphabetSpelling(word)]; ok {
			return append(ids, id)
		}
	}
	if m.seams == nil || len(word) <= maxUncutWord {
		return m.appendCached(ids, word)
	}
	for word != "" {
		n := m.seams.next(word)
		ids = m.appendCached(ids, word[:n])
		word = word[n:]
	}
	return ids
}

// alphabetSpelling returns a word in the characters of the vocabulary.
func (m *bpe) alphabetSpelling(word string) string {
	if !m.byteLevel {
		return word
	}
	var b strings.Builder
	for i := range len(word) {
		b.WriteRune(m.alphabet[word[i]])
	}
	return b.String()
}

func (m *bpe) appendCached(ids []int32, word string) []int32 {
	if len(word) > maxCachedWord {
		return m.appendMerged(ids, word)
	}
	slot := &m.cache[maphash.String(m.seed, word)%cacheSlots]
	if hit := slot.Load(); hit != nil && hit.word == word {
		return append(ids, hit.ids...)
	}
	before := len(ids)
	ids = m.appendMerged(ids, word)
	slot.Store(&cachedWord{strings.Clone(word), append([]int32(nil), ids[before:]...)})
	return ids
}

func (m *bpe) appendMerged(ids []int32, word string) []int32 {
	w := chain{symbols: make([]symbol, 0, len(word))}
	if m.byteLevel {
		m.addBytes(&w, word)
	} else {
		m.addRunes(&w, word)
	}
	w.mergeAll(m.merges)
	for i := range w.symbols {
		if !w.symbols[i].merged {
			ids = append(ids, w.symbols[i].id)
		}
	}
	return ids
}

// addBytes starts a word of the byte alphabet. The alphabet's characters are looked up one by one, like
// runes.
func (m *bpe) addBytes(w *chain, word string) {
	unknown := unknownRun{model: m, word: w}
	for i := range len(word) {
		if id := m.byteIDs[word[i]]; id >= 0 {
			unknown.end()
			w.add(id)
			continue
		}
		unknown.grow()
	}
	unknown.end()
}

func (m *bpe) addRunes(w *chain, word string) {
	unknown := unknownRun{model: m, word: w}
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		char := word[i : i+n]
		i += n
		if id, ok := m.vocab[char]; ok {
			unknown.end()
			w.add(id)
			continue
		}
		if !m.addFallback(w, char) {
			unknown.grow()
		}
	}
	unknown.end()
}

// addFallback spells a character in byte tokens, if it may and the vocabulary has all of them.
func (m *bpe) addFallback(w *chain, char string) bool {
	if !m.byteFallback {
		return false
	}
	for i := range len(char) {
		if m.byteIDs[char[i]] < 0 {
			return false
		}
	}
	for i := range len(char) {
		w.add(m.byteIDs[char[i]])
	}
	return true
}

// unknownRun holds back the unknown token until the run of unknown characters ends, since they may be fused.
type unknownRun struct {
	model   *bpe
	word    *chain
	pending bool
}

func (u *unknownRun) grow() {
	if u.model.unk < 0 {
		return
	}
	if u.pending && !u.model.fuseUnk {
		u.word.add(u.model.unk)
	}
	u.pending = true
}

func (u *unknownRun) end() {
	if u.pending {
		u.word.add(u.model.unk)
		u.pending = false
	}
}
