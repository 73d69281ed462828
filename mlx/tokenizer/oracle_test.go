//go:build oracle

package tokenizer

// The whole corpus over all vocabularies; see oracle/run.sh.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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
		"gemini":   "gemini/package/models/tokenizer.json", // Gemma 2's
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

// Gemma 2's GGUF files have its vocabulary with scores instead of merges. Its ids are in the order of its merges, so
// that falling scores stand for them.
func TestScoresGiveTheTokensOfGemma2sMerges(t *testing.T) {
	folder := oracleFolder(t)
	data, err := os.ReadFile(filepath.Join(folder, "gemini/package/models/tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Model struct {
			Vocab map[string]int32 `json:"vocab"`
		} `json:"model"`
		Added []addedToken `json:"added_tokens"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	n := len(file.Model.Vocab)
	v := Vocabulary{Model: "llama", Tokens: make([]string, n), Scores: make([]float32, n), Types: make([]int32, n), BOS: 2, EOS: 1, UNK: 3, AddBOS: true}
	for token, id := range file.Model.Vocab {
		v.Tokens[id], v.Scores[id], v.Types[id] = token, -float32(id), 1
		if len(token) == 6 && strings.HasPrefix(token, "<0x") {
			v.Types[id] = 6
		}
	}
	for _, a := range file.Added {
		v.Types[a.ID] = typeUserDefined
		if a.Special {
			v.Types[a.ID] = typeControl
		}
	}
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	report(t, tok, readExpected(t, filepath.Join(folder, "expected", "tokens-gemini.jsonl")))
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
