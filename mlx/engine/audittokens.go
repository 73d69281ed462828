package engine

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// checkTokens tells whether the prompt's tokens are the canonical ones, but for whole answers in other tokens
// of the same text.
func (a *audit) checkTokens() error {
	at, from := 0, 0
	for _, answer := range a.answers {
		n, err := a.sameTokens(at, from, answer.From)
		if err != nil {
			return err
		}
		at, from = n, answer.From
		if _, err := a.sameTokens(at, answer.From, answer.To); err == nil {
			continue
		}
		if at, err = a.sameText(at, a.canonical[answer.From:answer.To]); err != nil {
			return err
		}
		from = answer.To
	}
	n, err := a.sameTokens(at, from, len(a.canonical))
	if err == nil && n != a.prompt {
		err = fmt.Errorf("the prompt has %d tokens beyond its canonical ones", a.prompt-n)
	}
	return err
}

// sameTokens holds the tokens from at on to the canonical ones [from, to) and returns where they end.
func (a *audit) sameTokens(at, from, to int) (end int, err error) {
	for ; from < to; at, from = at+1, from+1 {
		if at >= a.prompt || a.tokens[at] != kv.Token(a.canonical[from]) {
			return at, fmt.Errorf("token %d of the prompt is not its canonical one", at)
		}
	}
	return at, nil
}

// sameText holds the tokens from at on to the text of canonical ones and returns where it ends.
func (a *audit) sameText(at int, canonical []int32) (end int, err error) {
	text := ""
	for _, id := range canonical {
		piece, _ := a.spelling.Text(id)
		text += piece
	}
	for text != "" && at < a.prompt {
		piece, _ := a.spelling.Text(a.tokens[at].ID())
		if piece == "" || len(piece) > len(text) || text[:len(piece)] != piece {
			break
		}
		text = text[len(piece):]
		at++
	}
	if text != "" || at == 0 || a.tokens[at-1]&kv.Closes == 0 {
		return at, fmt.Errorf("the tokens before token %d of the prompt are no whole answer of its text", at)
	}
	return at, nil
}
