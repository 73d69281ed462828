package tokenizer

// The byte alphabet of GPT-2: every byte has a printable character, so that vocabularies hold text only.

// byteAlphabet returns the character of each byte, and the byte of each character.
func byteAlphabet() (toRune [256]rune, toByte map[rune]byte) {
	toByte = make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !printsAsItself(b) {
			r = next
			next++
		}
		toRune[b], toByte[r] = r, byte(b)
	}
	return toRune, toByte
}

func printsAsItself(b int) bool {
	return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE && b <= 0xFF
}
