package weightstest

// Qwen3 is what a Qwen 3 has beside Llama's shape: norms of queries and keys.
type Qwen3 struct{}

// DefaultQwen3 has heads that are wider than their share of the hidden size.
func DefaultQwen3() Tiny {
	return Tiny{
		Layers: 3, Hidden: 64, Intermediate: 128, Heads: 4, KVHeads: 2, HeadDim: 32, Vocabulary: 300, Context: 2048, Seed: 3,
		Family: Qwen3{},
	}
}

func goldenQwen3() map[string]Tiny {
	four := DefaultQwen3()
	four.Bits, four.Group, four.Tied = 4, 64, true
	return map[string]Tiny{"qwen3": DefaultQwen3(), "qwen3-4bit": four}
}

func (Qwen3) settings(Tiny) map[string]any {
	return map[string]any{
		"model_type": "qwen3", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "use_sliding_window": false, "sliding_window": nil,
		"max_window_layers": 3,
	}
}

func (Qwen3) layer(s Tiny, prefix string) []tensor {
	return []tensor{{prefix + "self_attn.q_norm.weight", []int{s.HeadDim}}, {prefix + "self_attn.k_norm.weight", []int{s.HeadDim}}}
}

func (Qwen3) normMean(string) float64 { return 1 }
