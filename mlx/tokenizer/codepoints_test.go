//go:build oracle

package tokenizer

// Every code point there is, in the forms of oracle/codepoints.py, over all vocabularies.

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// codepointForm is what stands around a code point, and the planes whose code points stand there.
type codepointForm struct {
	before, after string
	planes        []rune
}

func codepointForms() []codepointForm {
	every := make([]rune, 17)
	for p := range every {
		every[p] = rune(p)
	}
	return []codepointForm{{"a", "b", every}, {"", "", []rune{0, 1, 2, 3, 14}}, {"e", "\u0323\u0301", []rune{0, 1}}}
}

func (f codepointForm) each(visit func(r rune)) {
	for _, p := range f.planes {
		for r := p << 16; r < (p+1)<<16; r++ {
			if r < 0xD800 || r > 0xDFFF {
				visit(r)
			}
		}
	}
}

func TestEveryCodePointHasTheTokensOfTheRustLibrary(t *testing.T) {
	folder := oracleFolder(t)
	for name, path := range vocabularies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareCodePoints(t, fromOracle(t, path), filepath.Join(folder, "expected", "codepoints-"+name+".bin"))
		})
	}
	t.Run("smollm2 from GGUF", func(t *testing.T) {
		compareCodePoints(t, smollm2(t), filepath.Join(folder, "expected", "codepoints-smollm2.bin"))
	})
}

func compareCodePoints(t *testing.T, tok *Tokenizer, path string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read what the library makes of code points (oracle/run.sh writes it): %v", err)
	}
	compared, wrong := 0, 0
	for _, form := range codepointForms() {
		form.each(func(r rune) {
			if len(want) < 4*(compared+1) {
				t.Fatalf("%s ends before U+%04X of %q…%q", path, r, form.before, form.after)
			}
			ids := tok.EncodeWith(form.before+string(r)+form.after, EncodeOptions{Ordinary: true})
			if idsSum(ids) != binary.LittleEndian.Uint32(want[4*compared:]) {
				if wrong++; wrong <= 20 {
					t.Errorf("%q U+%04X %q: %v are not the library's ids", form.before, r, form.after, ids)
				}
			}
			compared++
		})
	}
	if 4*compared != len(want) {
		t.Fatalf("%s has %d answers, not %d", path, len(want)/4, compared)
	}
	t.Logf("%d strings, %d differences", compared, wrong)
}

func idsSum(ids []int32) uint32 {
	var bytes []byte
	for _, id := range ids {
		bytes = binary.LittleEndian.AppendUint32(bytes, uint32(id))
	}
	return crc32.ChecksumIEEE(bytes)
}
