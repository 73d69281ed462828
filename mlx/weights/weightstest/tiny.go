// Package weightstest writes tiny seeded models, so that tests run the real loading code and the real engine fast.
package weightstest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Tiny is the shape of a tiny Llama.
type Tiny struct {
	Layers, Hidden, Intermediate, Heads, KVHeads, HeadDim, Vocabulary, Context int

	Seed   uint64
	Tied   bool
	Shards int            // number of safetensors files; 0 and 1 make one without an index
	Rope   map[string]any // rope_scaling, may be nil
}

// Default is large enough for several heads and layers and small enough for thousands of tokens a second in any
// instruction set.
func Default() Tiny {
	return Tiny{Layers: 2, Hidden: 64, Intermediate: 96, Heads: 4, KVHeads: 2, HeadDim: 16, Vocabulary: 300, Context: 2048, Seed: 1}
}

type tensor struct {
	name  string
	shape []int
}

func (s Tiny) tensors() []tensor {
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	all := []tensor{{"model.embed_tokens.weight", []int{s.Vocabulary, s.Hidden}}, {"model.norm.weight", []int{s.Hidden}}}
	if !s.Tied {
		all = append(all, tensor{"lm_head.weight", []int{s.Vocabulary, s.Hidden}})
	}
	for i := range s.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		all = append(all,
			tensor{p + "input_layernorm.weight", []int{s.Hidden}}, tensor{p + "post_attention_layernorm.weight", []int{s.Hidden}},
			tensor{p + "self_attn.q_proj.weight", []int{q, s.Hidden}}, tensor{p + "self_attn.k_proj.weight", []int{kv, s.Hidden}},
			tensor{p + "self_attn.v_proj.weight", []int{kv, s.Hidden}}, tensor{p + "self_attn.o_proj.weight", []int{s.Hidden, q}},
			tensor{p + "mlp.gate_proj.weight", []int{s.Intermediate, s.Hidden}}, tensor{p + "mlp.up_proj.weight", []int{s.Intermediate, s.Hidden}},
			tensor{p + "mlp.down_proj.weight", []int{s.Hidden, s.Intermediate}})
	}
	return all
}

// Write writes config.json and the safetensors into a new folder of the test and returns it.
func Write(t testing.TB, s Tiny) string {
	t.Helper()
	dir := t.TempDir()
	config := map[string]any{
		"model_type": "llama", "num_hidden_layers": s.Layers, "hidden_size": s.Hidden, "intermediate_size": s.Intermediate,
		"num_attention_heads": s.Heads, "num_key_value_heads": s.KVHeads, "head_dim": s.HeadDim, "vocab_size": s.Vocabulary,
		"max_position_embeddings": s.Context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": s.Tied,
		"hidden_act": "silu", "eos_token_id": 2,
	}
	if s.Rope != nil {
		config["rope_scaling"] = s.Rope
	}
	writeJSON(t, filepath.Join(dir, "config.json"), config)
	r := rand.New(rand.NewPCG(s.Seed, 0))
	if s.Shards < 2 {
		writeFile(t, filepath.Join(dir, "model.safetensors"), safetensors(t, r, s.tensors()))
		return dir
	}
	index := map[string]string{}
	for i := range s.Shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, s.Shards)
		var part []tensor
		for j, x := range s.tensors() {
			if j%s.Shards == i {
				part = append(part, x)
				index[x.name] = name
			}
		}
		writeFile(t, filepath.Join(dir, name), safetensors(t, r, part))
	}
	writeJSON(t, filepath.Join(dir, "model.safetensors.index.json"), map[string]any{"weight_map": index})
	return dir
}

// safetensors encodes random F32 tensors: norms around 1, matrices with a spread of 1/sqrt(inputs).
func safetensors(t testing.TB, r *rand.Rand, tensors []tensor) []byte {
	header, body := map[string]any{}, []byte{}
	for _, x := range tensors {
		begin, n := len(body), 1
		for _, d := range x.shape {
			n *= d
		}
		spread, mean := 1/math.Sqrt(float64(x.shape[len(x.shape)-1])), 0.0
		if len(x.shape) == 1 {
			spread, mean = 0.1, 1
		}
		for range n {
			body = binary.LittleEndian.AppendUint32(body, math.Float32bits(float32(mean+spread*r.NormFloat64())))
		}
		header[x.name] = map[string]any{"dtype": "F32", "shape": x.shape, "data_offsets": []int{begin, len(body)}}
	}
	raw, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(raw))), raw...), body...)
}

func writeJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, raw)
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
