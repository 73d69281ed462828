package arch

// mistral is the dense Mistral (Jiang et al., Mistral 7B, 2023): Llama's form, with a window in all layers of its
// first version. In a GGUF it is a llama.
func mistral() Family {
	return Family{
		ModelType:  "mistral",
		Names:      []Name{{"ffn_norm", "post_attention_layernorm", "ffn_norm"}},
		Activation: SiLU, ActivationNames: []string{"silu"},
		Shape: func(s *settings, c *Config) {
			window := s.optionalWhole(key{"sliding_window", ""}, 4096)
			for i := range c.Layers {
				c.Layers[i].Window = window
			}
		},
	}
}
