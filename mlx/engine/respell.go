package engine

import (
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Spelling knows the ways in which tokens can spell a text. A sampled answer is often not spelled as the tokenizer
// would spell its text, so that the prompt of the next turn, which has the text only, names other tokens than those
// whose KV is there.
type Spelling interface {
	// Text returns the bytes that a token stands for, and false for one that carries no text.
	Text(token int32) (string, bool)
	// Beginnings returns the tokens that a spelling of text can begin with, the longest first.
	Beginnings(text string) []int32
	// Longest is as many bytes of a text as Beginnings looks at.
	Longest() int
}

// respell puts the tokens of one of the blocks that continue parent in place of other tokens of the same text in the
// prompt from a block's border on, if that makes more of the prompt known. The tags of the block tell which tokens it
// was: of the few that can go on at each place, the one whose tag is there. It reports whether a whole block was matched
// in this way.
func (e *Engine) respell(seq *sequence, from int, parent kv.Key, children []kv.Entry) (whole bool) {
	if seq.spelling == nil || seq.generated() > 0 {
		return false
	}
	rest := seq.tokens[from : len(seq.tokens)-1]
	wanted := seq.tenant.Tags(e.spec.Fingerprint, parent, rest[:min(len(rest), BlockTokens)])
	best := spelled{taken: mostCommon(children, wanted)}
	for _, child := range children {
		w := &walk{spelling: seq.spelling, rest: rest, tagger: seq.tenant.Tagger(e.spec.Fingerprint, parent)}
		if found := w.along(child.Tags); found.taken > best.taken {
			best = found
		}
	}
	if best.tokens == nil || !e.fitsRespelled(seq, len(best.tokens)-best.taken) {
		return false
	}
	tokens := slices.Concat(seq.tokens[:from], best.tokens, seq.tokens[from+best.taken:])
	seq.tokens, seq.prompt = tokens, len(tokens)
	seq.result.Usage.Prompt = len(tokens)
	return best.whole
}

// mostCommon is how many of the wanted tags one of the blocks begins with.
func mostCommon(children []kv.Entry, wanted []kv.Tag) (most int) {
	for _, child := range children {
		most = max(most, kv.Common(child.Tags, wanted))
	}
	return most
}

// fitsRespelled tells whether the request may get so many tokens longer.
func (e *Engine) fitsRespelled(seq *sequence, more int) bool {
	total := len(seq.tokens) + more + seq.maxTokens
	return total <= e.spec.Context && total <= e.pool.Capacity()*BlockTokens
}

// spelled is a beginning of a prompt in other tokens.
type spelled struct {
	tokens []int32
	taken  int  // tokens of the prompt that they replace
	whole  bool // every token of a full block was matched
}

// walk goes along a block's tags and the text of a prompt at once.
type walk struct {
	spelling Spelling
	tagger   *kv.Tagger
	rest     []int32 // of the prompt
	at       int     // token of rest
	inside   int     // bytes of that token that are spelled already
	tokens   []int32
}

// along matches as many of the tags as it can, and then spells out the token of the prompt that it ended inside of.
func (w *walk) along(tags []kv.Tag) spelled {
	for _, tag := range tags {
		if !w.step(tag) {
			break
		}
	}
	whole := len(w.tokens) == len(tags) && len(tags) == BlockTokens
	if w.inside > 0 && !w.complete() {
		return spelled{}
	}
	return spelled{tokens: w.tokens, taken: w.at, whole: whole}
}

// step finds the token that the tag stands for.
func (w *walk) step(tag kv.Tag) bool {
	if w.at == len(w.rest) {
		return false
	}
	if w.inside == 0 && w.accept(w.rest[w.at], tag) {
		w.at++
		return true
	}
	for _, token := range w.spelling.Beginnings(w.ahead()) {
		if w.accept(token, tag) {
			text, _ := w.spelling.Text(token)
			w.advance(len(text))
			return true
		}
	}
	return false
}

func (w *walk) accept(token int32, tag kv.Tag) bool {
	if w.tagger.Try(token) != tag {
		return false
	}
	w.tagger.Accept(tag)
	w.tokens = append(w.tokens, token)
	return true
}

// ahead is the text from here on, as far as it matters and up to the next token without text.
func (w *walk) ahead() string {
	text, from := "", w.inside
	for _, token := range w.rest[w.at:] {
		more, ok := w.spelling.Text(token)
		if !ok || len(text) >= w.spelling.Longest() {
			break
		}
		text += more[from:]
		from = 0
	}
	return text
}

// advance goes n bytes on in the prompt.
func (w *walk) advance(n int) {
	for n > 0 {
		text, _ := w.spelling.Text(w.rest[w.at])
		step := min(n, len(text)-w.inside)
		n -= step
		w.inside += step
		if w.inside == len(text) {
			w.at, w.inside = w.at+1, 0
		}
	}
}

// complete spells what is left of the prompt's present token.
func (w *walk) complete() bool {
	text, _ := w.spelling.Text(w.rest[w.at])
	for left := text[w.inside:]; left != ""; {
		first := w.spelling.Beginnings(left)
		if len(first) == 0 {
			return false
		}
		w.tokens = append(w.tokens, first[0])
		piece, _ := w.spelling.Text(first[0])
		left = left[len(piece):]
	}
	w.at, w.inside = w.at+1, 0
	return true
}
