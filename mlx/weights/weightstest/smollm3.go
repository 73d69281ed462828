package weightstest

// SmolLM3 is what a SmolLM3 has beside Llama's shape: every fourth layer knows no positions.
type SmolLM3 struct{}

// DefaultSmolLM3 has one layer without positions, and one behind it.
func DefaultSmolLM3() Tiny {
	tiny := Default()
	tiny.Family, tiny.Seed, tiny.Layers, tiny.Tied = SmolLM3{}, 7, 5, true
	return tiny
}

func (SmolLM3) settings(Tiny) map[string]any {
	return map[string]any{"model_type": "smollm3", "rope_theta": 5e6, "no_rope_layer_interval": 4, "use_sliding_window": false}
}

func (SmolLM3) layer(Tiny, string) []tensor { return nil }

func (SmolLM3) normMean(string) float64 { return 1 }
