package arch

import "fmt"

// qwen3MoE is Qwen 3 with experts (Qwen Team, Qwen3 Technical Report, 2025): the dense one's attention, and a router
// that sends each row to some of a layer's feed-forward parts. Folders have a tensor for each expert, or, as mlx-lm
// writes them and as GGUFs have them, one for all.
func qwen3MoE() Family {
	dense := qwen3()
	return Family{
		ModelType: "qwen3_moe", GGUF: "qwen3moe", HeadDim: dense.HeadDim,
		Names: append(dense.Names,
			Name{"router", "mlp.gate", "ffn_gate_inp"},
			Name{"experts.#.gate", "mlp.experts.#.gate_proj", ""}, Name{"experts.#.up", "mlp.experts.#.up_proj", ""},
			Name{"experts.#.down", "mlp.experts.#.down_proj", ""},
			Name{"experts_gate", "mlp.switch_mlp.gate_proj", "ffn_gate_exps"}, Name{"experts_up", "mlp.switch_mlp.up_proj", "ffn_up_exps"},
			Name{"experts_down", "mlp.switch_mlp.down_proj", "ffn_down_exps"}),
		Fused: []Fused{
			{"experts_gate", []string{"experts.#.gate"}}, {"experts_up", []string{"experts.#.up"}}, {"experts_down", []string{"experts.#.down"}},
		},
		Activation: dense.Activation, ActivationNames: dense.ActivationNames,
		Defaults: map[string]any{ // transformers'
			"num_experts": 128.0, "num_experts_per_tok": 8.0, "moe_intermediate_size": 768.0, "decoder_sparse_step": 1.0, "norm_topk_prob": false,
		},
		Shape: shapeQwen3MoE,
	}
}

func shapeQwen3MoE(s *settings, c *Config) {
	shapeQwen3(s, c)
	experts := Experts{
		Count:    s.whole(key{"num_experts", "expert_count"}, 0),
		Used:     s.whole(key{"num_experts_per_tok", "expert_used_count"}, 0),
		IsNormed: s.file.Kind == GGUF || s.flag(key{"norm_topk_prob", ""}), // llama.cpp always does
	}
	inner := s.whole(key{"moe_intermediate_size", "expert_feed_forward_length"}, 0)
	every := s.whole(key{"decoder_sparse_step", ""}, 1)
	if every < 1 {
		s.fail(key{"decoder_sparse_step", ""}, every, "at least 1")
		return
	}
	for i := range c.Layers {
		if (i+1)%every == 0 && experts.Count > 0 {
			c.Layers[i].Experts, c.Layers[i].Intermediate = experts, inner
		}
	}
	for _, i := range s.wholes(key{"mlp_only_layers", ""}) {
		if i < 0 || i >= len(c.Layers) {
			s.err = fmt.Errorf("mlp_only_layers names layer %d of %d", i, len(c.Layers))
			return
		}
		c.Layers[i].Experts, c.Layers[i].Intermediate = Experts{}, s.whole(key{"intermediate_size", ""}, 0)
	}
}
