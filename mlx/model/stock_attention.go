//go:build cgo

package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
)

func (m *stockDecoder) tableOf(table []engine.Block, tokens int) ([]*stockBlock, error) {
	if len(table)*engine.BlockTokens < tokens {
		return nil, fmt.Errorf("a block table of %d does not hold %d tokens", len(table), tokens)
	}
	out := make([]*stockBlock, len(table))
	for i, b := range table {
		own, ok := b.(*stockBlock)
		if !ok {
			return nil, fmt.Errorf("block %d of the table belongs to another model", i)
		}
		out[i] = own
	}
	return out, nil
}

// mask is [n, start+n], true where a row may look; nil for a single row that may look everywhere.
func (m *stockDecoder) mask(s *array.Scope, start, n, window int) *array.Array {
	if n == 1 && (window == 0 || start < window) {
		return nil
	}
	rows, columns, last := make([]int32, n), make([]int32, start+n), make([]int32, start+n)
	for i := range rows {
		rows[i] = int32(start + i)
	}
	for i := range columns {
		columns[i] = int32(i)
		last[i] = int32(i + window - 1) // the last row that looks at column i
	}
	row := array.New(s, rows, array.Int32, n, 1)
	causal := s.LessEqual(array.New(s, columns, array.Int32, 1, start+n), row)
	if window == 0 {
		return causal
	}
	return s.Mul(causal, s.LessEqual(row, array.New(s, last, array.Int32, 1, start+n)))
}

// attend writes the rows' keys and values and returns the attention's output, [n, heads * dim], with the
// arrays of the blocks written.
func (m *stockDecoder) attend(s *array.Scope, x *array.Array, l stockLayer, layer int, blocks []*stockBlock, start, n int, mask *array.Array) (*array.Array, []*array.Array) {
	q := l.rope.rotate(s, m.rmsNorm(s, split4(s, l.q.apply(s, x), n, l.Heads, l.HeadDim), l.qNorm), start)
	k := l.rope.rotate(s, m.rmsNorm(s, split4(s, l.k.apply(s, x), n, l.KVHeads, l.HeadDim), l.kNorm), start)
	v := split4(s, l.v.apply(s, x), n, l.KVHeads, l.HeadDim)
	written := m.write(s, blocks, layer, k, v, start, n)
	keys := m.gather(s, blocks, start+n, func(b *stockBlock) *array.Array { return b.k[layer] })
	values := m.gather(s, blocks, start+n, func(b *stockBlock) *array.Array { return b.v[layer] })
	o := m.attention(s, l, q, keys, values, mask)
	return s.Reshape(s.Transpose(o, 0, 2, 1, 3), n, l.QueryRows()), written
}

// attention is softmax(scores) values for q [1, heads, n, dim] and keys and values [1, kv heads, tokens,
// dim]. MLX's own operator has no soft cap, so scores that have one are written out.
func (m *stockDecoder) attention(s *array.Scope, l stockLayer, q, keys, values, mask *array.Array) *array.Array {
	if l.ScoreCap == 0 {
		return s.Attention(q, keys, values, float32(l.ScoreScale()), mask)
	}
	q = s.Reshape(m.scale(s, q, l.ScoreScale()), l.KVHeads, l.Heads/l.KVHeads, -1, l.HeadDim)
	keys, values = s.Reshape(keys, l.KVHeads, 1, -1, l.HeadDim), s.Reshape(values, l.KVHeads, 1, -1, l.HeadDim)
	scores := m.softCap(s, s.Matmul(q, s.Transpose(keys, 0, 1, 3, 2)), l.ScoreCap)
	if mask != nil { // true becomes 0, false a score that has no weight
		const hidden = 1e30
		scores = s.AsType(scores, array.Float32)
		bias := s.Mul(s.AsType(mask, array.Float32), scalar(s, hidden, array.Float32))
		scores = s.Add(scores, s.Add(bias, scalar(s, -hidden, array.Float32)))
	}
	o := s.Matmul(s.AsType(s.Softmax(scores, -1), m.dtype), values)
	return s.Reshape(o, 1, l.Heads, -1, l.HeadDim)
}

// split4 turns [n, heads * dim] into [1, heads, n, dim].
func split4(s *array.Scope, a *array.Array, n, heads, dim int) *array.Array {
	return s.Transpose(s.Reshape(a, 1, n, heads, dim), 0, 2, 1, 3)
}

// rotate rotates [1, heads, n, dim] from position start on.
func (r stockRope) rotate(s *array.Scope, a *array.Array, start int) *array.Array {
	if r.scale != nil {
		a = s.Mul(a, r.scale)
	}
	return s.Rope(a, r.dims, start, r.freqs)
}

// write copies rows into the blocks that positions [start, start+n) lie in.
func (m *stockDecoder) write(s *array.Scope, blocks []*stockBlock, layer int, k, v *array.Array, start, n int) []*array.Array {
	heads := m.heads()
	var written []*array.Array
	for at := 0; at < n; {
		b, from := blocks[(start+at)/engine.BlockTokens], (start+at)%engine.BlockTokens
		count := min(n-at, engine.BlockTokens-from)
		put := func(to **array.Array, rows *array.Array) {
			part := s.Slice(rows, []int{0, 0, at, 0}, []int{1, heads.KVHeads, at + count, heads.Dim})
			next := s.SliceUpdate(*to, part, []int{0, 0, from, 0}, []int{1, heads.KVHeads, from + count, heads.Dim})
			if s.Err() == nil {
				b.scope.Keep(*to, s) // the old one goes with the step
				*to = s.Keep(next, b.scope)
				written = append(written, next)
			}
		}
		put(&b.k[layer], k)
		put(&b.v[layer], v)
		at += count
	}
	return written
}

func (m *stockDecoder) gather(s *array.Scope, blocks []*stockBlock, tokens int, layer func(*stockBlock) *array.Array) *array.Array {
	var parts []*array.Array
	for i := 0; i*engine.BlockTokens < tokens; i++ {
		parts = append(parts, layer(blocks[i]))
	}
	all, heads := s.Concat(2, parts...), m.heads()
	return s.Slice(all, []int{0, 0, 0, 0}, []int{1, heads.KVHeads, tokens, heads.Dim})
}
