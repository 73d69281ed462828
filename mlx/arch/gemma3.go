package arch

import (
	"fmt"
	"math"
)

// gemma3 is the text part of Gemma 3 (Gemma Team, Gemma 3 Technical Report, 2025): heads of queries and keys are
// normed, and five layers with a window follow each other before one that sees everything, each kind with a
// rotary embedding of its own.
func gemma3() Family {
	return Family{
		ModelType: "gemma3_text", GGUF: "gemma3", HeadDim: 256, IsStretched: true,
		Names: []Name{
			{"attn_post_norm", "post_attention_layernorm", "post_attention_norm"},
			{"ffn_norm", "pre_feedforward_layernorm", "ffn_norm"},
			{"ffn_post_norm", "post_feedforward_layernorm", "post_ffw_norm"},
			{"q_norm", "self_attn.q_norm", "attn_q_norm"}, {"k_norm", "self_attn.k_norm", "attn_k_norm"},
		},
		Activation: GELUTanh, ActivationNames: []string{"gelu_pytorch_tanh"},
		Nest: Nest{"gemma3", "text_config", "language_model.", []string{"vision_tower", "multi_modal_projector"}},
		Defaults: map[string]any{ // those of transformers, which leaves out what equals them
			"vocab_size": 262208.0, "num_attention_heads": 8.0, "num_key_value_heads": 4.0, "max_position_embeddings": 131072.0,
			"rms_norm_eps": 1e-6, "rope_theta": 1e6, "sliding_window": 4096.0, "tie_word_embeddings": true,
		},
		Shape: shapeGemma3,
	}
}

func shapeGemma3(s *settings, c *Config) {
	c.EmbedScale = math.Sqrt(float64(c.Hidden))
	c.FinalCap = s.optional(key{"final_logit_softcapping", "final_logit_softcapping"}, 0)
	scalar := scalarGemma3(s, c)
	scoreCap := s.optional(key{"attn_logit_softcapping", "attn_logit_softcapping"}, 0)
	for i := range c.Layers {
		l := &c.Layers[i]
		l.QKNorm, l.PostNorms, l.QueryScalar, l.ScoreCap = true, true, scalar, scoreCap
	}
	if s.file.Kind == Folder {
		c.NormOffset = 1 // folders have the norms' distance from one; llama.cpp's converter has added it
	}
	if s.flag(key{"use_bidirectional_attention", ""}) && s.err == nil {
		s.err = fmt.Errorf("attention to what follows is %w", ErrUnsupported)
	}
	localGemma3(s, c)
	if s.err == nil {
		ropesGemma3(s, c)
	}
}

// scalarGemma3 is what scores are divided by the root of. llama.cpp's converter does not write it: it is the
// head's dimension but for the 27B model, known by its 62 layers.
func scalarGemma3(s *settings, c *Config) float64 {
	switch heads := c.Layers[0].Heads; {
	case s.file.Kind == Folder:
		return s.number(key{"query_pre_attn_scalar", ""}, 256)
	case len(c.Layers) == 62 && heads > 0:
		return float64(c.Hidden / heads)
	}
	return 0
}

// localGemma3 gives the window and the second rotary embedding to all layers but every sixth, or as the file
// says it.
func localGemma3(s *settings, c *Config) {
	window := s.optionalWhole(key{"sliding_window", "attention.sliding_window"}, 0)
	kinds := s.texts(key{"layer_types", ""})
	pattern := s.whole(key{"_sliding_window_pattern", ""}, 6) // as newer files call it
	pattern = s.whole(key{"sliding_window_pattern", "attention.sliding_window_pattern"}, pattern)
	if len(kinds) > 0 {
		s.windows(c, kinds, window)
	} else if pattern < 1 {
		s.fail(key{"sliding_window_pattern", "attention.sliding_window_pattern"}, pattern, "at least 1")
	}
	for i := range c.Layers {
		switch {
		case s.err != nil:
			return
		case len(kinds) > 0 && kinds[i] == "full_attention" || len(kinds) == 0 && (i+1)%pattern == 0:
			continue
		}
		c.Layers[i].Window, c.Layers[i].Rope = window, 1
	}
}

// ropesGemma3 adds the rotary embedding of layers with a window, which the file's scaling does not stretch, to
// that of the others.
func ropesGemma3(s *settings, c *Config) {
	all := &c.Ropes[0]
	if s.file.Kind == GGUF {
		all.Theta = s.number(key{"", "rope.freq_base"}, 1e6)
	}
	local := Rope{Type: "default", Dims: all.Dims, Theta: s.number(key{"rope_local_base_freq", "rope.freq_base_swa"}, 10000)}
	s.ropeOf("full_attention", all, c.Context)
	s.ropeOf("sliding_attention", &local, c.Context)
	c.Ropes = append(c.Ropes, local)
}
