package chat

import "fmt"

const maxSourceDepth = 200 // nesting of expressions and blocks

// tokenStream is what is left of a template's tokens, and how deep the parser is in it.
type tokenStream struct {
	tokens []token
	at     int
	depth  int
}

func (s *tokenStream) peek() token { return s.tokens[s.at] }

func (s *tokenStream) take() token {
	t := s.tokens[s.at]
	if t.kind != tokEnd {
		s.at++
	}
	return t
}

func (s *tokenStream) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", s.peek().line, fmt.Sprintf(format, args...))
}

func (s *tokenStream) is(kind tokenKind, text string) bool {
	t := s.peek()
	return t.kind == kind && t.text == text
}

func (s *tokenStream) accept(kind tokenKind, text string) bool {
	if !s.is(kind, text) {
		return false
	}
	s.at++
	return true
}

func (s *tokenStream) op(text string) bool { return s.accept(tokOp, text) }

func (s *tokenStream) word(text string) bool { return s.accept(tokName, text) }

func (s *tokenStream) expect(kind tokenKind, text string) error {
	if !s.accept(kind, text) {
		return s.errorf("expected %q, found %q", text, s.peek().text)
	}
	return nil
}

func (s *tokenStream) name() (string, error) {
	if t := s.peek(); t.kind != tokName {
		return "", s.errorf("expected a name, found %q", t.text)
	}
	return s.take().text, nil
}

func (s *tokenStream) deeper() error {
	if s.depth++; s.depth > maxSourceDepth {
		return s.errorf("nested deeper than %d", maxSourceDepth)
	}
	return nil
}
