package messages

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	randomBytes = 8 // of the id of a call
	digestBytes = 8 // behind them
)

// newCallID returns an id for the call that ends a text. It is random, and ends with a digest of the text, by which the
// text can be told when the call comes back and nobody remembers it.
func newCallID(text string) string {
	var random [randomBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:]) + digestOf(text)
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte("answer up to a call\x00" + text))
	return hex.EncodeToString(sum[:digestBytes])
}

// isCallID tells whether an id may be one of newCallID's, whatever stands before it.
func isCallID(id string) bool {
	const length = 2 * (randomBytes + digestBytes)
	return len(id) >= length && strings.Trim(id[len(id)-length:], "0123456789abcdef") == ""
}

// endsText tells whether a call of that id was written at the end of a text.
func endsText(id, text string) bool { return strings.HasSuffix(id, digestOf(text)) }
