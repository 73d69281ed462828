//go:build cgo

package model

import (
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// layerNorms are a layer's norms: before attention and feed-forward, and of what they return.
type layerNorms struct {
	attnNorm, ffnNorm         *array.Array
	attnPostNorm, ffnPostNorm *array.Array // nil without Config.PostNorms
}

func loadNorms(s *array.Scope, w *weights.Model, prefix string) (l layerNorms, err error) {
	names := map[string]**array.Array{"attn_norm": &l.attnNorm, "ffn_norm": &l.ffnNorm}
	if w.Config.PostNorms {
		names["attn_post_norm"], names["ffn_post_norm"] = &l.attnPostNorm, &l.ffnPostNorm
	}
	for name, to := range names {
		if *to, err = norm(s, w, prefix+name, w.Config.Hidden); err != nil {
			return l, err
		}
	}
	return l, nil
}

// norm loads the weights of a norm as float32 [n], Config.NormOffset added.
func norm(s *array.Scope, w *weights.Model, name string, n int) (*array.Array, error) {
	t, err := w.Tensor(name, n)
	if err != nil {
		return nil, err
	}
	values := t.Floats()
	for i := range values {
		values[i] += float32(w.Config.NormOffset)
	}
	a := array.New(s, values, array.Float32, n)
	return a, s.Eval(a)
}
