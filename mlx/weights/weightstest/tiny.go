// Package weightstest writes tiny seeded models, so that tests run the real loading code and the real engine fast.
// The same seed gives the same files, so that what another implementation makes of them can be kept as golden data.
package weightstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Tiny is the shape of a tiny model.
type Tiny struct {
	Layers, Hidden, Intermediate, Heads, KVHeads, HeadDim, Vocabulary, Context int

	Seed   uint64
	Tied   bool
	Shards int            // number of safetensors files; 0 and 1 make one without an index
	Rope   map[string]any // rope_scaling, may be nil
	Gemma2 *Gemma2        // nil for a Llama
	Bits   int            // 4 or 8: matrices are quantised as MLX does it, in groups of Group; 0: float32
	Group  int
}

// Gemma2 is what a Gemma 2 has beside Llama's shape; its head is always tied.
type Gemma2 struct {
	Window                              int
	QueryScalar, AttentionCap, FinalCap float64
}

// Default is large enough for several heads and layers and small enough for thousands of tokens a second in any
// instruction set.
func Default() Tiny {
	return Tiny{Layers: 2, Hidden: 64, Intermediate: 96, Heads: 4, KVHeads: 2, HeadDim: 16, Vocabulary: 300, Context: 2048, Seed: 1}
}

// DefaultGemma2 has windows that end inside blocks, and caps that bend most scores and logits.
func DefaultGemma2() Tiny {
	return Tiny{
		Layers: 4, Hidden: 64, Intermediate: 128, Heads: 4, KVHeads: 2, HeadDim: 32, Vocabulary: 300, Context: 2048, Seed: 2,
		Gemma2: &Gemma2{Window: 48, QueryScalar: 24, AttentionCap: 2, FinalCap: 3},
	}
}

// Golden are the models whose answers by mlx-lm are kept with package model, by name.
func Golden() map[string]Tiny {
	wide, four, eight, llama := DefaultGemma2(), DefaultGemma2(), DefaultGemma2(), Default()
	wide.Gemma2.Window = 4096
	four.Bits, four.Group = 4, 64
	eight.Bits, eight.Group = 8, 32
	llama.Bits, llama.Group, llama.Intermediate = 4, 32, 128
	return map[string]Tiny{"gemma2": wide, "gemma2-window": DefaultGemma2(), "gemma2-4bit": four, "gemma2-8bit": eight, "llama-4bit": llama}
}

type tensor struct {
	name  string
	shape []int
}

func (s Tiny) tensors() []tensor {
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	all := []tensor{{"model.embed_tokens.weight", []int{s.Vocabulary, s.Hidden}}, {"model.norm.weight", []int{s.Hidden}}}
	if !s.Tied && s.Gemma2 == nil {
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
		if s.Gemma2 != nil {
			all = append(all, tensor{p + "pre_feedforward_layernorm.weight", []int{s.Hidden}},
				tensor{p + "post_feedforward_layernorm.weight", []int{s.Hidden}})
		}
	}
	return all
}

func (s Tiny) config() map[string]any {
	config := map[string]any{
		"model_type": "llama", "num_hidden_layers": s.Layers, "hidden_size": s.Hidden, "intermediate_size": s.Intermediate,
		"num_attention_heads": s.Heads, "num_key_value_heads": s.KVHeads, "head_dim": s.HeadDim, "vocab_size": s.Vocabulary,
		"max_position_embeddings": s.Context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": s.Tied,
		"hidden_act": "silu", "eos_token_id": 2,
	}
	if g := s.Gemma2; g != nil {
		config["model_type"], config["tie_word_embeddings"] = "gemma2", true
		config["hidden_act"], config["hidden_activation"] = "gelu_pytorch_tanh", "gelu_pytorch_tanh"
		config["eos_token_id"] = []int{1, 107}
		config["sliding_window"], config["query_pre_attn_scalar"] = g.Window, g.QueryScalar
		config["attn_logit_softcapping"], config["final_logit_softcapping"] = g.AttentionCap, g.FinalCap
	}
	if s.Rope != nil {
		config["rope_scaling"] = s.Rope
	}
	if s.Bits > 0 {
		config["quantization"] = map[string]any{"group_size": s.Group, "bits": s.Bits}
	}
	return config
}

// Write writes config.json and the safetensors into a new folder of the test and returns it.
func Write(t testing.TB, s Tiny) string {
	t.Helper()
	dir := t.TempDir()
	if err := WriteTo(dir, s); err != nil {
		t.Fatal(err)
	}
	return dir
}

// WriteTo writes config.json and the safetensors into a folder that exists.
func WriteTo(dir string, s Tiny) error {
	if err := writeJSON(filepath.Join(dir, "config.json"), s.config()); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(s.Seed, 0))
	if s.Shards < 2 {
		return s.writeShard(filepath.Join(dir, "model.safetensors"), r, s.tensors())
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
		if err := s.writeShard(filepath.Join(dir, name), r, part); err != nil {
			return err
		}
	}
	return writeJSON(filepath.Join(dir, "model.safetensors.index.json"), map[string]any{"weight_map": index})
}

func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}
