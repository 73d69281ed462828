package weights_test

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func digest(t *testing.T, path string) [32]byte {
	t.Helper()
	sum, err := weights.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestTheDigestNamesWeightsConfigurationAndTokenizer(t *testing.T) {
	base := map[string]string{"config.json": "{}", "model.safetensors": "weights", "tokenizer.json": "t", "tokenizer_config.json": "c"}
	want := digest(t, folderOf(t, base))
	if digest(t, folderOf(t, base)) != want {
		t.Error("the folder's name is part of it")
	}
	for name := range base {
		changed := map[string]string{}
		for other, content := range base {
			changed[other] = content
		}
		changed[name] += " "
		if digest(t, folderOf(t, changed)) == want {
			t.Errorf("a change of %s goes unnoticed", name)
		}
		delete(changed, name)
		if digest(t, folderOf(t, changed)) == want {
			t.Errorf("the loss of %s goes unnoticed", name)
		}
	}
	with := map[string]string{"README.md": "x"}
	for name, content := range base {
		with[name] = content
	}
	if digest(t, folderOf(t, with)) != want {
		t.Error("what KV does not depend on is part of it")
	}
}

// The definition, written out for one file.
func TestTheDigestOfAGGUF(t *testing.T) {
	var all []byte
	for _, part := range []string{"agent-memory model v1", "model.gguf", "content"} {
		all = append(binary.LittleEndian.AppendUint64(all, uint64(len(part))), part...)
	}
	path := filepath.Join(folderOf(t, map[string]string{"any name.gguf": "content"}), "any name.gguf")
	if digest(t, path) != sha256.Sum256(all) {
		t.Error("the digest is not what its description says")
	}
	if _, err := weights.Digest(path + "x"); err == nil {
		t.Error("a missing file has a digest")
	}
}
