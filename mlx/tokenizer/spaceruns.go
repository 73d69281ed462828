package tokenizer

// Gemma's vocabularies have tokens for runs of spaces, which SentencePiece finds, longest first, before it
// merges anything. llama.cpp's converter writes their names with spaces, where the vocabulary has ▁ for each.

import (
	"slices"
	"strings"
)

// isSpaceRun tells whether the converter renamed a token: a vocabulary that has the name with ▁ too means
// spaces.
func (v *Vocabulary) isSpaceRun(id int, vocab map[string]int32) bool {
	name := v.Tokens[id]
	if !v.byScores() || v.Types[id] != typeUserDefined || len(name) < 2 || strings.Trim(name, " ") != "" {
		return false
	}
	_, has := vocab[strings.Repeat(spaceMark, len(name))]
	return !has
}

// renameSpaceRuns gives the runs of spaces their own names again, and returns which they are.
func (v *Vocabulary) renameSpaceRuns(vocab map[string]int32) map[int32]bool {
	runs := make(map[int32]bool)
	for id := range v.Tokens {
		if v.isSpaceRun(id, vocab) {
			runs[int32(id)] = true
		}
	}
	if len(runs) > 0 {
		v.Tokens = slices.Clone(v.Tokens)
	}
	for id := range runs {
		name := v.Tokens[id]
		delete(vocab, name)
		v.Tokens[id] = strings.Repeat(spaceMark, len(name))
		vocab[v.Tokens[id]] = id
	}
	return runs
}

// withSpaceRuns makes the runs found twice: as ▁ that somebody wrote, and as spaces after normalization.
func withSpaceRuns(added []addedToken, runs map[int32]bool) []addedToken {
	for _, token := range slices.Clone(added) {
		if runs[token.ID] {
			token.Normalized = true
			added = append(added, token)
		}
	}
	return added
}
