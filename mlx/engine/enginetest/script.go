package enginetest

import "slices"

// Script returns a Config.Answer that writes the answers of a conversation in turn: the first behind the first place
// where a sequence has the tokens of opening, the second behind the second, and so on, each followed by end.
func Script(opening []int32, end int32, answers ...[]int32) func(tokens []int32) int32 {
	return func(tokens []int32) int32 {
		turn, from := 0, 0
		for i := 0; i+len(opening) <= len(tokens); i++ {
			if slices.Equal(tokens[i:i+len(opening)], opening) {
				turn, from = turn+1, i+len(opening)
			}
		}
		if turn == 0 || turn > len(answers) || len(tokens)-from >= len(answers[turn-1]) {
			return end
		}
		return answers[turn-1][len(tokens)-from]
	}
}
