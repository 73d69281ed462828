package weightstest

import (
	"fmt"
	"slices"
	"strings"
)

// Qwen3MoE is what a Qwen 3 with experts has beside the dense one.
type Qwen3MoE struct {
	Experts, Used, Inner int
	IsNormed             bool
	Dense                []int // layers without experts
	IsStacked            bool  // the files have one tensor for all experts of a layer
}

// DefaultQwen3MoE sends each token to three of eight experts.
func DefaultQwen3MoE() Tiny {
	tiny := DefaultQwen3()
	tiny.Seed, tiny.Family = 10, Qwen3MoE{Experts: 8, Used: 3, Inner: 64, IsNormed: true}
	return tiny
}

func goldenQwen3MoE() map[string]Tiny {
	mixed, four, eight := DefaultQwen3MoE(), DefaultQwen3MoE(), DefaultQwen3MoE()
	mixed.Family, mixed.Tied = Qwen3MoE{Experts: 5, Used: 2, Inner: 96, Dense: []int{1}}, true
	stacked := Qwen3MoE{Experts: 8, Used: 3, Inner: 64, IsNormed: true, IsStacked: true}
	four.Bits, four.Group, four.Family = 4, 32, stacked
	eight.Bits, eight.Group, eight.Family = 8, 64, stacked
	return map[string]Tiny{"qwen3moe": DefaultQwen3MoE(), "qwen3moe-mixed": mixed, "qwen3moe-4bit": four, "qwen3moe-8bit": eight}
}

func (q Qwen3MoE) settings(s Tiny) map[string]any {
	all := Qwen3{}.settings(s)
	all["model_type"], all["num_experts"], all["num_experts_per_tok"], all["moe_intermediate_size"] = "qwen3_moe", q.Experts, q.Used, q.Inner
	all["norm_topk_prob"], all["decoder_sparse_step"], all["mlp_only_layers"] = q.IsNormed, 1, append([]int{}, q.Dense...)
	return all
}

func (Qwen3MoE) layer(s Tiny, prefix string) []tensor { return Qwen3{}.layer(s, prefix) }

func (Qwen3MoE) normMean(string) float64 { return 1 }

// reshape replaces the feed-forward parts by routers and experts, which have the same numbers stacked or not.
func (q Qwen3MoE) reshape(s Tiny, all []tensor) (out []tensor) {
	for _, x := range all {
		prefix, part, isInner := strings.Cut(x.name, "mlp.")
		var layer int
		if _, err := fmt.Sscanf(prefix, "model.layers.%d.", &layer); !isInner || err != nil || slices.Contains(q.Dense, layer) {
			out = append(out, x)
			continue
		}
		if part == "gate_proj.weight" {
			out = append(out, tensor{prefix + "mlp.gate.weight", []int{q.Experts, s.Hidden}})
		}
		shape := []int{q.Inner, s.Hidden}
		if part == "down_proj.weight" {
			shape = []int{s.Hidden, q.Inner}
		}
		if q.IsStacked {
			out = append(out, tensor{prefix + "mlp.switch_mlp." + part, append([]int{q.Experts}, shape...)})
			continue
		}
		for e := range q.Experts {
			out = append(out, tensor{fmt.Sprintf("%smlp.experts.%d.%s", prefix, e, part), shape})
		}
	}
	return out
}

func (q Qwen3MoE) ggufSettings(_ Tiny, prefix string) []any {
	return []any{
		prefix + ".expert_count", uint32(q.Experts), prefix + ".expert_used_count", uint32(q.Used),
		prefix + ".expert_feed_forward_length", uint32(q.Inner),
	}
}

// stacked is the model with its experts as a GGUF has them.
func (s Tiny) stacked() Tiny {
	if q, ok := s.Family.(Qwen3MoE); ok {
		q.IsStacked = true
		s.Family = q
	}
	return s
}
