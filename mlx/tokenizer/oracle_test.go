//go:build oracle

package tokenizer

// The whole corpus over all vocabularies; see oracle/run.sh.

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func oracleFolder(t testing.TB) string {
	t.Helper()
	folder := os.Getenv("AGENT_MEMORY_ORACLE")
	if folder == "" {
		t.Fatal("AGENT_MEMORY_ORACLE is not set: run oracle/run.sh")
	}
	return folder
}

func TestTokensAreThoseOfTheRustLibrary(t *testing.T) {
	folder := oracleFolder(t)
	vocabularies := map[string]string{
		"smollm2":  "smollm2/tokenizer.json",
		"qwen3":    "qwen3/package/models/tokenizer.json",
		"gemma3":   "gemma3/package/models/tokenizer.json",
		"llama3_1": "llama3_1/package/models/tokenizer.json",
	}
	for name, path := range vocabularies {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(folder, path))
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			tok, err := FromJSON(data)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("loaded in %v", time.Since(begin).Round(time.Millisecond))
			report(t, tok, readExpected(t, filepath.Join(folder, "expected", "tokens-"+name+".jsonl")))
		})
	}
	t.Run("smollm2 from GGUF", func(t *testing.T) {
		report(t, smollm2(t), readExpected(t, filepath.Join(folder, "expected", "tokens-smollm2.jsonl")))
	})
}

func report(t *testing.T, tok *Tokenizer, all []expected) {
	t.Helper()
	t.Logf("%d strings, %d differences", len(all), compare(t, tok, all))
	if speed := throughput(tok, all); speed < 1 {
		t.Errorf("%.2f MB/s is less than a server needs", speed)
	} else {
		t.Logf("%.1f MB/s", speed)
	}
}

// throughput encodes the corpus as one long text with an empty cache of words, in MB/s.
func throughput(tok *Tokenizer, all []expected) float64 {
	var text string
	for _, e := range all {
		text += e.Text + " "
	}
	tok.model.prepare()
	begin := time.Now()
	tok.EncodeWith(text, EncodeOptions{Ordinary: true})
	return float64(len(text)) / 1e6 / time.Since(begin).Seconds()
}
