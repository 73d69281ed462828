package weightstest

import (
	"slices"
	"strings"
)

// Phi3 is what a Phi 3 has beside Llama's shape: fused tensors, and a part of each head that is rotated.
type Phi3 struct {
	Window   int     // 0 for none
	Part     float64 // of a head that is rotated
	Original int     // the context beyond which longrope's long divisors count
}

// DefaultPhi3 is a mini: a rotation in three quarters of each head, stretched by longrope, and a tied head.
func DefaultPhi3() Tiny {
	tiny := Default()
	tiny.Family, tiny.Seed, tiny.Tied = Phi3{Part: 0.75, Original: 256}, 9, true
	tiny.Rope = map[string]any{
		"type": "longrope", "long_factor": []float64{1, 1.25, 1.5, 3, 5, 9}, "short_factor": []float64{1, 1, 1.25, 1.25, 1.5, 2},
	}
	return tiny
}

func goldenPhi3() map[string]Tiny {
	windowed, four := DefaultPhi3(), DefaultPhi3()
	windowed.Family, windowed.Rope, windowed.Tied = Phi3{Window: 48, Part: 1, Original: 256}, nil, false
	four.Bits, four.Group, four.Intermediate = 4, 32, 128
	return map[string]Tiny{"phi3": DefaultPhi3(), "phi3-window": windowed, "phi3-4bit": four}
}

func (p Phi3) settings(Tiny) map[string]any {
	all := map[string]any{
		"model_type": "phi3", "original_max_position_embeddings": p.Original, "partial_rotary_factor": p.Part, "sliding_window": nil,
	}
	if p.Window > 0 {
		all["sliding_window"] = p.Window
	}
	return all
}

func (Phi3) layer(Tiny, string) []tensor { return nil }

func (Phi3) normMean(string) float64 { return 1 }

// reshape fuses tensors.
func (Phi3) reshape(s Tiny, all []tensor) []tensor {
	for i, x := range all {
		switch module := strings.TrimSuffix(x.name, ".weight"); {
		case strings.HasSuffix(module, ".q_proj"):
			all[i] = tensor{strings.Replace(x.name, "q_proj", "qkv_proj", 1), []int{(s.Heads + 2*s.KVHeads) * s.HeadDim, s.Hidden}}
		case strings.HasSuffix(module, ".gate_proj"):
			all[i] = tensor{strings.Replace(x.name, "gate_proj", "gate_up_proj", 1), []int{2 * s.Intermediate, s.Hidden}}
		}
	}
	return slices.DeleteFunc(all, func(x tensor) bool {
		return strings.HasSuffix(x.name, ".k_proj.weight") || strings.HasSuffix(x.name, ".v_proj.weight") || strings.HasSuffix(x.name, ".up_proj.weight")
	})
}

func (p Phi3) ggufSettings(s Tiny, prefix string) []any {
	all := []any{prefix + ".rope.dimension_count", uint32(p.Part * float64(s.HeadDim))}
	if p.Window > 0 {
		all = append(all, prefix+".attention.sliding_window", uint32(p.Window))
	}
	return all
}
