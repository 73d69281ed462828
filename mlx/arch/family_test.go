package arch_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// folder are the settings of a small Llama in a folder, changed.
func folder(changes map[string]any) arch.File {
	all := map[string]any{
		"model_type": "llama", "num_hidden_layers": 3.0, "hidden_size": 64.0, "intermediate_size": 96.0, "vocab_size": 300.0,
		"num_attention_heads": 4.0, "num_key_value_heads": 2.0, "max_position_embeddings": 512.0, "rms_norm_eps": 1e-5,
	}
	maps.Copy(all, changes)
	return arch.File{Kind: arch.Folder, Settings: all}
}

// gguf are the settings of the same model in a GGUF of a family, changed. Keys of changes have no prefix.
func gguf(family string, changes map[string]any) arch.File {
	all := map[string]any{"general.architecture": family}
	for name, v := range map[string]any{
		"block_count": uint64(3), "embedding_length": uint64(64), "feed_forward_length": uint64(96), "context_length": uint64(512),
		"attention.head_count": uint64(4), "attention.head_count_kv": uint64(2), "attention.layer_norm_rms_epsilon": 1e-5,
	} {
		all[family+"."+name] = v
	}
	for name, v := range changes {
		all[family+"."+name] = v
	}
	return arch.File{Kind: arch.GGUF, Settings: all, Vocabulary: 300}
}

