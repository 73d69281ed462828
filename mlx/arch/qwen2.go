package arch

// qwen2 is the dense Qwen 2 and 2.5 (Qwen Team, Qwen2.5 Technical Report, 2024): queries, keys and values have
// biases, which no setting tells.
func qwen2() Family {
	return Family{
		ModelType: "qwen2", GGUF: "qwen2",
		Names:      []Name{{"ffn_norm", "post_attention_layernorm", "ffn_norm"}},
		Activation: SiLU, ActivationNames: []string{"silu"},
		Shape: func(s *settings, c *Config) {
			for i := range c.Layers {
				if s.file.Kind == Folder {
					c.Layers[i].Bias = Bias{QKV: true}
				}
			}
			s.lateWindows(c)
		},
	}
}
