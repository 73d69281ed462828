package tokenizer

// Added tokens: those that are found in the text before it is cut into words. The longest one at the leftmost
// place wins, as in an Aho-Corasick automaton of that kind.

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// span is a part of a text: an added token, or with id -1 the text between two of them.
type span struct {
	start, end int
	id         int32
}

type addedTokens struct {
	nodes   []trieNode
	starts  [256]bool
	tokens  []addedToken
	special bool // whether any of them is special
}

type trieNode struct {
	next  []trieEdge
	token int32 // index into tokens, -1 where none ends
}

type trieEdge struct {
	b    byte
	node int32
}

func newAddedTokens() *addedTokens { return &addedTokens{nodes: []trieNode{{token: -1}}} }

// add makes spelling stand for token.
func (a *addedTokens) add(spelling string, token addedToken) {
	if spelling == "" {
		return
	}
	at := int32(0)
	for i := range len(spelling) {
		at = a.child(at, spelling[i])
	}
	a.nodes[at].token = int32(len(a.tokens))
	a.tokens = append(a.tokens, token)
	a.starts[spelling[0]] = true
	a.special = a.special || token.Special
}

func (a *addedTokens) child(at int32, b byte) int32 {
	if n, ok := a.nodes[at].follow(b); ok {
		return n
	}
	n := int32(len(a.nodes))
	a.nodes = append(a.nodes, trieNode{token: -1})
	a.nodes[at].next = append(a.nodes[at].next, trieEdge{b, n})
	return n
}

func (n *trieNode) follow(b byte) (int32, bool) {
	for _, e := range n.next {
		if e.b == b {
			return e.node, true
		}
	}
	return 0, false
}

// longest finds the longest token that starts at text[i]; token is -1 where none does. open tells whether the
// text ended inside a longer token.
func (a *addedTokens) longest(text string, i int) (token int32, end int, open bool) {
	token, at := int32(-1), int32(0)
	for j := i; j < len(text); j++ {
		n, ok := a.nodes[at].follow(text[j])
		if !ok {
			return token, end, false
		}
		at = n
		if a.nodes[at].token >= 0 {
			token, end = a.nodes[at].token, j+1
		}
	}
	return token, end, len(a.nodes[at].next) > 0
}

// each calls visit for the spans of text, in order, none of them empty.
func (a *addedTokens) each(text string, visit func(span)) {
	done := 0
	for i := 0; i < len(text) && len(a.tokens) > 0; {
		if !a.starts[text[i]] {
			i++
			continue
		}
		index, end, _ := a.longest(text, i)
		if index < 0 {
			i++
			continue
		}
		token := a.tokens[index]
		if !token.SingleWord || isSingleWord(text, i, end) {
			start, stop := token.withStrippedSpace(text, max(i, done), end)
			start = max(start, done)
			emit(visit, span{done, start, -1})
			emit(visit, span{start, stop, token.ID})
			done = stop
		}
		i = max(end, done)
	}
	emit(visit, span{done, len(text), -1})
}

func emit(visit func(span), s span) {
	if s.start < s.end {
		visit(s)
	}
}

// withStrippedSpace widens a match over the white space that belongs to the token.
func (t addedToken) withStrippedSpace(text string, start, end int) (int, int) {
	if t.LStrip {
		start = len(strings.TrimRightFunc(text[:start], unicode.IsSpace))
	}
	if t.RStrip {
		end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
	}
	return start, end
}

func isSingleWord(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return (start == 0 || !unicode.Is(wordsOfRust, before)) && (end == len(text) || !unicode.Is(wordsOfRust, after))
}
