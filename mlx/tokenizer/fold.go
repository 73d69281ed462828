package tokenizer

// Cases in regular expressions. Where case doesn't matter some characters are the same as two or three
// others: ß is ss, ﬁ is fi. Such matches of another length are not supported, so an expression with them is
// refused.

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// multiCharacterFolds returns the characters that are several when their case is folded, and which.
func multiCharacterFolds() map[rune]string {
	fold := cases.Fold()
	many := make(map[rune]string)
	for _, block := range []runeRange{{0xDF, 0xDF}, {0x130, 0x1F0}, {0x390, 0x587}, {0x1E96, 0x1FFC}, {0xFB00, 0xFB17}} {
		for r := block.low; r <= block.high; r++ {
			if folded := fold.String(string(r)); utf8.RuneCountInString(folded) > 1 {
				many[r] = folded
			}
		}
	}
	return many
}

// checkFolded refuses a range of characters of which one is the same as several.
func (c *compiler) checkFolded(low, high rune) error {
	for r, folded := range c.multiFolds() {
		if r >= low && r <= high {
			return fmt.Errorf("%q in any case is %q too, which is not supported", r, folded)
		}
	}
	return nil
}

// checkPair refuses two characters, one after the other, that are the same as one or begin what is.
func (c *compiler) checkPair(before, after rune) error {
	pair := cases.Fold().String(string(before) + string(after))
	for r, folded := range c.multiFolds() {
		if strings.HasPrefix(folded, pair) {
			return fmt.Errorf("%q in any case begins %q, which is %q too: not supported", pair, folded, r)
		}
	}
	return nil
}

func (c *compiler) multiFolds() map[rune]string {
	if c.folds == nil {
		c.folds = multiCharacterFolds()
	}
	return c.folds
}
