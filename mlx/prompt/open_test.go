package prompt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

// A model's folder whose tokenizer would make a terabyte of forty letters is refused when it is read.
func TestAFolderWithATokenizerThatDoublesIsRefused(t *testing.T) {
	folder := t.TempDir()
	step := `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`
	for name, text := range map[string]string{
		"tokenizer.json": `{"added_tokens":[],"normalizer":{"type":"Sequence","normalizers":[` + step + strings.Repeat(","+step, 39) + `]},
			"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"aa":1},"merges":["a a"]}}`,
		"tokenizer_config.json": `{"chat_template":"x"}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := folderText(&weights.Model{Folder: folder})
	if err == nil || !strings.Contains(err.Error(), "normalizer: a text could become 1.1e+12 times as long") {
		t.Errorf("the error is %v", err)
	}
}
