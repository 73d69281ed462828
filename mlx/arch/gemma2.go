package arch

import (
	"cmp"
	"math"
)

// gemma2 is Gemma 2 (Gemma Team, Gemma 2: Improving Open Language Models at a Practical Size, 2024).
func gemma2() Family {
	return Family{
		ModelType: "gemma2", GGUF: "gemma2",
		Names: []Name{
			{"attn_post_norm", "post_attention_layernorm", "post_attention_norm"},
			{"ffn_norm", "pre_feedforward_layernorm", "ffn_norm"},
			{"ffn_post_norm", "post_feedforward_layernorm", "post_ffw_norm"},
		},
		Activation: GELUTanh, ActivationNames: []string{"gelu_pytorch_tanh"},
		Shape: shapeGemma2,
	}
}

func shapeGemma2(s *settings, c *Config) {
	c.Tied, c.EmbedScale = true, math.Sqrt(float64(c.Hidden))
	c.FinalCap = s.optional(key{"final_logit_softcapping", "final_logit_softcapping"}, 30)
	scalar := scalarGemma2(s, c)
	scoreCap := s.optional(key{"attn_logit_softcapping", "attn_logit_softcapping"}, 50)
	for i := range c.Layers {
		l := &c.Layers[i]
		l.PostNorms, l.QueryScalar, l.ScoreCap = true, scalar, scoreCap
	}
	if s.file.Kind == Folder {
		c.NormOffset = 1 // folders have the norms' distance from one; llama.cpp's converter has added it
	}
	windowsGemma2(s, c)
}

// scalarGemma2 is what scores are divided by the root of. llama.cpp's converter does not write it: it is the
// head's dimension but for the 27B model, known by its 46 layers.
func scalarGemma2(s *settings, c *Config) float64 {
	switch heads := c.Layers[0].Heads; {
	case s.file.Kind == Folder:
		return cmp.Or(s.number(key{"query_pre_attn_scalar", ""}, 0), 256)
	case len(c.Layers) == 46 && heads > 0:
		return float64(c.Hidden / heads)
	}
	return 0
}

// windowsGemma2 gives every second layer its window, beginning with the first, or those that the file names.
func windowsGemma2(s *settings, c *Config) {
	window := s.optionalWhole(key{"sliding_window", "attention.sliding_window"}, 4096)
	kinds := s.texts(key{"layer_types", ""})
	if len(kinds) == 0 {
		for i := 0; i < len(c.Layers); i += 2 {
			c.Layers[i].Window = window
		}
		return
	}
	s.windows(c, kinds, window)
}
