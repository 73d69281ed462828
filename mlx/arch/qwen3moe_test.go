package arch_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// routed are the settings of a Qwen 3 with experts in a folder, changed.
func routed(changes map[string]any) arch.File {
	all := map[string]any{
		"model_type": "qwen3_moe", "num_experts": 8.0, "num_experts_per_tok": 2.0, "moe_intermediate_size": 32.0, "norm_topk_prob": true,
	}
	maps.Copy(all, changes)
	return folder(all)
}

func TestQwen3sExpertsAreInTheLayersThatTheFileSays(t *testing.T) {
	all := arch.Experts{Count: 8, Used: 2, IsNormed: true}
	for name, c := range map[string]struct {
		file arch.File
		want [3]arch.Experts
	}{
		"all":          {routed(nil), [3]arch.Experts{all, all, all}},
		"GGUF":         {gguf("qwen3moe", map[string]any{"expert_count": uint64(8), "expert_used_count": uint64(2), "expert_feed_forward_length": uint64(32)}), [3]arch.Experts{all, all, all}},
		"but some":     {routed(map[string]any{"mlp_only_layers": []any{0.0, 2.0}}), [3]arch.Experts{{}, all, {}}},
		"every second": {routed(map[string]any{"decoder_sparse_step": 2.0}), [3]arch.Experts{{}, all, {}}},
		"none":         {routed(map[string]any{"num_experts": 0.0}), [3]arch.Experts{}},
	} {
		for i, l := range described(t, c.file).Layers {
			inner := 96
			if c.want[i].Count > 0 {
				inner = 32
			}
			if l.Experts != c.want[i] || l.Intermediate != inner || !l.QKNorm || l.HeadDim == 0 {
				t.Errorf("%s: layer %d is %+v, expected %+v of %d", name, i, l, c.want[i], inner)
			}
		}
	}
}

func TestWhatNoExpertsAreIsRefused(t *testing.T) {
	for _, c := range []struct {
		changes map[string]any
		want    string
	}{
		{map[string]any{"num_experts": 1e6}, "number of experts is 1000000, expected 1 to 4096"},
		{map[string]any{"num_experts": -1.0, "decoder_sparse_step": 1.0, "num_experts_per_tok": 0.0, "intermediate_size": 0.0}, "intermediate size is 0"},
		{map[string]any{"num_experts_per_tok": 9.0}, "number of experts for a token is 9, expected 1 to 8"},
		{map[string]any{"num_experts_per_tok": 0.0}, "number of experts for a token is 0"},
		{map[string]any{"moe_intermediate_size": 0.0}, "intermediate size is 0"},
		{map[string]any{"decoder_sparse_step": 0.0}, "decoder_sparse_step is 0, expected at least 1"},
		{map[string]any{"mlp_only_layers": []any{3.0}}, "mlp_only_layers names layer 3 of 3"},
	} {
		if _, err := describe(routed(c.changes)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, got %v", c.want, err)
		}
	}
}

func TestNamesOfExpertsInBothKindsOfFiles(t *testing.T) {
	f, err := arch.Find(routed(nil))
	if err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]string{
		"model.layers.2.mlp.experts.117.gate_proj": "layers.2.experts.117.gate", "model.layers.2.mlp.experts.0.down_proj": "layers.2.experts.0.down",
		"model.layers.2.mlp.switch_mlp.up_proj": "layers.2.experts_up", "model.layers.2.mlp.gate": "layers.2.router",
		"model.layers.2.mlp.up_proj": "layers.2.up", "model.layers.2.mlp.experts.gate_proj": "", "model.layers.2.mlp.experts.#.gate_proj": "",
	} {
		if got := f.NamesIn(arch.Folder).Canonical(module); got != want {
			t.Errorf("%q is %q, expected %q", module, got, want)
		}
	}
	for module, want := range map[string]string{
		"blk.2.ffn_gate_exps": "layers.2.experts_gate", "blk.2.ffn_gate_inp": "layers.2.router", "blk.2.": "", "blk.2": "",
	} {
		if got := f.NamesIn(arch.GGUF).Canonical(module); got != want {
			t.Errorf("%q is %q, expected %q", module, got, want)
		}
	}
}
