package tokenizer

// The patterns of words that files name instead of writing them down.

const (
	gpt2Words  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	modernHead = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}`
	modernTail = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwenWords  = modernHead + modernTail
	llamaWords = modernHead + `{1,3}` + modernTail
)

// wordsOf cuts a text into the words of a pattern.
func wordsOf(source string) (splitter, error) {
	p, err := newPattern(source)
	return cutter{p, isolated, false}, err
}
