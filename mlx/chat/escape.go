package chat

// The escapes of string literals, as Python reads them.

import (
	"strconv"
	"strings"
)

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		text, n := oneEscape(s[i+1:])
		b.WriteString(text)
		i += 1 + n
	}
	return b.String()
}

// oneEscape reads what follows a backslash and returns its text and its length. Unknown escapes stay as they
// are.
func oneEscape(s string) (string, int) {
	simple := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b",
		'f': "\f", 'v': "\v", '\n': ""}
	if text, ok := simple[s[0]]; ok {
		return text, 1
	}
	widths := map[byte]int{'x': 2, 'u': 4, 'U': 8}
	if width := widths[s[0]]; width > 0 && len(s) > width {
		if code, err := strconv.ParseUint(s[1:1+width], 16, 32); err == nil {
			return string(rune(code)), 1 + width
		}
	}
	if s[0] >= '0' && s[0] <= '7' {
		n := 1
		for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		code, _ := strconv.ParseUint(s[:n], 8, 32)
		return string(rune(code)), n
	}
	return `\` + s[:1], 1
}
