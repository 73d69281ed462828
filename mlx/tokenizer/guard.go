package tokenizer

// Guards keep the words of a user from becoming special tokens, also after a chat template put them in the
// middle of its own. A guard is a noncharacter inside the look-alike; it is gone before the text is cut into
// words, so guarded text gives the tokens of ordinary text. A noncharacter of that kind in the user's text is
// doubled.

import (
	"strings"
	"unicode/utf8"
)

// GuardMark is the character of which guards are made.
const GuardMark = "\uFDD0"

// Guard returns user in a form in which Encode finds no special token, whatever is written before or after
// it; Encode reads it as exactly the text of user.
func (t *Tokenizer) Guard(user string) string {
	user = strings.ReplaceAll(validUTF8(user), GuardMark, GuardMark+GuardMark)
	var b strings.Builder
	done := 0
	for i := 0; i < len(user); i++ {
		if !t.lookalikes.starts[user[i]] {
			continue
		}
		if token, _, open := t.lookalikes.longest(user, i); token < 0 && !open {
			continue
		}
		_, width := utf8.DecodeRuneInString(user[i:])
		b.WriteString(user[done : i+width])
		b.WriteString(GuardMark)
		done = i + width
	}
	if done == 0 {
		return user
	}
	b.WriteString(user[done:])
	return b.String()
}

// unguard takes the guards out again: of two marks one is text, a single one is nothing.
func unguard(text string) string {
	if !strings.Contains(text, GuardMark) {
		return text
	}
	parts := strings.Split(text, GuardMark+GuardMark)
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(part, GuardMark, "")
	}
	return strings.Join(parts, GuardMark)
}
