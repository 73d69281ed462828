package tokenizer

// The components of a tokenizer.json: each by its type, each with all its fields known.

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"
)

func isNull(data json.RawMessage) bool { return len(data) == 0 || string(data) == "null" }

func typeOf(data json.RawMessage) (string, error) {
	var t struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return "", fmt.Errorf("a component is not an object: %w", err)
	}
	return t.Type, nil
}

// patternJSON is {"String": …} or {"Regex": …}.
type patternJSON struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

func (p patternJSON) parse() (pattern, error) {
	switch {
	case p.String != nil && p.Regex == nil && *p.String != "":
		return literal(*p.String), nil
	case p.Regex != nil && p.String == nil:
		return newPattern(*p.Regex)
	}
	return nil, errors.New("a pattern must be a String that is not empty, or a Regex")
}

func parseNormalizer(data json.RawMessage) (normalizer, error) {
	n, err := parseNormalizerStep(data, new(steps))
	if err != nil {
		return nil, err
	}
	return n, checkGrowth(n)
}

func parseNormalizerStep(data json.RawMessage, count *steps) (normalizer, error) {
	if isNull(data) {
		return normalizers{}, nil
	}
	kind, err := typeOf(data)
	if err != nil {
		return nil, err
	}
	var f struct {
		Type        string            `json:"type"`
		Normalizers []json.RawMessage `json:"normalizers"`
		Prepend     string            `json:"prepend"`
		Pattern     patternJSON       `json:"pattern"`
		Content     string            `json:"content"`
		Left        bool              `json:"strip_left"`
		Right       bool              `json:"strip_right"`
	}
	if err := decodeStrict(data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	switch kind {
	case "Sequence":
		return parseNormalizers(f.Normalizers, count)
	case "NFC":
		return form{norm.NFC}, nil
	case "NFD":
		return form{norm.NFD}, nil
	case "NFKC":
		return form{norm.NFKC}, nil
	case "NFKD":
		return form{norm.NFKD}, nil
	case "Lowercase":
		return lowercase{}, nil
	case "Prepend":
		return prepend(f.Prepend), nil
	case "Strip":
		return strip{f.Left, f.Right}, nil
	case "Replace":
		p, err := f.Pattern.parse()
		return replace{p, f.Content}, err
	}
	return nil, fmt.Errorf("type %q is not supported", kind)
}

func parseNormalizers(list []json.RawMessage, count *steps) (normalizer, error) {
	if err := count.add(len(list)); err != nil {
		return nil, err
	}
	var all normalizers
	for _, data := range list {
		n, err := parseNormalizerStep(data, count)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// preTokenizer is the cutting of words and whether they are spelled in the byte alphabet afterwards.
type preTokenizer struct {
	splitter  splitter
	byteLevel bool
}

type preTokenizerJSON struct {
	Type          string            `json:"type"`
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Pattern       patternJSON       `json:"pattern"`
	Behavior      string            `json:"behavior"`
	Invert        bool              `json:"invert"`
	Individual    bool              `json:"individual_digits"`
	PrefixSpace   *bool             `json:"add_prefix_space"`
	TrimOffsets   *bool             `json:"trim_offsets"` // offsets are not computed here
	UseRegex      *bool             `json:"use_regex"`
	Replacement   string            `json:"replacement"`
	StrRep        string            `json:"str_rep"`
	PrependScheme string            `json:"prepend_scheme"`
	Split         *bool             `json:"split"`
}

func parsePreTokenizer(data json.RawMessage) (preTokenizer, error) {
	return parsePreTokenizerStep(data, new(steps))
}

func parsePreTokenizerStep(data json.RawMessage, count *steps) (preTokenizer, error) {
	if isNull(data) {
		return preTokenizer{splitter: noSplit{}}, nil
	}
	kind, err := typeOf(data)
	if err != nil {
		return preTokenizer{}, err
	}
	var f preTokenizerJSON
	if err := decodeStrict(data, &f); err != nil {
		return preTokenizer{}, fmt.Errorf("%s: %w", kind, err)
	}
	switch kind {
	case "Sequence":
		return parsePreTokenizers(f.PreTokenizers, count)
	case "Split":
		s, err := f.cutter()
		return preTokenizer{splitter: s}, err
	case "Digits":
		return preTokenizer{splitter: f.digits()}, nil
	case "Metaspace":
		s, err := f.metaspace()
		return preTokenizer{splitter: s}, err
	case "ByteLevel":
		s, err := f.byteLevel()
		return preTokenizer{s, true}, err
	}
	return preTokenizer{}, fmt.Errorf("type %q is not supported", kind)
}

func parsePreTokenizers(list []json.RawMessage, count *steps) (preTokenizer, error) {
	var all preTokenizer
	if err := count.add(len(list)); err != nil {
		return all, err
	}
	var steps splitters
	for _, data := range list {
		if all.byteLevel {
			return all, errors.New("Sequence: nothing may follow ByteLevel")
		}
		step, err := parsePreTokenizerStep(data, count)
		if err != nil {
			return all, err
		}
		steps = steps.with(step.splitter)
		all.byteLevel = step.byteLevel
	}
	all.splitter = steps
	return all, nil
}

func (f *preTokenizerJSON) cutter() (splitter, error) {
	p, err := f.Pattern.parse()
	if err != nil {
		return nil, fmt.Errorf("Split: %w", err)
	}
	behaviours := map[string]behaviour{"Removed": removed, "Isolated": isolated, "Contiguous": contiguous,
		"MergedWithPrevious": mergedWithPrevious, "MergedWithNext": mergedWithNext}
	b, ok := behaviours[f.Behavior]
	if !ok {
		return nil, fmt.Errorf("Split: behavior %q is not supported", f.Behavior)
	}
	return cutter{p, b, f.Invert}, nil
}

func (f *preTokenizerJSON) digits() splitter {
	if f.Individual {
		return cutter{numeric{}, isolated, false}
	}
	return cutter{numeric{}, contiguous, false}
}

func (f *preTokenizerJSON) byteLevel() (splitter, error) {
	var steps splitters
	if f.PrefixSpace == nil || *f.PrefixSpace {
		steps = append(steps, prefixSpace{})
	}
	if f.UseRegex == nil || *f.UseRegex {
		words, err := wordsOf(gpt2Words)
		if err != nil {
			return nil, err
		}
		steps = append(steps, words)
	}
	return steps, nil
}

func (f *preTokenizerJSON) metaspace() (splitter, error) {
	if len([]rune(f.Replacement)) != 1 {
		return nil, fmt.Errorf("Metaspace: replacement %q is not one character", f.Replacement)
	}
	m := metaspace{mark: f.Replacement, cut: f.Split == nil || *f.Split}
	switch f.PrependScheme {
	case "always":
		m.always = true
	case "first":
		m.first = true
	case "never":
	case "":
		m.always = f.PrefixSpace == nil || *f.PrefixSpace
	default:
		return nil, fmt.Errorf("Metaspace: prepend_scheme %q is not supported", f.PrependScheme)
	}
	return m, nil
}