func described(t *testing.T, file arch.File) arch.Config {
	t.Helper()
	c, err := describe(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func describe(file arch.File) (arch.Config, error) {
	f, err := arch.Find(file)
	if err != nil {
		return arch.Config{}, err
	}
	c, err := f.Describe(file)
	if err == nil {
		err = c.Check()
	}
	return c, err
}

func TestBothKindsOfFilesDescribeTheSameModel(t *testing.T) {
	for name, c := range map[string]arch.Config{"folder": described(t, folder(nil)), "GGUF": described(t, gguf("llama", nil))} {
		want := arch.Layer{Heads: 4, KVHeads: 2, HeadDim: 16, Intermediate: 96}
		if len(c.Layers) != 3 || c.Layers[2] != want || c.Hidden != 64 || c.Vocabulary != 300 || c.Context != 512 {
			t.Errorf("%s: %+v", name, c)
		}
		if c.RopeOf(1).Dims != 16 || c.RopeOf(1).Theta != 10000 || c.PairedQK != (name == "GGUF") {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestSettingsOfAWrongKindAreOneClearLine(t *testing.T) {
	for _, c := range []struct {
		file arch.File
		want string
	}{
		{folder(map[string]any{"hidden_size": "wide"}), "hidden_size is \"wide\", expected a number"},
		{folder(map[string]any{"hidden_size": "a\nb" + strings.Repeat("c", 1000)}), `hidden_size is "a\nbccc`},
		{folder(map[string]any{"hidden_size": []any{"a\nb"}}), `hidden_size is "[a\nb]"`},
		{folder(map[string]any{"hidden_size": 64.5}), "hidden_size is 64.5, expected a whole number"},
		{folder(map[string]any{"vocab_size": 1e30}), "vocab_size is 1e+30, expected a whole number"},
		{folder(map[string]any{"num_hidden_layers": 1e9}), "layers is 1000000000, expected 1 to 1024"},
		{folder(map[string]any{"num_hidden_layers": -1.0}), "layers is -1"},
		{folder(map[string]any{"num_attention_heads": nil}), "heads is 0"},
		{folder(map[string]any{"head_dim": -16.0}), "head dimension is -16"},
		{folder(map[string]any{"rms_norm_eps": 0.0}), "epsilon of 0"},
		{folder(map[string]any{"rope_theta": 0.5}), "theta of 0.5"},
		{folder(map[string]any{"rope_scaling": "none"}), "rope_scaling is \"none\", expected an object"},
		{folder(map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 0.5}}), "factor is 0.5"},
		{folder(map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": "two"}}), "factor is \"two\""},
		{folder(map[string]any{"mlp_bias": true}), "biases of the feed-forward part are not supported"},
		{folder(map[string]any{"attention_bias": "yes"}), "attention_bias is \"yes\", expected true or false"},
		{folder(map[string]any{"hidden_act": "gelu"}), `"gelu" is not supported for llama; silu is`},
		{folder(map[string]any{"model_type": "gemma2", "layer_types": []any{1.0}}), "expected a list of texts"},
		{folder(map[string]any{"model_type": "gemma2", "hidden_act": "silu"}), `"silu" is not supported for gemma2`},
		{folder(map[string]any{"model_type": 7.0}), `the architecture "" is not supported`},
		{gguf("llama", map[string]any{"attention.head_count_kv": []int64{1, 2, 3}}), "llama.attention.head_count_kv is [1 2 3], expected a number"},
		{gguf("llama", map[string]any{"rope.scaling.type": "spiral"}), `"spiral" is not supported; linear, yarn, longrope`},
		{gguf("llama", map[string]any{"rope.dimension_count": uint64(17)}), "17 rotary dimensions"},
		{gguf("mamba", nil), `"mamba" is not supported; llama`},
	} {
		_, err := describe(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("expected %q, got %v", c.want, err)
		}
	}
	if _, err := describe(gguf("mamba", nil)); !errors.Is(err, arch.ErrUnsupported) {
		t.Errorf("an unknown architecture is not marked as unsupported: %v", err)
	}
}

func TestBiasesAreThoseThatTheFileSays(t *testing.T) {
	with := gguf("llama", nil)
	with.HasTensor = func(name string) bool { return name == "blk.0.attn_q.bias" }
	for _, c := range []struct {
		file arch.File
		want arch.Bias
	}{
		{folder(nil), arch.Bias{}},
		{folder(map[string]any{"attention_bias": false}), arch.Bias{}},
		{folder(map[string]any{"attention_bias": true}), arch.Bias{QKV: true, Output: true}},
		{gguf("llama", nil), arch.Bias{}},
		{with, arch.Bias{QKV: true}},
	} {
		got := described(t, c.file)
		if got.Layers[2].Bias != c.want {
			t.Errorf("bias %+v, expected %+v", got.Layers[2].Bias, c.want)
		}
		for name, has := range map[string]bool{
			"layers.0.q": c.want.QKV, "layers.2.v": c.want.QKV, "layers.1.o": c.want.Output,
			"layers.0.gate": false, "layers.3.q": false, "head": false, "": false,
		} {
			if got.HasBias(name) != has {
				t.Errorf("%+v: HasBias(%q) is %v", c.want, name, !has)
			}
		}
	}
}

func TestNamesOfTensorsInBothKindsOfFiles(t *testing.T) {
	for _, c := range []struct{ family, module, gguf, want string }{
		{"llama", "model.embed_tokens", "token_embd", "embed"},
		{"llama", "model.norm", "output_norm", "norm"},
		{"llama", "lm_head", "output", "head"},
		{"llama", "model.layers.11.self_attn.o_proj", "blk.11.attn_output", "layers.11.o"},
		{"llama", "model.layers.0.post_attention_layernorm", "blk.0.ffn_norm", "layers.0.ffn_norm"},
		{"gemma2", "model.layers.0.post_attention_layernorm", "blk.0.post_attention_norm", "layers.0.attn_post_norm"},
		{"gemma2", "model.layers.0.pre_feedforward_layernorm", "blk.0.ffn_norm", "layers.0.ffn_norm"},
		{"gemma2", "model.layers.1.post_feedforward_layernorm", "blk.1.post_ffw_norm", "layers.1.ffn_post_norm"},
		{"qwen3", "model.layers.2.self_attn.q_norm", "blk.2.attn_q_norm", "layers.2.q_norm"},
		{"qwen3", "model.layers.2.self_attn.k_norm", "blk.2.attn_k_norm", "layers.2.k_norm"},
		{"qwen3", "model.layers.0.post_attention_layernorm", "blk.0.ffn_norm", "layers.0.ffn_norm"},
		{"llama", "model.layers.2.self_attn.q_norm", "blk.2.attn_q_norm", ""},
		{"llama", "model.layers.0.pre_feedforward_layernorm", "blk.0.post_ffw_norm", ""},
		{"llama", "model.layers.0", "blk.0", ""},
		{"llama", "vision.layers.0.self_attn.q_proj", "v.blk.0.attn_q", ""},
		{"llama", "", "", ""},
	} {
		f, err := arch.Find(folder(map[string]any{"model_type": c.family}))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.NamesIn(arch.Folder).Canonical(c.module); got != c.want {
			t.Errorf("%s: %q is %q, expected %q", c.family, c.module, got, c.want)
		}
		if got := f.NamesIn(arch.GGUF).Canonical(c.gguf); got != c.want {
			t.Errorf("%s: %q is %q, expected %q", c.family, c.gguf, got, c.want)
		}
	}
}
