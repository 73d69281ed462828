package arch

// phi3 is Phi 3 and 4 (Abdin et al., Phi-3 Technical Report, 2024): Llama's form, with one tensor for queries, keys
// and values, and one for gate and up. The mini models rotate a part of each head, by longrope.
func phi3() Family {
	return Family{
		ModelType: "phi3", GGUF: "phi3",
		Names: []Name{
			{"ffn_norm", "post_attention_layernorm", "ffn_norm"},
			{"qkv", "self_attn.qkv_proj", "attn_qkv"}, {"gate_up", "mlp.gate_up_proj", "ffn_up"},
		},
		Fused:      []Fused{{"qkv", []string{"q", "k", "v"}}, {"gate_up", []string{"gate", "up"}}},
		Activation: SiLU, ActivationNames: []string{"silu"},
		Defaults: map[string]any{"original_max_position_embeddings": 4096.0}, // transformers'
		Shape: func(s *settings, c *Config) {
			window := s.optionalWhole(key{"sliding_window", "attention.sliding_window"}, 0)
			for i := range c.Layers {
				c.Layers[i].Window = window
			}
		},
	}
}
