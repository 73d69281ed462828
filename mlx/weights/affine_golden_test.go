package weights_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

// affineMatrix is a line of testdata/affine_matrices.jsonl, made by oracle/affine_matrices.py with MLX: a matrix of
// 6 outputs and 256 inputs.
type affineMatrix struct {
	Bits, Group                    int
	Weight, Scales, Biases, Floats []byte
}

const affineRows, affineInputs = 6, 256

func readAffine(t *testing.T) (all []affineMatrix) {
	t.Helper()
	raw, err := os.ReadFile("testdata/affine_matrices.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if line[0] == '#' {
			continue
		}
		var m affineMatrix
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	if len(all) != 18 {
		t.Fatalf("%d matrices in the golden file, expected 18", len(all))
	}
	return all
}

// write makes a folder whose embedding is the matrix.
func (m affineMatrix) write(t *testing.T) string {
	t.Helper()
	dir, header, body := t.TempDir(), map[string]any{}, []byte{}
	add := func(name, dtype string, columns int, data []byte) {
		header["model.embed_tokens."+name] = map[string]any{
			"dtype": dtype, "shape": []int{affineRows, columns}, "data_offsets": []int{len(body), len(body) + len(data)},
		}
		body = append(body, data...)
	}
	add("weight", "U32", affineInputs*m.Bits/32, m.Weight)
	add("scales", "F32", affineInputs/m.Group, m.Scales)
	add("biases", "F32", affineInputs/m.Group, m.Biases)
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	config := fmt.Sprintf(`{"model_type":"llama","hidden_size":%d,"intermediate_size":64,"num_attention_heads":4,"num_hidden_layers":1,
		"vocab_size":%d,"rms_norm_eps":1e-5,"max_position_embeddings":64,"quantization":{"bits":%d,"group_size":%d}}`,
		affineInputs, affineRows, m.Bits, m.Group)
	for name, content := range map[string][]byte{"model.safetensors": append(file, body...), "config.json": []byte(config)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMatricesOfMLXAreReadBitForBit(t *testing.T) {
	kinds := map[int]weights.Type{2: weights.Q4_1, 3: weights.Q4_1, 4: weights.Q4_1, 5: weights.Q5_1, 6: weights.F32, 8: weights.F32}
	for _, m := range readAffine(t) {
		w := open(t, m.write(t))
		x, err := w.Tensor("embed", affineRows, affineInputs)
		if err != nil || x.Type != kinds[m.Bits] {
			t.Errorf("%d bits by %d: %s, %v", m.Bits, m.Group, x.Type, err)
			continue
		}
		for i, f := range x.Floats() {
			if want := binary.LittleEndian.Uint32(m.Floats[4*i:]); math.Float32bits(f) != want {
				t.Errorf("%d bits by %d: weight %d is %g, MLX reads %g", m.Bits, m.Group, i, f, math.Float32frombits(want))
				break
			}
		}
		if got, want := w.Quantisation(), fmt.Sprintf("MLX %d bits, groups of %d", m.Bits, m.Group); got != want {
			t.Errorf("it is called %q, expected %q", got, want)
		}
	}
}
