package tokenizer

// Letters and numbers of Unicode 16, which the Rust library cuts words by; Go's own tables are those of Unicode 15.
// oracle/unicode_classes.py lists what the library takes for what.

import "unicode"

const firstNewer = 0x1C89 // no character below it is newer than Go's tables

func isLetter(r rune) bool {
	return unicode.IsLetter(r) || r >= firstNewer && isNewerLetter(r)
}

func isNumber(r rune) bool {
	return unicode.IsNumber(r) || r >= firstNewer && isNewerNumber(r)
}

func isNewerLetter(r rune) bool {
	switch {
	case r <= 0x1C8A, r >= 0xA7CB && r <= 0xA7CD, r >= 0xA7DA && r <= 0xA7DC: // Cyrillic, Latin
		return true
	case r < 0x105C0:
		return false
	case r <= 0x105F3, r >= 0x10D4A && r <= 0x10D65, r >= 0x10D6F && r <= 0x10D85, r >= 0x10EC2 && r <= 0x10EC4: // Todhri, Garay, Arabic
		return true
	case r >= 0x11380 && r <= 0x113D3: // Tulu-Tigalari
		return isTuluLetter(r)
	case r >= 0x11BC0 && r <= 0x11BE0, r >= 0x13460 && r <= 0x143FA, r >= 0x16100 && r <= 0x1611D: // Sunuwar, hieroglyphs, Gurung Khema
		return true
	case r >= 0x16D40 && r <= 0x16D6C, r == 0x18CFF, r >= 0x1E5D0 && r <= 0x1E5ED, r == 0x1E5F0: // Kirat Rai, Khitan, Ol Onal
		return true
	}
	return r >= 0x2EBF0 && r <= 0x2EE5D // CJK extension I
}

func isTuluLetter(r rune) bool {
	switch r {
	case 0x1138B, 0x1138E, 0x113B7, 0x113D1, 0x113D3:
		return true
	}
	return r <= 0x11389 || r >= 0x11390 && r <= 0x113B5
}

func isNewerNumber(r rune) bool {
	for _, zero := range [...]rune{0x10D40, 0x116D0, 0x116DA, 0x11BF0, 0x16130, 0x16D70, 0x1CCF0, 0x1E5F1} {
		if r >= zero && r < zero+10 {
			return true
		}
	}
	return false
}
