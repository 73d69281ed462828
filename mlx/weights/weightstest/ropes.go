package weightstest

import "math"

// goldenRopes are models whose rotation is stretched in every way that mlx-lm knows for families of all kinds. The
// dynamic one is short, so that mlx-lm can compute all that it takes at once.
func goldenRopes() map[string]Tiny {
	linear, dynamic, yarn, weighted, third := Default(), Default(), DefaultQwen3(), Default(), Default()
	linear.Rope = map[string]any{"type": "linear", "factor": 4.0}
	dynamic.Rope, dynamic.Context = map[string]any{"type": "dynamic", "factor": 2.0}, 400
	yarn.Rope = map[string]any{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256}
	yarn.Family, yarn.HeadDim, yarn.Seed = nil, 64, 8
	weighted.Rope = map[string]any{
		"type": "yarn", "factor": 8.0, "original_max_position_embeddings": 128, "beta_fast": 16.0, "beta_slow": 2.0,
		"mscale": 1.5, "mscale_all_dim": 0.5,
	}
	third.Rope = map[string]any{
		"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128,
	}
	return map[string]Tiny{
		"rope-linear": linear, "rope-dynamic": dynamic, "rope-yarn": yarn, "rope-yarn-weighted": weighted, "rope-llama3": third,
	}
}

// ggufScaling are the pairs of key and value of a stretched rotation, as llama.cpp's converter writes them. It knows
// no mscale: yarn's own factor of attention is multiplied by another.
func (s Tiny) ggufScaling(prefix string) []any {
	kind, _ := s.Rope["type"].(string)
	if kind == "" {
		kind, _ = s.Rope["rope_type"].(string)
	}
	prefix += ".rope.scaling."
	if p, ok := s.Family.(Phi3); ok && kind == "longrope" {
		scale := math.Sqrt(1 + math.Log(float64(s.Context)/float64(p.Original))/math.Log(float64(p.Original)))
		return []any{prefix + "original_context_length", uint32(p.Original), prefix + "attn_factor", float32(scale)}
	}
	if kind != "linear" && kind != "yarn" {
		return nil
	}
	all := []any{prefix + "type", kind, prefix + "factor", float32(s.Rope["factor"].(float64))}
	if kind == "linear" {
		return all
	}
	all = append(all, prefix+"original_context_length", uint32(s.Rope["original_max_position_embeddings"].(int)))
	if fast, ok := s.Rope["beta_fast"].(float64); ok {
		all = append(all, prefix+"yarn_beta_fast", float32(fast), prefix+"yarn_beta_slow", float32(s.Rope["beta_slow"].(float64)))
	}
	if weight, ok := s.Rope["mscale"].(float64); ok {
		stretch := 0.1 * math.Log(s.Rope["factor"].(float64))
		factor := (stretch*weight + 1) / (stretch*s.Rope["mscale_all_dim"].(float64) + 1) / (stretch + 1)
		all = append(all, prefix+"yarn_attn_factor", float32(factor))
	}
	return all
}

// row is a tensor of one row.
type row struct {
	name   string
	values []float32
}

// ggufFactors are the tensors in which a GGUF has longrope's divisors.
func (s Tiny) ggufFactors() (rows []row) {
	for _, length := range []string{"long", "short"} {
		factors, _ := s.Rope[length+"_factor"].([]float64)
		if factors == nil {
			continue
		}
		x := row{name: "rope_factors_" + length + ".weight"}
		for _, f := range factors {
			x.values = append(x.values, float32(f))
		}
		rows = append(rows, x)
	}
	return rows
}
