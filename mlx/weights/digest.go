package weights

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// digestPatterns are the files of a folder on which KV depends: weights, configuration, tokenizer.
var digestPatterns = []string{"config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model"}

// Digest names the contents of the model at path, wherever it lies: SHA-256 over a domain and, in the order
// of their names, each file's name and contents, all prefixed with their lengths in 8 bytes, little endian. A
// GGUF file counts as one file called model.gguf.
func Digest(path string) (digest [sha256.Size]byte, err error) {
	files, err := filesToDigest(path)
	if err != nil {
		return digest, fmt.Errorf("digest model %s: %w", path, err)
	}
	h := sha256.New()
	field(h, "agent-memory model v1")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := digestFile(h, name, files[name]); err != nil {
			return digest, fmt.Errorf("digest model %s: %w", path, err)
		}
	}
	copy(digest[:], h.Sum(nil))
	return digest, nil
}

// filesToDigest are paths by the name under which they count.
func filesToDigest(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return map[string]string{"model.gguf": path}, nil
	}
	files := map[string]string{}
	entries, err := os.ReadDir(path)
	for _, file := range entries {
		if slices.ContainsFunc(digestPatterns, func(pattern string) bool { return matches(pattern, file.Name()) }) {
			files[file.Name()] = filepath.Join(path, file.Name())
		}
	}
	return files, err
}

func matches(pattern, name string) bool {
	ok, err := filepath.Match(pattern, name)
	return ok && err == nil
}

func digestFile(h hash.Hash, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	field(h, name)
	length(h, info.Size())
	n, err := io.Copy(h, bufio.NewReaderSize(f, 1<<20))
	if err == nil && n != info.Size() {
		err = fmt.Errorf("%s changed while it was read", name)
	}
	return err
}

func field(h hash.Hash, value string) {
	length(h, int64(len(value)))
	io.WriteString(h, value) //nolint:errcheck // a hash never fails
}

func length(h hash.Hash, n int64) { h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
