package arch_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// small is a Gemma 3 of seven layers in a folder, changed; settings that are nil are left out.
func small(changes map[string]any) arch.File {
	all := map[string]any{"model_type": "gemma3_text", "num_hidden_layers": 7.0, "head_dim": 32.0, "sliding_window": 64.0}
	maps.Copy(all, changes)
	file := folder(all)
	maps.DeleteFunc(file.Settings, func(_ string, v any) bool { return v == nil })
	return file
}

// kinds are the layers' windows and the bases of their rotation.
func kinds(c arch.Config) (windows []int, bases []float64) {
	for i, l := range c.Layers {
		windows, bases = append(windows, l.Window), append(bases, c.RopeOf(i).Theta)
	}
	return windows, bases
}

func TestGemma3HasOneLayerOfSixThatSeesEverything(t *testing.T) {
	inGGUF := gguf("gemma3", map[string]any{"block_count": uint64(7), "attention.key_length": uint64(32), "attention.sliding_window": uint64(64)})
	for name, c := range map[string]arch.Config{"folder": described(t, small(map[string]any{"query_pre_attn_scalar": 32.0})), "GGUF": described(t, inGGUF)} {
		windows, bases := kinds(c)
		if !slices.Equal(windows, []int{64, 64, 64, 64, 64, 0, 64}) || !slices.Equal(bases, []float64{1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e4}) {
			t.Errorf("%s: windows %v, bases %v", name, windows, bases)
		}
		for i, l := range c.Layers {
			if !l.QKNorm || !l.PostNorms || l.Activation != arch.GELUTanh || l.ScoreCap != 0 || l.ScoreScale() != 1/math.Sqrt(32) || l.HeadDim != 32 {
				t.Errorf("%s: layer %d is %+v", name, i, l)
			}
		}
		if c.EmbedScale != 8 || c.FinalCap != 0 || (c.NormOffset == 1) != (name == "folder") || c.PairedQK || c.NormEps != 1e-5 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestGemma3sSettings changes one setting each, in either kind of file.
func TestGemma3sSettings(t *testing.T) {
	layerTypes := []any{"full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention", "sliding_attention", "sliding_attention"}
	ggufWith := func(changes map[string]any) arch.File {
		changes["block_count"] = uint64(7)
		return gguf("gemma3", changes)
	}
	for _, c := range []struct {
		file    arch.File
		windows []int
		bases   []float64
	}{
		{small(map[string]any{"sliding_window_pattern": 2.0}), []int{64, 0, 64, 0, 64, 0, 64}, []float64{1e4, 1e6, 1e4, 1e6, 1e4, 1e6, 1e4}},
		{small(map[string]any{"_sliding_window_pattern": 3.0}), []int{64, 64, 0, 64, 64, 0, 64}, []float64{1e4, 1e4, 1e6, 1e4, 1e4, 1e6, 1e4}},
		{small(map[string]any{"layer_types": layerTypes}), []int{0, 64, 64, 0, 64, 64, 64}, []float64{1e6, 1e4, 1e4, 1e6, 1e4, 1e4, 1e4}},
		{small(map[string]any{"sliding_window_pattern": 1.0}), []int{0, 0, 0, 0, 0, 0, 0}, []float64{1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6}},
		{small(map[string]any{"sliding_window": nil, "sliding_window_pattern": 4.0}), []int{4096, 4096, 4096, 0, 4096, 4096, 4096}, []float64{1e4, 1e4, 1e4, 1e6, 1e4, 1e4, 1e4}},
		{small(map[string]any{"sliding_window_pattern": 4.0, "rope_local_base_freq": 5e4, "rope_theta": 2e6}), []int{64, 64, 64, 0, 64, 64, 64}, []float64{5e4, 5e4, 5e4, 2e6, 5e4, 5e4, 5e4}},
		{ggufWith(map[string]any{"attention.sliding_window": uint64(9), "attention.sliding_window_pattern": uint64(4), "rope.freq_base": 3e6, "rope.freq_base_swa": 7e3}), []int{9, 9, 9, 0, 9, 9, 9}, []float64{7e3, 7e3, 7e3, 3e6, 7e3, 7e3, 7e3}},
		{ggufWith(map[string]any{}), []int{0, 0, 0, 0, 0, 0, 0}, []float64{1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e4}},
	} {
		windows, bases := kinds(described(t, c.file))
		if !slices.Equal(windows, c.windows) || !slices.Equal(bases, c.bases) {
			t.Errorf("%v: windows %v, bases %v", c.file.Settings, windows, bases)
		}
	}
}

// TestScalingStretchesTheLayersWithoutAWindowOnly gives the same scaling in the forms of old and new files.
func TestScalingStretchesTheLayersWithoutAWindowOnly(t *testing.T) {
	linear := map[string]any{"rope_type": "linear", "factor": 8.0}
	byKind := map[string]any{
		"full_attention":    map[string]any{"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
		"sliding_attention": map[string]any{"rope_type": "default", "rope_theta": 10000.0},
	}
	for name, file := range map[string]arch.File{
		"rope_scaling": small(map[string]any{"rope_scaling": linear}), "rope_parameters": small(map[string]any{"rope_parameters": byKind}),
		"GGUF": gguf("gemma3", map[string]any{"block_count": uint64(7), "attention.sliding_window": uint64(64), "rope.scaling.type": "linear", "rope.scaling.factor": 8.0}),
	} {
		c := described(t, file)
		if r := c.RopeOf(5); r.Type != "linear" || r.Factor != 8 || r.Theta != 1e6 {
			t.Errorf("%s: the layer without a window has %+v", name, r)
		}
		if r := c.RopeOf(0); r.Type != "default" || r.Factor != 0 || r.Theta != 1e4 {
			t.Errorf("%s: a layer with a window has %+v", name, r)
		}
	}
}

// TestTheTextOfAModelThatSees: its settings lie in text_config, which leaves out what transformers has as
// default, as that of gemma-3-4b-it does.
func TestTheTextOfAModelThatSees(t *testing.T) {
	text := map[string]any{
		"hidden_size": 2560.0, "intermediate_size": 10240.0, "model_type": "gemma3_text", "num_hidden_layers": 34.0,
		"rope_scaling": map[string]any{"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024.0,
	}
	file := arch.File{Kind: arch.Folder, Settings: map[string]any{"model_type": "gemma3", "text_config": text, "hidden_size": 7.0, "vision_config": map[string]any{}}}
	c := described(t, file)
	want := arch.Layer{Heads: 8, KVHeads: 4, HeadDim: 256, Intermediate: 10240, QueryScalar: 256, QKNorm: true, PostNorms: true, Activation: arch.GELUTanh}
	if c.Layers[5] != want || len(c.Layers) != 34 || c.Vocabulary != 262208 || c.Context != 131072 || c.NormEps != 1e-6 || !c.Tied || c.Hidden != 2560 {
		t.Errorf("%+v", c)
	}
	family, err := arch.Find(file)
	if err != nil {
		t.Fatal(err)
	}
	names := family.NamesIn(arch.Folder)
	for module, name := range map[string]string{
		"language_model.model.layers.3.self_attn.q_norm": "layers.3.q_norm", "model.language_model.layers.3.mlp.up_proj": "layers.3.up",
		"model.language_model.embed_tokens": "embed", "language_model.lm_head": "head", "model.norm": "norm",
	} {
		if got := names.Canonical(module); got != name || names.OfAnotherPart(module) {
			t.Errorf("%s is %q, expected %q", module, got, name)
		}
	}
	for _, module := range []string{"vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", "model.multi_modal_projector"} {
		if !names.OfAnotherPart(module) {
			t.Errorf("%s counts as text", module)
		}
	}
}

func TestTheLargestGemma3OfAGGUFIsKnownByItsLayers(t *testing.T) {
	largest := map[string]any{"block_count": uint64(62), "embedding_length": uint64(5376), "attention.head_count": uint64(32),
		"attention.head_count_kv": uint64(16), "attention.key_length": uint64(128)}
	if l := described(t, gguf("gemma3", largest)).Layers[0]; l.QueryScalar != 168 {
		t.Errorf("scores of the 27B model are divided by the root of %g", l.QueryScalar)
	}
}

func TestWhatNoGemma3HasIsRefused(t *testing.T) {
	for want, changes := range map[string]map[string]any{
		"attention to what follows is not supported":          {"use_bidirectional_attention": true},
		"sliding_window_pattern is 0, expected at least 1":    {"sliding_window_pattern": 0.0},
		`"silu" is not supported for gemma3_text`:             {"hidden_activation": "silu"},
		"layer_types has 1 windows for 7 layers":              {"layer_types": []any{"full_attention"}},
		"rope_parameters for full_attention: ":                {"rope_parameters": map[string]any{"full_attention": "none"}},
		`rope_parameters for sliding_attention: rope scaling`: {"rope_parameters": map[string]any{"sliding_attention": map[string]any{"type": "odd"}}},
	} {
		if _, err := describe(small(changes)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, got %v", want, err)
		}
	}
}
