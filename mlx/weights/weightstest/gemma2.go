package weightstest

import "strings"

// Gemma2 is what a Gemma 2 has beside Llama's shape; its head is always tied.
type Gemma2 struct {
	Window                              int
	QueryScalar, AttentionCap, FinalCap float64
}

// DefaultGemma2 has windows that end inside blocks, and caps that bend most scores and logits.
func DefaultGemma2() Tiny {
	return Tiny{
		Layers: 4, Hidden: 64, Intermediate: 128, Heads: 4, KVHeads: 2, HeadDim: 32, Vocabulary: 300, Context: 2048, Seed: 2, Tied: true,
		Family: Gemma2{Window: 48, QueryScalar: 24, AttentionCap: 2, FinalCap: 3},
	}
}

func goldenGemma2() map[string]Tiny {
	wide, four, eight := DefaultGemma2(), DefaultGemma2(), DefaultGemma2()
	wide.Family = Gemma2{Window: 4096, QueryScalar: 24, AttentionCap: 2, FinalCap: 3}
	four.Bits, four.Group = 4, 64
	eight.Bits, eight.Group = 8, 32
	return map[string]Tiny{"gemma2": wide, "gemma2-window": DefaultGemma2(), "gemma2-4bit": four, "gemma2-8bit": eight}
}

func (g Gemma2) settings(s Tiny) map[string]any {
	return map[string]any{
		"model_type": "gemma2", "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
		"eos_token_id": []int{1, min(107, s.Vocabulary-1)}, "sliding_window": g.Window, "query_pre_attn_scalar": g.QueryScalar,
		"attn_logit_softcapping": g.AttentionCap, "final_logit_softcapping": g.FinalCap,
	}
}

func (g Gemma2) layer(s Tiny, prefix string) []tensor {
	return []tensor{
		{prefix + "pre_feedforward_layernorm.weight", []int{s.Hidden}}, {prefix + "post_feedforward_layernorm.weight", []int{s.Hidden}},
	}
}

// normMean is zero, as norms are stored as their distance from one, but for the norms of what a layer
// returns. Those are larger, so that with its tied head the model does not just answer with the last token.
func (g Gemma2) normMean(name string) float64 {
	if strings.Contains(name, ".post_") {
		return 5
	}
	return 0
}

func (g Gemma2) ggufSettings(prefix string) []any {
	return []any{
		prefix + ".attn_logit_softcapping", float32(g.AttentionCap), prefix + ".final_logit_softcapping", float32(g.FinalCap),
		prefix + ".attention.sliding_window", uint32(g.Window),
	}
}
