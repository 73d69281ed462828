package weightstest

// Mistral is a folder that calls Llama's shape by another name.
type Mistral struct{}

// DefaultMistral has heads that are wider than their share of the hidden size, as Mistral NeMo's are narrower.
func DefaultMistral() Tiny {
	tiny := Default()
	tiny.Family, tiny.Seed, tiny.HeadDim = Mistral{}, 6, 32
	return tiny
}

func (Mistral) settings(Tiny) map[string]any {
	return map[string]any{"model_type": "mistral", "rope_theta": 1e6, "sliding_window": nil}
}

func (Mistral) layer(Tiny, string) []tensor { return nil }

func (Mistral) normMean(string) float64 { return 1 }
