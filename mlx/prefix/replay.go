package prefix

import (
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// maxTrails is how many spellings of one answer are followed across a block's border. An answer that was
// sampled more often than that in as many spellings, all of this very text, is found if one of the first is
// the one.
const maxTrails = 16

// sampled returns the tokens in which the text of tokens [from, to) was sampled as a whole answer, or nil.
func (m *Matcher) sampled(match *Match, from, to int) []kv.Token {
	a := m.answer(kv.IDs(match.Tokens[from:to]))
	if a == nil {
		return nil
	}
	first := from / kv.BlockTokens
	s := &search{Matcher: m, answer: a}
	sampled := s.follow(parentKey(match.Keys, first), match.Tokens[first*kv.BlockTokens:from], trail{})
	if sampled == nil {
		match.Ends = append(match.Ends, s.ends...)
	}
	return sampled
}

// answer is the text that is looked for.
type answer struct {
	text      string
	canonical map[int]int32 // the tokens in which the prompt spells it, by the byte at which they begin
}

// answer is the text of canonical tokens, or nil if one of them carries no text.
func (m *Matcher) answer(ids []int32) *answer {
	a := &answer{canonical: make(map[int]int32, len(ids))}
	var text []byte
	for _, id := range ids {
		piece, ok := m.Spelling.Text(id)
		if !ok {
			return nil
		}
		a.canonical[len(text)] = id
		text = append(text, piece...)
	}
	a.text = string(text)
	return a
}

// trail is a way through the blocks along an answer's text.
type trail struct {
	tokens     []kv.Token // of the answer so far
	at         int        // bytes of the text that they spell
	inAnswer   bool       // whether they end within a sampled answer
	anySampled bool       // whether any of them was sampled
}

// with goes on by a token of so many bytes. The trail before must not be gone on with otherwise.
func (t trail) with(token kv.Token, bytes int) trail {
	open := token.Generated() && token&kv.Closes == 0
	return trail{append(t.tokens, token), t.at + bytes, open, t.anySampled || token.Generated()}
}

// fork is a trail that can be gone on with beside t.
func (t trail) fork() trail {
	t.tokens = slices.Clone(t.tokens)
	return t
}

// search looks for one answer.
type search struct {
	*Matcher
	answer *answer
	trails int      // followed across a border
	ends   []kv.Key // the blocks before those borders
}

// follow goes on with a trail in the block behind parent, of which the tokens of lead are known.
func (s *search) follow(parent kv.Key, lead []kv.Token, t trail) []kv.Token {
	w := &walk{search: s, tagger: s.Tenant.Tagger(s.Fingerprint, parent)}
	tags := s.Tenant.Tags(s.Fingerprint, parent, lead)
	var last kv.Tag
	if len(tags) > 0 {
		last = tags[len(tags)-1]
	}
	s.Cache.Browse(s.space(), parent, func(b kv.Branch) {
		if b, n := b.Along(tags); n == len(tags) && w.answerTokens == nil {
			w.along(b, last, t, kv.BlockTokens-len(lead))
		}
	})
	if w.answerTokens != nil {
		return w.answerTokens
	}
	for _, t := range w.unfinished {
		if s.trails++; s.trails > maxTrails {
			return nil
		}
		block := slices.Concat(lead, t.tokens)
		block = block[len(block)-kv.BlockTokens:]
		end := s.Tenant.Key(s.Fingerprint, parent, block)
		s.ends = append(s.ends, end)
		if found := s.follow(end, nil, t); found != nil {
			return found
		}
	}
	return nil
}

// walk goes along the tags of the blocks behind one parent and along the text at once.
type walk struct {
	*search
	tagger       *kv.Tagger
	answerTokens []kv.Token // the whole answer
	unfinished   []trail    // that end with the block
}

// along follows the trail from a branch behind the tag last, for as many tokens as the block has left.
func (w *walk) along(b kv.Branch, last kv.Tag, t trail, remaining int) {
	for w.answerTokens == nil {
		if t.at == len(w.answer.text) {
			w.answerTokens = t.tokens // whole, since only a token that closes an answer can come last
			return
		}
		if remaining == 0 {
			w.unfinished = append(w.unfinished, t)
			return
		}
		steps := w.steps(b, last, t)
		if len(steps) == 0 {
			return
		}
		remaining--
		for _, s := range steps[:len(steps)-1] {
			w.along(s.branch, s.tag, t.fork().with(s.token, s.bytes), remaining)
		}
		s := steps[len(steps)-1]
		b, last, t = s.branch, s.tag, t.with(s.token, s.bytes)
	}
}

// step is one token further.
type step struct {
	branch kv.Branch
	tag    kv.Tag
	token  kv.Token
	bytes  int
}

// steps are the tokens that the text can go on with and that a block has there, the canonical one first.
func (w *walk) steps(b kv.Branch, last kv.Tag, t trail) (steps []step) {
	canonical, isBorder := w.answer.canonical[t.at]
	if isBorder {
		steps = w.appendSteps(steps, b, last, t, canonical)
	}
	if len(steps) > 0 && b.Single() {
		return steps
	}
	for _, id := range w.Spelling.Beginnings(w.answer.text[t.at:]) {
		if !isBorder || id != canonical {
			steps = w.appendSteps(steps, b, last, t, id)
		}
	}
	return steps
}

// appendSteps adds the steps that a token makes possible, one for each set of marks that it can have there.
func (w *walk) appendSteps(steps []step, b kv.Branch, last kv.Tag, t trail, id int32) []step {
	text, _ := w.Spelling.Text(id)
	for _, token := range w.marksOf(t, id, t.at+len(text) == len(w.answer.text)) {
		w.tagger.Accept(last)
		tag := w.tagger.Try(token)
		if next, ok := b.Next(tag); ok {
			steps = append(steps, step{next, tag, token, len(text)})
		}
	}
	return steps
}

// marksOf returns what a token can be behind a trail: one of a sampled answer, or of the part of the turn
// that the prompt had put into the assistant's mouth before.
func (w *walk) marksOf(t trail, id int32, isLast bool) (roles []kv.Token) {
	token := kv.Token(id) | kv.Generated
	if !t.inAnswer {
		token |= kv.Opens
	}
	if !isLast {
		roles = append(roles, token)
	}
	roles = append(roles, token|kv.Closes)
	if canonical, ok := w.answer.canonical[t.at]; ok && canonical == id && !t.anySampled && !isLast {
		roles = append(roles, kv.Token(id))
	}
	return roles
}
