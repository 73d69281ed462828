package engine_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// pairs spells texts of a and b: beside the single letters there is a token for each pair of them.
type pairs struct{}

var pairText = map[int32]string{200: "aa", 201: "ab", 202: "ba", 203: "bb", 'a': "a", 'b': "b"}

func (pairs) Text(token int32) (string, bool) { text, ok := pairText[token]; return text, ok }
func (pairs) Beginnings(text string) (tokens []int32) {
	for _, token := range []int32{200, 201, 202, 203, 'a', 'b'} {
		if strings.HasPrefix(text, pairText[token]) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

type pairDecoder struct{}

func (pairDecoder) Push(token int32) string { return pairText[token] }
func (pairDecoder) Flush() string           { return "" }

// canonical spells a text with as many pairs as it has.
func canonical(text string) (tokens []int32) {
	for text != "" {
		token := pairs{}.Beginnings(text)[0]
		tokens = append(tokens, token)
		text = text[len(pairText[token]):]
	}
	return tokens
}

func textOf(tokens []int32) (text string) {
	for _, token := range tokens {
		text += pairText[token]
	}
	return text
}

// script answers prompts that end with an AnswerToken with the tokens of the day, and others by the hash.
type script struct {
	mu    sync.Mutex
	today []int32
}

func (s *script) answer(tokens []int32) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(tokens)
	for at > 0 && pairText[tokens[at-1]] != "" && len(tokens)-at < len(s.today) {
		at--
	}
	switch said := len(tokens) - at; {
	case at == 0 || tokens[at-1] != enginetest.AnswerToken:
		return -1
	case said < len(s.today):
		return s.today[said]
	}
	return enginetest.EndToken
}

// turn is what was said and how it was sampled.
type turn struct {
	asked    int32 // a token of the user's
	sampled  []int32
	complete bool // by the end token, not by max_tokens
}

// spoken are conversations by their turns, and the tokens in which this server sampled an answer behind each.
type spoken struct {
	model  *enginetest.Model
	engine *engine.Engine
	script *script
	// sampled has the spellings of whole answers by the tokens before them and their text.
	sampled map[string][][]kv.Token
}

func keyOf(before []kv.Token, text string) string {
	var b strings.Builder
	for _, token := range before {
		b.WriteString(string([]byte{byte(token), byte(token >> 8), byte(token >> 24)}))
	}
	return b.String() + "|" + text
}

// prompt renders turns with the texts given, and says where they lie.
func render(turns []turn, texts []string, ask int32) (tokens []int32, answers []prefix.Span) {
	for i, turn := range turns {
		tokens = append(tokens, turn.asked, enginetest.AnswerToken)
		from := len(tokens)
		tokens = append(tokens, canonical(texts[i])...)
		answers = append(answers, prefix.Span{From: from, To: len(tokens)})
		tokens = append(tokens, enginetest.EndToken)
	}
	return append(tokens, ask), answers
}

// ways are all the token sequences that a prompt may have by the rule: each answer's canonical tokens, or those of a
// whole answer of this text that was sampled behind the tokens before it.
func (s *spoken) ways(turns []turn, texts []string, ask int32) [][]kv.Token {
	ways := [][]kv.Token{nil}
	for i, turn := range turns {
		var longer [][]kv.Token
		for _, way := range ways {
			before := append(slices.Clone(way), kv.Token(turn.asked), kv.Token(enginetest.AnswerToken))
			for _, answer := range append(s.sampled[keyOf(before, texts[i])], kv.PromptTokens(canonical(texts[i]))) {
				longer = append(longer, slices.Concat(before, answer, []kv.Token{kv.Token(enginetest.EndToken)}))
			}
		}
		ways = longer
	}
	for i := range ways {
		ways[i] = append(ways[i], kv.Token(ask))
	}
	return ways
}

// Whatever others have said, sent or stored: a prompt is computed in its canonical tokens, but for whole answers of this
// tenant, and what follows is what follows from those tokens, each computed by the kernels of its role.
func TestOnlyWholeSampledAnswersChangeTokens(t *testing.T) {
	s := &spoken{script: &script{}}
	s.model = enginetest.New(enginetest.Config{NoEnd: true, Answer: s.script.answer})
	replayed := 0
	var stop func()
	s.engine, stop = start(t, s.model, remember(40))
	defer stop()
	s.sampled = map[string][][]kv.Token{}
	var talks [][]turn
	rapid.Check(t, func(r *rapid.T) {
		var turns []turn
		if len(talks) > 0 && rapid.Bool().Draw(r, "goes on") {
			turns = slices.Clone(rapid.SampledFrom(talks).Draw(r, "talk"))
		}
		texts := make([]string, len(turns))
		for i, turn := range turns {
			texts[i] = drawText(r, textOf(turn.sampled))
		}
		replayed += s.check(r, turns, texts)
		talks = append(talks, s.goOn(r, turns, texts))
	})
	if replayed < 10 {
		t.Errorf("%d prompts were computed in sampled tokens: the test shows little", replayed)
	}
}

// drawText is the text as it was, or shortened, lengthened or changed.
func drawText(r *rapid.T, text string) string {
	switch rapid.IntRange(0, 9).Draw(r, "change") {
	case 0:
		return text[:rapid.IntRange(1, len(text)).Draw(r, "cut")]
	case 1:
		return text + rapid.SampledFrom([]string{"a", "b", "ab", "bb"}).Draw(r, "more")
	case 2:
		at := rapid.IntRange(0, len(text)-1).Draw(r, "at")
		return text[:at] + rapid.SampledFrom([]string{"a", "b"}).Draw(r, "other") + text[at+1:]
	}
	return text
}

func (s *spoken) ask(r *rapid.T, tokens []int32, answers []prefix.Span, most int) engine.Result {
	req := request("", most)
	req.Tokens, req.Answers, req.Spelling = tokens, answers, pairs{}
	req.NewDecoder = func() engine.TextDecoder { return pairDecoder{} }
	_, result, err := answer(s.engine, req)
	if err != nil {
		r.Fatal(err)
	}
	return result
}

// check asks for a token by the hash and holds it to the tokens that the prompt may have.
func (s *spoken) check(r *rapid.T, turns []turn, texts []string) (replayed int) {
	const byHash = 1
	tokens, answers := render(turns, texts, byHash)
	result := s.ask(r, tokens, answers, 1)
	for _, way := range s.ways(turns, texts, byHash) {
		if len(way) == result.Usage.Prompt && s.model.First(way) == result.Tokens[0] {
			if slices.ContainsFunc(way, kv.Token.Generated) {
				return 1
			}
			return 0
		}
	}
	r.Fatalf("%v of %d tokens was computed as %d of which %d were cached, in none of the ways that it may be",
		texts, len(tokens), result.Usage.Prompt, result.Usage.Cached)
	return 0
}

// goOn has an answer sampled in a spelling that is drawn, and notes it.
func (s *spoken) goOn(r *rapid.T, turns []turn, texts []string) []turn {
	asked := int32(rapid.IntRange(2, 4).Draw(r, "asked"))
	tokens, answers := render(turns, texts, asked)
	tokens = append(tokens, enginetest.AnswerToken)
	today := rapid.SliceOfN(rapid.SampledFrom([]int32{200, 201, 202, 203, 'a', 'b', 'a', 'b'}), 1, 400).Draw(r, "answer")
	most := len(today) + 1
	if rapid.Bool().Draw(r, "cut by max_tokens") {
		most = len(today)
	}
	s.script.mu.Lock()
	s.script.today = today
	s.script.mu.Unlock()
	result := s.ask(r, tokens, answers, most)
	for _, before := range s.ways(turns, texts, asked) {
		if before = append(before, kv.Token(enginetest.AnswerToken)); len(before) == result.Usage.Prompt {
			key := keyOf(before, textOf(today))
			s.sampled[key] = append(s.sampled[key], marked(today))
		}
	}
	now := slices.Clone(turns)
	for i := range now {
		now[i].sampled = canonical(texts[i])
	}
	return append(now, turn{asked: asked, sampled: today, complete: most > len(today)})
}

// marked are the tokens of a whole answer.
func marked(ids []int32) []kv.Token {
	tokens := make([]kv.Token, len(ids))
	for i, id := range ids {
		tokens[i] = kv.Token(id) | kv.Generated
	}
	tokens[0] |= kv.Opens
	tokens[len(tokens)-1] |= kv.Closes
	return tokens
}

// A sampled answer comes back in its own tokens, whatever its length, so that only what is new is computed.
func TestASampledAnswerIsReadInTheTokensInWhichItWasSampled(t *testing.T) {
	s := &spoken{script: &script{}, sampled: map[string][][]kv.Token{}}
	s.model = enginetest.New(enginetest.Config{NoEnd: true, Answer: s.script.answer})
	var stop func()
	s.engine, stop = start(t, s.model, remember(0))
	defer stop()
	asked := int32(1)
	rapid.Check(t, func(r *rapid.T) {
		asked++
		today := rapid.SliceOfN(rapid.SampledFrom([]int32{200, 203, 'a', 'b', 'a', 'b'}), 1, 700).Draw(r, "answer")
		if rapid.Bool().Draw(r, "fills a block") {
			today = today[:max(1, len(today)/engine.BlockTokens*engine.BlockTokens-3+rapid.IntRange(-1, 1).Draw(r, "about"))]
		}

		s.script.mu.Lock()
		s.script.today = today
		s.script.mu.Unlock()
		opening := []int32{asked % 90, asked / 90 % 90, asked / 8100, enginetest.AnswerToken}
		most := len(today) + rapid.IntRange(0, 1).Draw(r, "ends itself")
		s.ask(r, opening, nil, most)
		text := canonical(textOf(today))
		tokens := slices.Concat(opening, text, []int32{enginetest.EndToken, 1})
		result := s.ask(r, tokens, []prefix.Span{{From: len(opening), To: len(opening) + len(text)}}, 1)
		left := result.Usage.Prompt - result.Usage.Cached
		last := len(opening) + len(today)
		if left > 3 || result.Usage.Prompt != last+2 {
			r.Fatalf("%d tokens sampled, %d of %d computed", len(today), left, result.Usage.Prompt)
		}
	})
}
