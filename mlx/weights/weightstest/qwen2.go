package weightstest

// Qwen2 is what a Qwen 2 has beside Llama's shape: biases of queries, keys and values.
type Qwen2 struct{}

// DefaultQwen2 is of Default's size.
func DefaultQwen2() Tiny {
	tiny := Default()
	tiny.Family, tiny.Seed = Qwen2{}, 5
	return tiny
}

func (Qwen2) settings(Tiny) map[string]any {
	return map[string]any{
		"model_type": "qwen2", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "use_sliding_window": false, "sliding_window": 4096,
		"max_window_layers": 1,
	}
}

func (Qwen2) layer(s Tiny, prefix string) []tensor {
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	return []tensor{
		{prefix + "self_attn.q_proj.bias", []int{q}}, {prefix + "self_attn.k_proj.bias", []int{kv}}, {prefix + "self_attn.v_proj.bias", []int{kv}},
	}
}

func (Qwen2) normMean(string) float64 { return 1 }
