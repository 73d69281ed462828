package enginetest

import (
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// Encode returns the bytes of text as tokens.
func Encode(text string) []int32 {
	tokens := make([]int32, len(text))
	for i := range len(text) {
		tokens[i] = int32(text[i])
	}
	return tokens
}

// Spelling spells texts in byte tokens.
type Spelling struct{}

// Text implements prefix.Spelling.
func (Spelling) Text(token int32) (string, bool) {
	if token > 255 {
		return "", false
	}
	return string([]byte{byte(token)}), true
}

// Beginnings implements prefix.Spelling.
func (Spelling) Beginnings(text string) []int32 {
	if text == "" {
		return nil
	}
	return []int32{int32(text[0])}
}

// NewDecoder returns a decoder of byte tokens that lets whole characters through only.
func NewDecoder() engine.TextDecoder { return &decoder{} }

type decoder struct{ held []byte }

func (d *decoder) Push(token int32) string {
	if token > 255 {
		return ""
	}
	d.held = append(d.held, byte(token))
	if !utf8.FullRune(d.held) {
		return ""
	}
	return d.Flush()
}

func (d *decoder) Flush() string {
	text := string(d.held)
	d.held = d.held[:0]
	return text
}

// Say returns a Config.Answer that writes text after the last AnswerToken and then ends.
func Say(text string) func(tokens []int32) int32 {
	return func(tokens []int32) int32 {
		for i := len(tokens) - 1; i >= 0; i-- {
			if tokens[i] != AnswerToken {
				continue
			}
			if said := len(tokens) - 1 - i; said < len(text) {
				return int32(text[said])
			}
			return EndToken
		}
		return -1
	}
}
