//go:build oracle

package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// English prose over all vocabularies, with the cache of words warm, as it is in a server.
func BenchmarkEnglish(b *testing.B) {
	text := englishText(b)
	for name, path := range vocabularies() {
		tok := fromOracle(b, path)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.EncodeWith(text, EncodeOptions{Ordinary: true})
			}
		})
	}
}

// englishText is what is written about this project.
func englishText(b *testing.B) string {
	b.Helper()
	var text strings.Builder
	for _, path := range []string{"RUNBOOK.md", "docs/architecture.md", "docs/block-format.md", "docs/decisions.md", "docs/measurements.md"} {
		data, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			b.Fatal(err)
		}
		text.Write(data)
	}
	return text.String()
}
