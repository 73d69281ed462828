package kv

// Token is a token of a sequence with what its KV depends on besides the tokens before it: by which kernels it was
// computed, and where a sampled answer begins and ends. All of it is part of keys and tags, so that KV is only ever
// found by whoever would compute the same bits.
type Token uint32

// The marks of a token. A token without any is one of a prompt, computed by the prefill kernels.
const (
	Generated Token = 1 << 31 // sampled by this server and computed by the decode kernels
	Opens     Token = 1 << 30 // the first token of a sampled answer
	Closes    Token = 1 << 29 // the token with which the text of an answer, as it was sent, is complete

	tokenID = Closes - 1
)

// ID is the token's number in the vocabulary.
func (t Token) ID() int32 { return int32(t & tokenID) }

// Generated tells whether the decode kernels compute the token.
func (t Token) Generated() bool { return t&Generated != 0 }

// PromptTokens are the tokens of a prompt.
func PromptTokens(ids []int32) []Token {
	tokens := make([]Token, len(ids))
	for i, id := range ids {
		tokens[i] = Token(id)
	}
	return tokens
}

// IDs are the numbers of tokens in the vocabulary.
func IDs(tokens []Token) []int32 {
	ids := make([]int32, len(tokens))
	for i, token := range tokens {
		ids[i] = token.ID()
	}
	return ids
}
