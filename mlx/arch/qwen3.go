package arch

// qwen3 is the dense Qwen 3 (Qwen Team, Qwen3 Technical Report, 2025): heads of queries and keys are normed.
func qwen3() Family {
	return Family{
		ModelType: "qwen3", GGUF: "qwen3", HeadDim: 128,
		Names: []Name{
			{"ffn_norm", "post_attention_layernorm", "ffn_norm"},
			{"q_norm", "self_attn.q_norm", "attn_q_norm"}, {"k_norm", "self_attn.k_norm", "attn_k_norm"},
		},
		Activation: SiLU, ActivationNames: []string{"silu"},
		Shape: shapeQwen3,
	}
}

func shapeQwen3(s *settings, c *Config) {
	for i := range c.Layers {
		c.Layers[i].QKNorm = true
	}
	s.lateWindows(c)
}
