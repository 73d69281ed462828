package tokenizer

// What is common to both kinds of files: the tables by id and the added tokens.

import (
	"errors"
	"fmt"
	"strings"
)

// maxIDs bounds the tables that a file can demand.
const maxIDs = 1 << 22

func (t *Tokenizer) finish(added []addedToken) error {
	if t.split == nil {
		t.split = noSplit{}
	}
	if t.normalize == nil {
		t.normalize = normalizers{}
	}
	t.bos, t.eos = -1, -1
	if err := t.makeTables(added); err != nil {
		return err
	}
	if err := t.indexAdded(added); err != nil {
		return err
	}
	for _, id := range append(append([]int32{}, t.prefix...), t.suffix...) {
		if !t.has(id) {
			return fmt.Errorf("post_processor: token id %d is not in the vocabulary", id)
		}
	}
	if len(t.prefix) > 0 {
		t.bos = t.prefix[0]
	}
	return nil
}

func (t *Tokenizer) makeTables(added []addedToken) error {
	last := int32(-1)
	for token, id := range t.model.vocab {
		if id < 0 || id >= maxIDs {
			return fmt.Errorf("token %.40q: id %d is out of range", token, id)
		}
		last = max(last, id)
	}
	for _, token := range added {
		if token.ID < 0 || token.ID >= maxIDs {
			return fmt.Errorf("added token %.40q: id %d is out of range", token.Content, token.ID)
		}
		last = max(last, token.ID)
	}
	if last < 0 {
		return errors.New("the vocabulary is empty")
	}
	t.tokens, t.exists, t.special = make([]string, last+1), make([]bool, last+1), make([]bool, last+1)
	for token, id := range t.model.vocab {
		t.tokens[id], t.exists[id] = token, true
	}
	return nil
}

func (t *Tokenizer) indexAdded(added []addedToken) error {
	t.rawTokens, t.normalizedTokens, t.lookalikes = newAddedTokens(), newAddedTokens(), newAddedTokens()
	t.added = make(map[string]int32, len(added))
	for _, token := range added {
		if err := t.checkAdded(token); err != nil {
			return err
		}
		t.added[token.Content] = token.ID
		t.tokens[token.ID], t.exists[token.ID], t.special[token.ID] = token.Content, true, token.Special
		if token.Normalized {
			t.normalizedTokens.add(t.normalize.apply(token.Content), token)
		} else {
			t.rawTokens.add(token.Content, token)
		}
		if token.Special {
			t.lookalikes.add(token.Content, token)
		}
	}
	return nil
}

func (t *Tokenizer) checkAdded(token addedToken) error {
	if id, ok := t.model.vocab[token.Content]; ok && id != token.ID {
		return fmt.Errorf("added token %.40q has id %d, but the vocabulary says %d", token.Content, token.ID, id)
	}
	if strings.Contains(token.Content, GuardMark) {
		return fmt.Errorf("added token %.40q holds the noncharacter U+FDD0, which this server keeps for itself", token.Content)
	}
	if token.Special && len([]rune(token.Content)) == 1 {
		return fmt.Errorf("special token %q is a single character: the words of a user could not be told from it", token.Content)
	}
	return nil
}
