package chat

// From source to tokens, with the white space rules that Hugging Face sets: trim_blocks (a line break after a
// block goes) and lstrip_blocks (the indentation before a block goes).

import (
	"fmt"
	"strings"
	"unicode"
)

type tokenKind int

const (
	tokText tokenKind = iota // between tags
	tokOpenPrint
	tokOpenBlock
	tokClose // of either
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
	tokEnd
)

type token struct {
	kind tokenKind
	text string
	line int
}

type lexer struct {
	source    string
	at        int
	line      int
	lineStart bool // the last tag ended a line, or nothing came yet
	tokens    []token
}

func lex(source string) ([]token, error) {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
	for l.at < len(l.source) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	l.emit(tokEnd, "")
	return l.tokens, nil
}

func (l *lexer) emit(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind, text, l.line})
}

func (l *lexer) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", l.line, fmt.Sprintf(format, args...))
}

func (l *lexer) skip(n int) {
	l.line += strings.Count(l.source[l.at:l.at+n], "\n")
	l.at += n
}

// next reads the text up to a tag, and the tag.
func (l *lexer) next() error {
	rest := l.source[l.at:]
	open := nextTag(rest)
	if open < 0 {
		l.emit(tokText, rest)
		l.at = len(l.source)
		return nil
	}
	kind, sign := rest[open+1], byte(0)
	if open+2 < len(rest) && (rest[open+2] == '-' || rest[open+2] == '+') {
		sign = rest[open+2]
	}
	if text := l.trimBefore(rest[:open], kind, sign); text != "" {
		l.emit(tokText, text)
	}
	l.skip(open + 2)
	if sign != 0 {
		l.skip(1)
	}
	switch kind {
	case '#':
		return l.comment()
	case '{':
		l.emit(tokOpenPrint, "")
		return l.code("}}")
	}
	l.emit(tokOpenBlock, "")
	return l.code("%}")
}

func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

// trimBefore returns the text before a tag without the white space that the tag takes away.
func (l *lexer) trimBefore(text string, kind, sign byte) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, pySpace)
	}
	if sign == '+' || kind == '{' {
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || l.lineStart) && strings.TrimFunc(text[start:], pySpace) == "" {
		return text[:start]
	}
	return text
}

// pySpace is white space as Python sees it.
func pySpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1C && r <= 0x1F
}

func (l *lexer) comment() error {
	end := strings.Index(l.source[l.at:], "#}")
	if end < 0 {
		return l.errorf("a comment does not end")
	}
	sign := byte(0)
	if end > 0 {
		sign = l.source[l.at+end-1]
	}
	l.skip(end + 2)
	l.trimAfter(sign, true)
	return nil
}

// trimAfter takes away the white space behind a tag.
func (l *lexer) trimAfter(sign byte, block bool) {
	before := l.at
	switch rest := l.source[l.at:]; {
	case sign == '-':
		l.skip(len(rest) - len(strings.TrimLeftFunc(rest, pySpace)))
	case block && sign != '+' && strings.HasPrefix(rest, "\n"):
		l.skip(1)
	}
	l.lineStart = l.at > before && l.source[l.at-1] == '\n'
}

// code reads tokens up to the end of a tag.
func (l *lexer) code(end string) error {
	depth := 0
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		if depth == 0 {
			for _, sign := range []string{"", "-", "+"} {
				if strings.HasPrefix(rest, sign+end) && !(sign == "+" && end == "}}") {
					l.emit(tokClose, end)
					l.skip(len(sign) + 2)
					l.trimAfter((sign + " ")[0], end == "%}")
					return nil
				}
			}
		}
		change, err := l.codeToken(rest)
		if err != nil {
			return err
		}
		depth += change
	}
	return l.errorf("a tag does not end with %s", end)
}

// codeToken reads one token and returns by how many brackets it goes deeper.
func (l *lexer) codeToken(rest string) (int, error) {
	c := rest[0]
	switch {
	case pySpace(rune(c)):
		l.skip(1)
	case c == '"' || c == '\'':
		return 0, l.stringLiteral(rest)
	case isDigit(c):
		l.number(rest)
	case isNameByte(c):
		n := 1
		for n < len(rest) && (isNameByte(rest[n]) || isDigit(rest[n])) {
			n++
		}
		l.emit(tokName, rest[:n])
		l.skip(n)
	default:
		return l.operator(rest)
	}
	return 0, nil
}

func (l *lexer) operator(rest string) (int, error) {
	for _, op := range []string{"==", "!=", "<=", ">=", "//", "**"} {
		if strings.HasPrefix(rest, op) {
			l.emit(tokOp, op)
			l.skip(2)
			return 0, nil
		}
	}
	if !strings.ContainsRune("+-*/%~()[]{}<>=.,:|", rune(rest[0])) {
		return 0, l.errorf("unexpected character %q", rest[0])
	}
	l.emit(tokOp, rest[:1])
	l.skip(1)
	switch rest[0] {
	case '(', '[', '{':
		return 1, nil
	case ')', ']', '}':
		return -1, nil
	}
	return 0, nil
}

func (l *lexer) number(rest string) {
	n, kind := digits(rest, 0), tokInt
	if n+1 < len(rest) && rest[n] == '.' && isDigit(rest[n+1]) {
		n, kind = digits(rest, n+1), tokFloat
	}
	l.emit(kind, strings.ReplaceAll(rest[:n], "_", ""))
	l.skip(n)
}

func digits(s string, i int) int {
	for i < len(s) && (isDigit(s[i]) || s[i] == '_') {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameByte(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func (l *lexer) stringLiteral(rest string) error {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			l.emit(tokString, unescape(rest[1:i]))
			l.skip(i + 1)
			return nil
		}
	}
	return l.errorf("a string does not end")
}
