package tokenizer

// From tokens back to text, one token at a time. What a token stands for depends on that token and on whether
// it is the first; only the UTF-8 of the bytes spans tokens, and Decoder holds back what is not complete.

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder is how a vocabulary spells text.
type decoder struct {
	byteLevel      bool
	toByte         map[rune]byte
	replaces       []replace
	byteFallback   bool
	metaspace      string // stands for a space, "" where none does
	dropFirstMarks bool   // marks of the first token are not text
	strip          rune   // taken off the beginning, up to maxStrip times
	maxStrip       int
}

// Decode returns the text of ids, without special tokens if skipSpecial. Bytes that are not UTF-8 become
// U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	d := t.NewDecoder()
	d.keepSpecial = !skipSpecial
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(d.Push(id))
	}
	b.WriteString(d.Flush())
	return b.String()
}

// Decoder decodes a stream of tokens. What its calls return, joined, is what Decode returns for all of them.
type Decoder struct {
	tokenizer   *Tokenizer
	keepSpecial bool
	keptSpecial []int32 // special tokens that are text nevertheless
	started     bool    // a token was decoded
	stripped    int     // characters taken off the beginning
	hasText     bool    // text came out: nothing is stripped any more
	incomplete  []byte  // an incomplete character
}

// NewDecoder returns a Decoder that leaves special tokens out.
func (t *Tokenizer) NewDecoder() *Decoder { return &Decoder{tokenizer: t} }

// KeepSpecial makes the Decoder write special tokens too.
func (d *Decoder) KeepSpecial() *Decoder {
	d.keepSpecial = true
	return d
}

// Behind makes the Decoder decode what goes on with a text: nothing is stripped of its beginning.
func (d *Decoder) Behind() *Decoder {
	d.started, d.hasText = true, true
	return d
}

// Keep makes the Decoder write some special tokens.
func (d *Decoder) Keep(ids []int32) *Decoder {
	d.keptSpecial = ids
	return d
}

// Push takes the next token and returns the text that is complete with it. Unknown ids have no text.
func (d *Decoder) Push(id int32) string {
	t := d.tokenizer
	if !t.has(id) || t.special[id] && !d.keepSpecial && !slices.Contains(d.keptSpecial, id) {
		return ""
	}
	text, isByte := t.decoder.token(t.tokens[id], !d.started)
	d.started = true
	if !isByte && !t.decoder.byteLevel && len(d.incomplete) > 0 {
		return d.strip(d.release() + text)
	}
	d.incomplete = append(d.incomplete, text...)
	keep := incompleteTail(d.incomplete)
	done := string(d.incomplete[:len(d.incomplete)-keep])
	d.incomplete = append(d.incomplete[:0], d.incomplete[len(d.incomplete)-keep:]...)
	return d.strip(t.decoder.valid(done))
}

// Flush ends the stream and returns what was held back.
func (d *Decoder) Flush() string { return d.strip(d.release()) }

func (d *Decoder) release() string {
	text := d.tokenizer.decoder.valid(string(d.incomplete))
	d.incomplete = d.incomplete[:0]
	return text
}

// strip takes off the characters that the vocabulary adds at the beginning of every text.
func (d *Decoder) strip(text string) string {
	for !d.hasText && text != "" {
		r, n := utf8.DecodeRuneInString(text)
		if r != d.tokenizer.decoder.strip || d.stripped >= d.tokenizer.decoder.maxStrip {
			d.hasText = true
			break
		}
		text = text[n:]
		d.stripped++
	}
	return text
}

// valid makes bytes text. Byte-level vocabularies replace each invalid piece, byte-fallback ones each byte.
func (d *decoder) valid(text string) string {
	if d.byteLevel || utf8.ValidString(text) {
		return validUTF8(text)
	}
	return string([]rune(text))
}

// token returns the bytes of a token, and whether it is one of the tokens that stand for a single byte.
func (d *decoder) token(token string, first bool) (text string, isByte bool) {
	if d.byteLevel {
		return d.bytes(token), false
	}
	for _, r := range d.replaces {
		token = r.apply(token)
	}
	if d.metaspace != "" {
		token = d.spaces(token, first)
	}
	if b, ok := byteToken(token); ok && d.byteFallback {
		return string([]byte{b}), true
	}
	return token, false
}

func (d *decoder) spaces(token string, first bool) string {
	if first && d.dropFirstMarks {
		return strings.ReplaceAll(token, d.metaspace, "")
	}
	return strings.ReplaceAll(token, d.metaspace, " ")
}

// bytes reads the byte alphabet; a token with other characters is text already.
func (d *decoder) bytes(token string) string {
	b := make([]byte, 0, len(token))
	for _, r := range token {
		c, ok := d.toByte[r]
		if !ok {
			return token
		}
		b = append(b, c)
	}
	return string(b)
}

// byteToken reads tokens like <0x0A>.
func byteToken(token string) (byte, bool) {
	if len(token) != byteTokenWidth || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}
