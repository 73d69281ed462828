package weights_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

func folderFiles(more ...string) []string {
	return append([]string{"README.md", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "pytorch_model.bin"}, more...)
}

func TestOfARepositoryOnlyWhatAModelNeedsIsChosen(t *testing.T) {
	quantised := []string{"README.md", "config.json", "x-Q4_K_M.gguf", "x-Q4_0.gguf", "x.IQ4_NL.gguf", "sub/x-Q8_0.gguf", "mmproj-f16.gguf"}
	for _, c := range []struct {
		files      []string
		pick, want string
	}{
		{folderFiles("model.safetensors", "consolidated.safetensors"), "", "config.json tokenizer.json tokenizer_config.json model.safetensors"},
		{
			folderFiles("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "consolidated.safetensors", "model.safetensors.index.json", "chat_template.jinja", "onnx/model.safetensors"),
			"",
			"config.json tokenizer.json tokenizer_config.json chat_template.jinja model.safetensors.index.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors",
		},
		{folderFiles("weights.00.safetensors", "model.safetensors.index.json"), "", "config.json tokenizer.json tokenizer_config.json model.safetensors.index.json weights.00.safetensors"},
		{quantised, "Q4_K_M", "x-Q4_K_M.gguf"},
		{quantised, "q8_0", "sub/x-Q8_0.gguf"},
		{quantised, "x-Q4_0.gguf", "x-Q4_0.gguf"},
		{quantised, "IQ4_NL", "x.IQ4_NL.gguf"},
		{quantised, "sub/x-Q8_0.gguf", "sub/x-Q8_0.gguf"},
		{[]string{"only.gguf", "mmproj-only.gguf"}, "", "only.gguf"},
		{folderFiles("model.safetensors", "x-Q4_0.gguf"), "Q4_0", "x-Q4_0.gguf"},
	} {
		got, err := weights.Choose(c.files, c.pick)
		if err != nil || strings.Join(got.Files, " ") != c.want {
			t.Errorf("%q of %v:\n%v, %v\nwant %s", c.pick, c.files, got.Files, err, c.want)
		}
	}
}

func TestRepositoriesOfWhichNothingCanBeChosen(t *testing.T) {
	for _, c := range []struct {
		files      []string
		pick, want string
	}{
		{[]string{"a-Q4_0.gguf", "a-Q8_0.gguf"}, "", "a-Q4_0.gguf, a-Q8_0.gguf"},
		{[]string{"a-Q4_0.gguf", "b-Q4_0.gguf"}, "Q4_0", "2 of its GGUFs fit"},
		{[]string{"a-IQ4_0.gguf"}, "Q4_0", `called "Q4_0"; it has a-IQ4_0.gguf`},
		{[]string{"a-Q8_0-00001-of-00002.gguf", "a-Q8_0-00002-of-00002.gguf"}, "Q8_0", "part of a split GGUF"},
		{[]string{"config.json", "pytorch_model.bin"}, "", "neither safetensors"},
		{[]string{"config.json", "model.safetensors"}, "", "no tokenizer.json"},
		{folderFiles("a.safetensors"), "", "nothing tells which"},
		{nil, "", "neither safetensors"},
	} {
		if got, err := weights.Choose(c.files, c.pick); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q of %v: %v, %v; want %q", c.pick, c.files, got, err, c.want)
		}
	}
}

// What is missing of a folder follows from its index, not from which files happen to be there.
func TestASnapshotWithoutAShardIsNotWhole(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range folderFiles("model-00001-of-00002.safetensors") {
		write(name, "{}")
	}
	write("model.safetensors.index.json", `{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`)
	choice, err := weights.Choose(folderFiles("model-00001-of-00002.safetensors", "model.safetensors.index.json"), "")
	if err != nil {
		t.Fatal(err)
	}
	missing, err := choice.Missing(folder)
	if err != nil || !slices.Equal(missing, []string{"model-00002-of-00002.safetensors"}) {
		t.Errorf("missing %v, %v", missing, err)
	}
}
