package weights_test

import (
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

func biased() weightstest.Tiny {
	tiny := weightstest.Default()
	tiny.Bias = true
	return tiny
}

func TestBiasesAreReadFromBothKindsOfFiles(t *testing.T) {
	for name, path := range map[string]string{"folder": weightstest.Write(t, biased()), "GGUF": weightstest.WriteGGUF(t, biased())} {
		m := open(t, path)
		for tensor, n := range map[string]int{"layers.0.q.bias": 64, "layers.1.k.bias": 32, "layers.1.v.bias": 32, "layers.0.o.bias": 64} {
			if x, err := m.Tensor(tensor, n); err != nil || x.Type != weights.F32 {
				t.Errorf("%s: %s: %v", name, tensor, err)
			}
		}
		if _, err := m.Tensor("layers.0.q.bias", 63); err == nil {
			t.Errorf("%s: a bias of another length is taken", name)
		}
	}
}

// TestABiasThatNoLayerAddsIsRefused: to leave it out would answer wrongly.
func TestABiasThatNoLayerAddsIsRefused(t *testing.T) {
	dir := weightstest.Write(t, biased())
	if err := replace(dir+"/config.json", `"attention_bias":true`, `"attention_bias":false`); err != nil {
		t.Fatal(err)
	}
	settings := [][2]any{
		{"general.architecture", "qwen3"}, {"qwen3.block_count", 1}, {"qwen3.embedding_length", 64}, {"qwen3.feed_forward_length", 96},
		{"qwen3.attention.head_count", 4}, {"qwen3.context_length", 512}, {"qwen3.attention.layer_norm_rms_epsilon", 1e-6},
	}
	embed := map[string][]uint64{"token_embd.weight": {64, 4}}
	with := func(name string) map[string][]uint64 {
		return map[string][]uint64{"token_embd.weight": embed["token_embd.weight"], name: {64}}
	}
	for name, c := range map[string]struct{ path, want string }{
		"a folder whose settings have none": {dir, "_proj.bias: this bias is not supported"},
		"of the feed-forward part":          {gguf(t, settings, with("blk.0.ffn_up.bias")), "blk.0.ffn_up.bias: this bias is not supported"},
		"of a norm":                         {gguf(t, settings, with("blk.0.attn_norm.bias")), "blk.0.attn_norm.bias: this bias is not supported"},
		"of nothing known":                  {gguf(t, settings, with("blk.0.odd.bias")), "blk.0.odd.bias: this bias is not supported"},
		"of a layer that is not there":      {gguf(t, settings, with("blk.7.attn_q.bias")), "blk.7.attn_q.bias: this bias is not supported"},
		"experts":                           {gguf(t, settings, with("blk.0.ffn_up_exps.weight")), "experts are not supported in models of qwen3"},
	} {
		_, err := weights.Open(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	open(t, gguf(t, settings, embed))
}
