package arch

import "fmt"

// smollm3 is SmolLM3 (Hugging Face, SmolLM3: smol, multilingual, long-context reasoner, 2025): Llama's form, in
// which every fourth layer knows no positions.
func smollm3() Family {
	return Family{
		ModelType: "smollm3", GGUF: "smollm3", PairedQK: true,
		Names:      []Name{{"ffn_norm", "post_attention_layernorm", "ffn_norm"}},
		Activation: SiLU, ActivationNames: []string{"silu"},
		Defaults: map[string]any{"rope_theta": 2e6, "tie_word_embeddings": true}, // transformers'
		Shape:    shapeSmolLM3,
	}
}

func shapeSmolLM3(s *settings, c *Config) {
	rotated := s.wholes(key{"no_rope_layers", ""}) // 1 for a layer that does rotate, whatever its name says
	every := s.whole(key{"no_rope_layer_interval", ""}, 4)
	switch {
	case s.err != nil:
		return
	case every < 1:
		s.fail(key{"no_rope_layer_interval", ""}, every, "at least 1")
		return
	case len(rotated) > 0 && len(rotated) != len(c.Layers):
		s.err = fmt.Errorf("no_rope_layers has %d numbers for %d layers", len(rotated), len(c.Layers))
		return
	}
	c.Ropes = append(c.Ropes, Rope{Type: "none", Dims: c.Ropes[0].Dims, Theta: c.Ropes[0].Theta})
	for i := range c.Layers {
		if len(rotated) > 0 && rotated[i] == 0 || len(rotated) == 0 && (i+1)%every == 0 {
			c.Layers[i].Rope = 1
		}
	}
	windowsSmolLM3(s, c)
}

// windowsSmolLM3 gives a window, where config.json wants them, to the layers that layer_types names, or else to
// those that know no positions.
func windowsSmolLM3(s *settings, c *Config) {
	if !s.flag(key{"use_sliding_window", ""}) {
		return
	}
	window := s.optionalWhole(key{"sliding_window", ""}, 0)
	if kinds := s.texts(key{"layer_types", ""}); len(kinds) > 0 {
		s.windows(c, kinds, window)
		return
	}
	for i := range c.Layers {
		if c.Layers[i].Rope == 1 {
			c.Layers[i].Window = window
		}
	}
}
