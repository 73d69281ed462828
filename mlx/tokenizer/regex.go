package tokenizer

// Patterns other than the known ones: a backtracking engine with look-around. It speaks .NET's dialect, files are
// written in Oniguruma's; what the two read differently is refused.

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dlclark/regexp2"
)

type regex struct{ re *regexp2.Regexp }

// foreign lists constructs that Oniguruma and .NET understand differently, beyond those that fail to compile.
const foreign = `&&|\[\[:|\[[^\]]*-\[|\\[hHRXKGyYNO]|\(\?~|\(\?[a-z]*[mWDSP]`

func newPattern(source string) (pattern, error) {
	if known, ok := knownWords(source); ok {
		return known, nil
	}
	if bad := regexp.MustCompile(foreign).FindString(strings.ReplaceAll(source, `\\`, "")); bad != "" {
		return nil, fmt.Errorf("regular expression %q: %q is not supported", source, bad)
	}
	re, err := regexp2.Compile(source, regexp2.Multiline)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", source, err)
	}
	return regex{re}, nil
}

func (x regex) each(text string, match func(start, end int)) {
	runes := []rune(text)
	at, offset := 0, 0 // the same place in runes and in bytes
	advance := func(to int) int {
		offset += len(string(runes[at:to]))
		at = to
		return offset
	}
	m, err := x.re.FindRunesMatch(runes) // an error would be a timeout, and none is set
	for err == nil && m != nil {
		start := advance(m.Index)
		match(start, advance(m.Index+m.Length))
		m, err = x.re.FindNextMatch(m)
	}
}
