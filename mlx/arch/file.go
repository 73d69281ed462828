package arch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Kind is the kind of a model's files.
type Kind int

// The two kinds: a folder with config.json and safetensors, and a GGUF file.
const (
	Folder Kind = iota
	GGUF
)

// File is what a model's file says of the model.
type File struct {
	Kind        Kind
	Settings    map[string]any // config.json's keys or a GGUF's; numbers are float64, int64 or uint64
	Vocabulary  int            // of a GGUF: the rows of its embeddings
	RopeFactors []float32      // of a GGUF: its rope_freqs.weight, nil without
	// Of a GGUF: its rope_factors_short.weight and rope_factors_long.weight, nil without.
	ShortRopeFactors, LongRopeFactors []float32
	// HasTensor reports whether a GGUF holds a tensor; nil for none.
	HasTensor func(name string) bool
}

// key is what a setting is called in config.json, and in a GGUF behind the family's name. Empty: it has none.
type key struct{ folder, gguf string }

// settings reads a file's settings for one family. The first that is wrong sticks in err.
type settings struct {
	file   File
	prefix string // of a GGUF's keys
	err    error
}

func (s *settings) name(k key) string {
	switch {
	case s.file.Kind == Folder:
		return k.folder
	case k.gguf == "":
		return ""
	}
	return s.prefix + "." + k.gguf
}

// value is a setting, nil for one that is null. Present tells null from absent.
func (s *settings) value(k key) (v any, present bool) {
	name := s.name(k)
	if name == "" {
		return nil, false
	}
	v, present = s.file.Settings[name]
	return v, present
}

func (s *settings) fail(k key, v any, expected string) {
	if s.err == nil {
		s.err = fmt.Errorf("the setting %s is %s, expected %s", s.name(k), excerpt(v), expected)
	}
}

// excerpt is a value for a message of one line, texts in quotes.
func excerpt(v any) string {
	text := fmt.Sprint(v)
	if _, quoted := v.(string); quoted || strings.ContainsFunc(text, unicode.IsControl) {
		text = strconv.Quote(text)
	}
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}

// number is a setting, or otherwise when the file has none or null.
func (s *settings) number(k key, otherwise float64) float64 {
	switch v, _ := s.value(k); v := v.(type) {
	case nil:
		return otherwise
	case float64:
		return v
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	default:
		s.fail(k, v, "a number")
		return otherwise
	}
}

// whole is number for a whole one.
func (s *settings) whole(k key, otherwise int) int {
	v := s.number(k, float64(otherwise))
	if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
		s.fail(k, v, "a whole number that is not too large")
		return otherwise
	}
	return int(v)
}

// optional is a number that null switches off: zero then, and absent when the file says nothing of it.
func (s *settings) optional(k key, absent float64) float64 {
	if s.null(k) {
		return 0
	}
	return s.number(k, absent)
}

// optionalWhole is optional for a whole number.
func (s *settings) optionalWhole(k key, absent int) int {
	if s.null(k) {
		return 0
	}
	return s.whole(k, absent)
}

func (s *settings) null(k key) bool {
	v, present := s.value(k)
	return present && v == nil
}

// text is a setting, empty when the file has none or null.
func (s *settings) text(k key) string { return valueOf[string](s, k, "a text") }

// flag is a setting, false when the file has none or null.
func (s *settings) flag(k key) bool { return valueOf[bool](s, k, "true or false") }

func valueOf[T any](s *settings, k key, expected string) (out T) {
	v, _ := s.value(k)
	if v == nil {
		return out
	}
	out, ok := v.(T)
	if !ok {
		s.fail(k, v, expected)
	}
	return out
}

// nested are the settings under a key, nil when the file has none or null.
func (s *settings) nested(k key) map[string]any {
	return valueOf[map[string]any](s, k, "an object")
}

// texts is a list, nil when the file has none or null.
func (s *settings) texts(k key) []string {
	list := valueOf[[]any](s, k, "a list of texts")
	out := make([]string, len(list))
	for i, v := range list {
		text, ok := v.(string)
		if !ok {
			s.fail(k, list, "a list of texts")
		}
		out[i] = text
	}
	return slices.Clip(out)
}

// wholes is a list of whole numbers, nil when the file has none or null.
func (s *settings) wholes(k key) (out []int) {
	isWhole := func(v float64) bool { return v == math.Trunc(v) && math.Abs(v) <= math.MaxInt32 }
	for _, v := range s.numbers(k, "a list of whole numbers", isWhole) {
		out = append(out, int(v))
	}
	return out
}

// numbers is a list of those that are right, nil when the file has none or null.
func (s *settings) numbers(k key, expected string, isRight func(float64) bool) []float64 {
	list := valueOf[[]any](s, k, expected)
	out := make([]float64, len(list))
	for i, v := range list {
		number, ok := v.(float64)
		if !ok || !isRight(number) {
			s.fail(k, list, expected)
			return nil
		}
		out[i] = number
	}
	return out
}

// has reports whether a GGUF holds a tensor.
func (s *settings) has(tensor string) bool {
	return s.file.HasTensor != nil && s.file.HasTensor(tensor)
}
