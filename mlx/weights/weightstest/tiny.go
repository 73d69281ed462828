// Package weightstest writes tiny seeded models, so that tests run the real loading code and the real engine
// fast. The same seed gives the same files, so that what another implementation makes of them can be kept as
// golden data.
package weightstest

import (
	"encoding/json"
	"fmt"
	"maps"
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
	Bias   bool           // queries, keys, values and attention's output have biases
	Shards int            // number of safetensors files; 0 and 1 make one without an index
	Rope   map[string]any // rope_scaling, may be nil
	Family Family         // nil for a Llama
	Bits   int            // 4 or 8: matrices are quantised as MLX does it, in groups of Group; 0: float32
	Group  int
}

// Family is what the models of a family have beside Llama's shape.
type Family interface {
	// settings replace those of a Llama's config.json.
	settings(s Tiny) map[string]any
	// layer are the tensors that a layer has more.
	layer(s Tiny, prefix string) []tensor
	// normMean is what a norm's weights lie around.
	normMean(name string) float64
}

// reshaped is a family whose files hold Llama's tensors in another form.
type reshaped interface {
	reshape(s Tiny, all []tensor) []tensor
}

// Default is large enough for several heads and layers and small enough for thousands of tokens a second in
// any instruction set.
func Default() Tiny {
	return Tiny{Layers: 2, Hidden: 64, Intermediate: 96, Heads: 4, KVHeads: 2, HeadDim: 16, Vocabulary: 300, Context: 2048, Seed: 1}
}

// Golden are the models whose answers by mlx-lm are kept with package model, by name.
func Golden() map[string]Tiny {
	llama, bias := Default(), Default()
	llama.Bits, llama.Group, llama.Intermediate = 4, 32, 128
	bias.Bias = true
	all := map[string]Tiny{"llama-4bit": llama, "llama-bias": bias}
	maps.Copy(all, goldenGemma2())
	maps.Copy(all, goldenGemma3())
	maps.Copy(all, goldenQwen3())
	maps.Copy(all, goldenRopes())
	maps.Copy(all, goldenPhi3())
	maps.Copy(all, goldenQwen3MoE())
	all["qwen2"], all["mistral"], all["smollm3"] = DefaultQwen2(), DefaultMistral(), DefaultSmolLM3()
	return all
}

// Families are models whose layers differ in everything that layers may differ in, by name. The numeric
// contract and the tiers are tested with them.
func Families() map[string]Tiny {
	normed := DefaultQwen3()
	normed.Bias = true
	return map[string]Tiny{
		"llama": Default(), "gemma2": DefaultGemma2(), "gemma3": DefaultGemma3(), "qwen3": normed, "phi3": DefaultPhi3(),
		"qwen3moe": DefaultQwen3MoE(),
	}
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
		if s.Family != nil {
			all = append(all, s.Family.layer(s, p)...)
		}
		if s.Bias {
			all = append(all, tensor{p + "self_attn.q_proj.bias", []int{q}}, tensor{p + "self_attn.k_proj.bias", []int{kv}},
				tensor{p + "self_attn.v_proj.bias", []int{kv}}, tensor{p + "self_attn.o_proj.bias", []int{s.Hidden}})
		}
	}
	if f, ok := s.Family.(reshaped); ok {
		return f.reshape(s, all)
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
	if s.Family != nil {
		maps.Copy(config, s.Family.settings(s))
	}
	if s.Bias {
		config["attention_bias"] = true
	}
	if s.Rope != nil {
		config["rope_scaling"] = s.Rope
	}
	if s.Bits > 0 {
		config["quantization"] = map[string]any{"group_size": s.Group, "bits": s.Bits}
	}
	if s.isNested() {
		return map[string]any{
			"model_type": "gemma3", "text_config": config, "vision_config": map[string]any{}, "vocab_size": s.Vocabulary,
			"eos_token_id": config["eos_token_id"], "quantization": config["quantization"],
		}
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
