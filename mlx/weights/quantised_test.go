package weights_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

// quantisedBlocks is a line of testdata/quantised_blocks.jsonl, made by oracle/quantised_blocks.py with the
// Python package gguf.
type quantisedBlocks struct {
	Type           string
	Blocks, Floats []byte
}

func readBlocks(t *testing.T) (all []quantisedBlocks) {
	t.Helper()
	raw, err := os.ReadFile("testdata/quantised_blocks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if line[0] == '#' {
			continue
		}
		var b quantisedBlocks
		if err := json.Unmarshal(line, &b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if len(all) != 13 {
		t.Fatalf("%d types in the golden file, expected 13", len(all))
	}
	return all
}

// ggmlNumber is the number of a type in a GGUF, by its name.
func ggmlNumber(name string) uint32 {
	return map[string]uint32{"F32": 0, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
		"Q5_K": 13, "Q6_K": 14, "IQ2_XXS": 16, "IQ4_NL": 20, "IQ4_XS": 23, "MXFP4": 39}[name]
}

// typed is a tensor of one row for writeTyped.
type typed struct {
	name, kind string
	width      int
	data       []byte
}

// writeTyped writes a GGUF that holds no whole model, of tensors of any type.
func writeTyped(t *testing.T, tensors ...typed) string {
	t.Helper()
	head := []any{"llama.block_count", uint32(1), "llama.embedding_length", uint32(32), "llama.feed_forward_length", uint32(32),
		"llama.attention.head_count", uint32(2), "llama.context_length", uint32(64), "llama.attention.layer_norm_rms_epsilon", float32(1e-5)}
	var b bytes.Buffer
	put := func(all ...any) {
		for _, v := range all {
			if text, ok := v.(string); ok {
				binary.Write(&b, binary.LittleEndian, uint64(len(text)))
				b.WriteString(text)
				continue
			}
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	b.WriteString("GGUF")
	put(uint32(3), uint64(len(tensors)), uint64(1+len(head)/2), "general.architecture", uint32(8), "llama")
	for i := 0; i < len(head); i += 2 {
		kind := uint32(4)
		if _, isFloat := head[i+1].(float32); isFloat {
			kind = 6
		}
		put(head[i], kind, head[i+1])
	}
	var data []byte
	for _, x := range tensors {
		put(x.name, uint32(2), uint64(x.width), uint64(1), ggmlNumber(x.kind), uint64(len(data)))
		data = append(data, x.data...)
		data = append(data, make([]byte, (32-len(data)%32)%32)...)
	}
	b.Write(make([]byte, (32-b.Len()%32)%32))
	b.Write(data)
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestQuantisedTypesAreReadBitForBit(t *testing.T) {
	for _, golden := range readBlocks(t) {
		width := len(golden.Floats) / 4
		path := writeTyped(t, typed{"token_embd.weight", golden.Type, width, golden.Blocks})
		x, err := open(t, path).Tensor("embed", 1, width)
		if err != nil || x.Type.String() != golden.Type {
			t.Errorf("%s: %v, %v", golden.Type, x.Type, err)
			continue
		}
		got := x.Floats()
		if len(got) != width {
			t.Errorf("%s: %d weights, expected %d", golden.Type, len(got), width)
			continue
		}
		for i, f := range got {
			if want := binary.LittleEndian.Uint32(golden.Floats[4*i:]); math.Float32bits(f) != want {
				t.Errorf("%s: weight %d is %g, gguf reads %g", golden.Type, i, f, math.Float32frombits(want))
				break
			}
		}
	}
}

// TestAnUnreadTypeFailsWhereItIsUsed: a file may hold tensors that the model has no use for.
func TestAnUnreadTypeFailsWhereItIsUsed(t *testing.T) {
	m := open(t, writeTyped(t, typed{"token_embd.weight", "F32", 32, make([]byte, 128)}, typed{"output.weight", "IQ2_XXS", 256, make([]byte, 66)},
		typed{"of.another.model", "IQ2_XXS", 256, nil}))
	if _, err := m.Tensor("embed", 1, 32); err != nil {
		t.Errorf("the tensor beside it: %v", err)
	}
	_, err := m.Tensor("head", 1, 256)
	if err == nil || !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), "output.weight has the ggml type IQ2_XXS") ||
		!strings.Contains(err.Error(), "Q4_K, Q5_K, Q6_K") {
		t.Errorf("a type that is not read: %v", err)
	}
}
