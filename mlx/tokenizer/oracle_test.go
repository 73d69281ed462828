//go:build oracle

package tokenizer

// The whole corpus over all vocabularies; see oracle/run.sh.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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

// vocabularies are the files of the oracle by their names.
func vocabularies() map[string]string {
	return map[string]string{
		"smollm2":     "smollm2/tokenizer.json",
		"qwen3":       "qwen3/package/models/tokenizer.json",
		"gemini":      "gemini/package/models/tokenizer.json", // Gemma 2's
		"gemma3":      "gemma3/package/models/tokenizer.json",
		"llama3_1":    "llama3_1/package/models/tokenizer.json",
		"gpt4o":       "gpt4o/package/models/tokenizer.json",
		"deepseek_v3": "deepseek_v3/package/models/tokenizer.json",
	}
}

func fromOracle(t testing.TB, path string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(oracleFolder(t), path))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokensAreThoseOfTheRustLibrary(t *testing.T) {
	folder := oracleFolder(t)
	for name, path := range vocabularies() {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			tok := fromOracle(t, path)
			t.Logf("loaded in %v", time.Since(begin).Round(time.Millisecond))
			report(t, tok, readExpected(t, filepath.Join(folder, "expected", "tokens-"+name+".jsonl")))
		})
	}
	t.Run("smollm2 from GGUF", func(t *testing.T) {
		report(t, smollm2(t), readExpected(t, filepath.Join(folder, "expected", "tokens-smollm2.jsonl")))
	})
}

// Gemma 2's GGUF files have scores instead of merges. Its ids are in the order of its merges, so that falling
// scores stand for them.
func TestScoresGiveTheTokensOfGemma2sMerges(t *testing.T) {
	report(t, gemma(t, "gemini", false), readExpected(t, filepath.Join(oracleFolder(t), "expected", "tokens-gemini.jsonl")))
}

// As llama.cpp converts them: a space for U+2581 in the names of runs of spaces, which get a score of -1000.
// Gemma 3's merges join the longest run first, and so does SentencePiece; those of Gemma 2's tokenizer.json
// cut more than 31 spaces otherwise, and nothing in the GGUF file tells how.
func TestScoresGiveTheTokensOfRenamedRunsOfSpaces(t *testing.T) {
	report(t, gemma(t, "gemma3", true), readExpected(t, filepath.Join(oracleFolder(t), "expected", "tokens-gemma3.jsonl")))
	short := slices.DeleteFunc(readExpected(t, filepath.Join(oracleFolder(t), "expected", "tokens-gemini.jsonl")), func(e expected) bool {
		return strings.Contains(strings.ReplaceAll(e.Text, spaceMark, " "), strings.Repeat(" ", 32))
	})
	report(t, gemma(t, "gemini", true), short)
}

func gemma(t *testing.T, name string, renamed bool) *Tokenizer {
	t.Helper()
	tok, err := FromGGUF(gemmaVocabulary(t, vocabularies()[name], renamed))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func gemmaVocabulary(t *testing.T, path string, renamed bool) Vocabulary {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(oracleFolder(t), path))
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
	n := int32(0)
	for _, id := range file.Model.Vocab {
		n = max(n, id+1)
	}
	for _, a := range file.Added {
		n = max(n, a.ID+1)
	}
	v := Vocabulary{Model: "llama", Tokens: make([]string, n), Scores: make([]float32, n), Types: make([]int32, n), BOS: 2, EOS: 1, UNK: 3, AddBOS: true}
	for token, id := range file.Model.Vocab {
		v.Tokens[id], v.Scores[id], v.Types[id] = token, -float32(id), 1
		if len(token) == 6 && strings.HasPrefix(token, "<0x") {
			v.Types[id] = 6
		}
	}
	for _, a := range file.Added {
		v.Tokens[a.ID], v.Types[a.ID] = a.Content, typeControl
		if !a.Special {
			v.Types[a.ID] = typeUserDefined
			if renamed {
				v.Tokens[a.ID], v.Scores[a.ID] = strings.ReplaceAll(a.Content, spaceMark, " "), -1000
			}
		}
	}
	return v
}

func report(t *testing.T, tok *Tokenizer, all []expected) {
	t.Helper()
	t.Logf("%d strings, %d differences", len(all), compare(t, tok, all))
	t.Logf("%.1f MB/s", throughput(tok, all))
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
