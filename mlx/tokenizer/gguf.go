package tokenizer

// Vocabularies of GGUF files. Such a file names the family of its word splitting instead of describing it; an
// unknown name is refused, since a guess would give wrong tokens without an error.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Vocabulary is what a GGUF file's metadata says about its tokenizer (the keys tokenizer.ggml.*).
type Vocabulary struct {
	Model          string // "gpt2": byte-level BPE with merges; "llama": BPE by scores with byte fallback
	Pre            string // family of the word splitting, for "gpt2"
	Tokens         []string
	Scores         []float32
	Types          []int32 // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
	Merges         []string
	BOS, EOS, UNK  int32 // -1: none
	AddBOS, AddEOS bool
	AddSpacePrefix bool
}

const (
	typeUnknown     = 2
	typeControl     = 3
	typeUserDefined = 4
)

// spaceMark is how SentencePiece vocabularies write a space.
const spaceMark = "▁"

// FromGGUF builds a tokenizer from the metadata of a GGUF file.
func FromGGUF(v Vocabulary) (*Tokenizer, error) {
	t, err := v.build()
	if err != nil {
		return nil, fmt.Errorf("load the vocabulary of a GGUF file: %w", err)
	}
	return t, nil
}

func (v *Vocabulary) build() (*Tokenizer, error) {
	if len(v.Types) != len(v.Tokens) {
		return nil, fmt.Errorf("%d tokens, but %d token types (tokenizer.ggml.token_type)", len(v.Tokens), len(v.Types))
	}
	if !slices.Contains(v.Types, typeControl) {
		return nil, errors.New("tokenizer.ggml.token_type names no control token, so nothing would tell turns from text")
	}
	vocab := make(map[string]int32, len(v.Tokens))
	for id, token := range v.Tokens {
		if _, twice := vocab[token]; !twice {
			vocab[token] = int32(id)
		}
	}
	runs := v.renameSpaceRuns(vocab)
	t := &Tokenizer{model: &bpe{vocab: vocab, unk: -1}}
	if err := v.configure(t); err != nil {
		return nil, err
	}
	t.model.prepare()
	if err := t.finish(withSpaceRuns(v.added(vocab), runs)); err != nil {
		return nil, err
	}
	return t, v.setEnds(t)
}

// byScores tells that the vocabulary is BPE by scores with byte fallback.
func (v *Vocabulary) byScores() bool { return v.Model == "llama" }

func (v *Vocabulary) configure(t *Tokenizer) error {
	_, toByte := byteAlphabet()
	t.decoder.toByte = toByte
	switch {
	case v.Model == "gpt2":
		return v.configureByteLevel(t)
	case v.byScores():
		return v.configureScores(t)
	}
	return fmt.Errorf("tokenizer model %q is not supported: only gpt2 and llama are", v.Model)
}

func (v *Vocabulary) configureByteLevel(t *Tokenizer) error {
	t.decoder.byteLevel, t.model.byteLevel = true, true
	if err := v.configureWords(t); err != nil {
		return err
	}
	if v.AddSpacePrefix {
		t.split = splitters{prefixSpace{}, t.split}
	}
	if len(v.Merges) == 0 {
		return errors.New("the merges are missing (tokenizer.ggml.merges)")
	}
	merges := make([]mergeJSON, len(v.Merges))
	for i, line := range v.Merges {
		if err := merges[i].parse(line); err != nil {
			return err
		}
	}
	return t.model.addMerges(merges)
}

func (v *Vocabulary) configureWords(t *Tokenizer) (err error) {
	switch v.Pre {
	case "gpt-2":
		t.split, err = wordsOf(gpt2Words)
	case "smollm", "starcoder", "refact", "command-r":
		t.split, err = wordsOf(gpt2Words)
		t.split = splitters{cutter{numeric{}, isolated, false}, t.split}
	case "llama-bpe", "llama3", "llama-v3":
		t.split, err = wordsOf(llamaWords)
		t.model.ignoreMerges = true
	case "qwen2", "deepseek-r1-qwen":
		t.split, err = wordsOf(qwenWords)
		t.normalize = form{norm.NFC}
	default:
		return fmt.Errorf("pre-tokenizer %q is not supported", v.Pre)
	}
	return err
}

func (v *Vocabulary) configureScores(t *Tokenizer) error {
	if len(v.Scores) != len(v.Tokens) {
		return fmt.Errorf("%d tokens, but %d scores", len(v.Tokens), len(v.Scores))
	}
	m := t.model
	m.byteFallback, m.fuseUnk = true, true
	if v.UNK >= 0 && int(v.UNK) < len(v.Tokens) {
		m.unk = v.UNK
	}
	steps := normalizers{replace{literal(" "), spaceMark}}
	if v.AddSpacePrefix {
		steps = append(normalizers{prepend(spaceMark)}, steps...)
		t.decoder.strip, t.decoder.maxStrip = ' ', 1
	}
	t.normalize = steps
	t.decoder.replaces = []replace{{literal(spaceMark), " "}}
	t.decoder.byteFallback = true
	return v.mergesByScore(m)
}

// mergesByScore makes a merge of every way to part a token into two others. The higher a token's score the
// earlier it is merged; merges of equal score have equal rank, so that the leftmost goes first.
func (v *Vocabulary) mergesByScore(m *bpe) error {
	scores := slices.Clone(v.Scores)
	if slices.ContainsFunc(scores, func(s float32) bool { return s != s }) {
		return errors.New("a score is not a number")
	}
	slices.Sort(scores)
	scores = slices.Compact(scores)
	m.merges = make(map[pair]merge)
	for id, token := range v.Tokens {
		if !v.isText(id) || m.vocab[token] != int32(id) {
			continue
		}
		place, _ := slices.BinarySearch(scores, v.Scores[id])
		v.addSplits(m, token, merge{int32(len(scores) - 1 - place), int32(id)})
	}
	return nil
}

const maxSplitToken = 512 // characters; longer ones are not parted

func (v *Vocabulary) addSplits(m *bpe, token string, rule merge) {
	if len(token) > maxSplitToken {
		return
	}
	for i := range token {
		left, hasLeft := m.vocab[token[:i]]
		right, hasRight := m.vocab[token[i:]]
		if i > 0 && hasLeft && hasRight && v.isText(int(left)) && v.isText(int(right)) {
			m.merges[pair{left, right}] = rule
		}
	}
}

// isText tells whether merging may give the token.
func (v *Vocabulary) isText(id int) bool {
	kind := v.Types[id]
	return kind == 1 || kind == typeUserDefined || kind == 5
}

// added are the tokens that are found in the text before it is cut: control tokens as special ones.
func (v *Vocabulary) added(vocab map[string]int32) []addedToken {
	var added []addedToken
	for id, token := range v.Tokens {
		kind := v.Types[id]
		special := kind == typeControl || kind == typeUnknown
		if token == "" || vocab[token] != int32(id) || !special && kind != typeUserDefined {
			continue
		}
		added = append(added, addedToken{ID: int32(id), Content: strings.Clone(token), Special: special})
	}
	return added
}

func (v *Vocabulary) setEnds(t *Tokenizer) error {
	t.bos, t.eos = v.BOS, v.EOS
	for _, id := range []int32{v.BOS, v.EOS} {
		if id != -1 && !t.has(id) {
			return fmt.Errorf("the token %d that begins or ends a text is not in the vocabulary", id)
		}
	}
	if v.AddBOS && v.BOS >= 0 {
		t.prefix = []int32{v.BOS}
	}
	if v.AddEOS && v.EOS >= 0 {
		t.suffix = []int32{v.EOS}
	}
	return nil
}
