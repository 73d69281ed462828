package weightstest

// Gemma3 is what a Gemma 3 has beside Llama's shape; its head is always tied.
type Gemma3 struct {
	Window, Pattern int     // every Pattern-th layer sees everything
	LocalTheta      float64 // of the layers with a window
	QueryScalar     float64
	Factor          float64 // stretches the rotation of the layers that see everything; 0 for none
	Nested          bool    // the folder is one of a model that sees too
}

// DefaultGemma3 has one layer of four that sees everything, and windows that end inside blocks.
func DefaultGemma3() Tiny {
	return Tiny{
		Layers: 4, Hidden: 64, Intermediate: 128, Heads: 4, KVHeads: 1, HeadDim: 32, Vocabulary: 300, Context: 2048, Seed: 4, Tied: true,
		Family: Gemma3{Window: 48, Pattern: 3, LocalTheta: 10000, QueryScalar: 32},
	}
}

func goldenGemma3() map[string]Tiny {
	stretched, four, seeing := DefaultGemma3(), DefaultGemma3(), DefaultGemma3()
	stretched.Family = Gemma3{Window: 300, Pattern: 2, LocalTheta: 100, QueryScalar: 24, Factor: 8}
	four.Bits, four.Group = 4, 64
	seeing.Family = Gemma3{Window: 48, Pattern: 3, LocalTheta: 10000, QueryScalar: 32, Nested: true}
	return map[string]Tiny{"gemma3": DefaultGemma3(), "gemma3-stretched": stretched, "gemma3-4bit": four, "gemma3-seeing": seeing}
}

func (g Gemma3) settings(s Tiny) map[string]any {
	all := map[string]any{
		"model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "rope_theta": 1e6,
		"eos_token_id": []int{1, min(106, s.Vocabulary-1)}, "sliding_window": g.Window, "sliding_window_pattern": g.Pattern,
		"rope_local_base_freq": g.LocalTheta, "query_pre_attn_scalar": g.QueryScalar,
	}
	if g.Factor > 0 {
		all["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": g.Factor}
	}
	return all
}

func (g Gemma3) layer(s Tiny, prefix string) []tensor {
	return append(Gemma2{}.layer(s, prefix), Qwen3{}.layer(s, prefix)...)
}

// normMean is zero, as norms are stored as their distance from one, but for the norms of what a layer
// returns, as for Gemma 2.
func (g Gemma3) normMean(name string) float64 { return Gemma2{}.normMean(name) }

func (g Gemma3) ggufSettings(prefix string) []any {
	all := []any{
		prefix + ".attention.sliding_window", uint32(g.Window), prefix + ".attention.sliding_window_pattern", uint32(g.Pattern),
		prefix + ".rope.freq_base_swa", float32(g.LocalTheta),
	}
	if g.Factor > 0 {
		all = append(all, prefix+".rope.scaling.type", "linear", prefix+".rope.scaling.factor", float32(g.Factor))
	}
	return all
}

// isNested reports whether the model is a part of one that sees too.
func (s Tiny) isNested() bool {
	g, ok := s.Family.(Gemma3)
	return ok && g.Nested
}
