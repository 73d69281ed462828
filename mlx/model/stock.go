//go:build cgo

package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
)

// stockDecoder is a decoder by MLX's stock operators with dense weights: the oracle in float32 on the CPU,
// and the way on GPUs. KV is gathered through the block table. It makes no claim about bits across row
// counts.
type stockDecoder struct {
	config arch.Config
	device string
	dtype  array.Dtype
	eps    float32

	constants *array.Scope
	embed     *array.Array // [vocabulary, hidden]
	head      *array.Array // [hidden, vocabulary]
	norm      *array.Array
	ropes     []stockRope // as Config.Ropes
	layers    []stockLayer
	digest    [32]byte
	bits      int // of KV at rest

	step *array.Scope
}

// stockRope is one rotary embedding.
type stockRope struct {
	dims  int
	freqs *array.Array // wavelengths / 2 pi, as MLX's rope takes them
	scale *array.Array // [head dim], nil when 1
}

type stockLayer struct {
	arch.Layer
	layerNorms
	rope                       stockRope
	q, k, v, o, gate, up, down stockLinear
	experts                    *stockExperts // instead of gate, up and down, nil for none
}

// stockLinear is x w + bias.
type stockLinear struct {
	w    *array.Array // [inputs, outputs]
	bias *array.Array // [outputs], nil for none
}

// stockBlock is KV of [1, kv heads, BlockTokens, dim] for each layer.
type stockBlock struct {
	scope *array.Scope
	k, v  []*array.Array
}

// Free implements engine.Block.
func (b *stockBlock) Free() { b.scope.Close() }

func openStock(c Config, device string, dtype array.Dtype) (Model, error) {
	m := &stockDecoder{
		config: c.Weights.Config, device: device, dtype: dtype, eps: float32(c.Weights.Config.NormEps),
		constants: array.NewScope(), step: array.NewScope(), digest: c.Digest, bits: c.atRest(),
	}
	if err := (stockLoader{m}).load(c); err != nil {
		_ = m.Close() // the first error tells
		return nil, err
	}
	return m, nil
}

// Spec implements engine.Model.
func (m *stockDecoder) Spec() engine.Spec {
	heads := m.heads()
	s := spec(m.config, m.digest, m.bits, m.Class(), int64(len(m.layers)*2*heads.KVHeads*engine.BlockTokens*heads.Dim*m.dtype.Size()))
	s.Storable = m.dtype == array.BFloat16
	return s
}

// Class implements Model.
func (m *stockDecoder) Class() Class {
	if m.dtype == array.Float32 {
		return Class(m.device + "/stock/float32")
	}
	return Class(m.device + "/stock/bf16")
}

// NewBlock implements engine.Model.
func (m *stockDecoder) NewBlock() (engine.Block, error) {
	b := &stockBlock{scope: array.NewScope()}
	heads := m.heads()
	zeros := make([]float32, heads.KVHeads*engine.BlockTokens*heads.Dim)
	for range 2 * len(m.layers) {
		a := b.scope.AsType(array.New(b.scope, zeros, array.Float32, 1, heads.KVHeads, engine.BlockTokens, heads.Dim), m.dtype)
		b.k, b.v = append(b.v, a), b.k //nolint:gocritic // alternates: each gets one of every two
	}
	if err := b.scope.Eval(append(append([]*array.Array{}, b.k...), b.v...)...); err != nil {
		b.Free()
		return nil, err
	}
	return b, nil
}

// Copy implements engine.Model. Arrays never change once they are made, so the two blocks share them until
// one is written.
func (m *stockDecoder) Copy(to, from engine.Block) error {
	target, ok := to.(*stockBlock)
	source, isOurs := from.(*stockBlock)
	if !ok || !isOurs {
		return errors.New("copy a KV block: one of the two belongs to another model")
	}
	for i := range source.k {
		target.k[i] = target.scope.AsType(source.k[i], m.dtype)
		target.v[i] = target.scope.AsType(source.v[i], m.dtype)
	}
	return target.scope.Eval(append(append([]*array.Array{}, target.k...), target.v...)...)
}

func (m *stockDecoder) begin() *array.Scope {
	m.step.Close()
	m.step = array.NewScope()
	return m.step
}

// Prefill implements engine.Model.
func (m *stockDecoder) Prefill(c engine.Chunk) ([]float32, error) {
	s := m.begin()
	logits, err := m.rows(s, c.Tokens, c.Start, c.Table)
	if err != nil || !c.Logits {
		return nil, err
	}
	return s.Floats(logits)
}

// Decode implements engine.Model, one sequence after the other.
func (m *stockDecoder) Decode(rows []engine.Row) ([][]float32, error) {
	s := m.begin()
	out := make([][]float32, len(rows))
	for i, r := range rows {
		logits, err := m.rows(s, []int32{r.Token}, r.Position, r.Table)
		if err != nil {
			return nil, err
		}
		if out[i], err = s.Floats(logits); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rows computes tokens of one sequence and returns the last one's logits.
func (m *stockDecoder) rows(s *array.Scope, tokens []int32, start int, table []engine.Block) (*array.Array, error) {
	n := len(tokens)
	for _, id := range tokens {
		if id < 0 || int(id) >= m.config.Vocabulary {
			return nil, fmt.Errorf("token id %d is outside the vocabulary of %d", id, m.config.Vocabulary)
		}
	}
	blocks, err := m.tableOf(table, start+n)
	if err != nil {
		return nil, err
	}
	masks := map[int]*array.Array{} // by window
	h := m.scale(s, s.Take(m.embed, array.New(s, tokens, array.Int32, n), 0), cmp.Or(m.config.EmbedScale, 1))
	var written []*array.Array
	for i, l := range m.layers {
		if masks[l.Window] == nil {
			masks[l.Window] = m.mask(s, start, n, l.Window)
		}
		o, kv := m.attend(s, m.rmsNorm(s, h, l.attnNorm), l, i, blocks, start, n, masks[l.Window])
		written = append(written, kv...)
		h = s.Add(h, m.rmsNorm(s, l.o.apply(s, o), l.attnPostNorm))
		x := m.rmsNorm(s, h, l.ffnNorm)
		h = s.Add(h, m.rmsNorm(s, l.feedForward(m, s, x, n), l.ffnPostNorm))
	}
	last := s.Slice(h, []int{n - 1, 0}, []int{n, m.config.Hidden})
	logits := s.AsType(s.Matmul(m.rmsNorm(s, last, m.norm), m.head), array.Float32)
	if m.config.FinalCap > 0 {
		logits = m.softCap(s, logits, m.config.FinalCap)
	}
	return logits, s.Eval(append(written, logits)...)
}

// feedForward is what a layer's feed-forward part, or its experts, make of n normed rows.
func (l stockLayer) feedForward(m *stockDecoder, s *array.Scope, x *array.Array, n int) *array.Array {
	if l.experts != nil {
		return l.mixture(m, s, x, n)
	}
	return l.down.apply(s, s.Mul(m.activate(s, l.Activation, l.gate.apply(s, x)), l.up.apply(s, x)))
}

// apply is x w + bias.
func (l stockLinear) apply(s *array.Scope, x *array.Array) *array.Array {
	x = s.Matmul(x, l.w)
	if l.bias == nil {
		return x
	}
	return s.Add(x, l.bias)
}

// scale is x * factor.
func (m *stockDecoder) scale(s *array.Scope, x *array.Array, factor float64) *array.Array {
	if factor == 1 {
		return x
	}
	return s.Mul(x, scalar(s, factor, x.Dtype()))
}

// softCap is cap tanh(x / cap).
func (m *stockDecoder) softCap(s *array.Scope, x *array.Array, cap float64) *array.Array {
	return m.scale(s, s.Tanh(m.scale(s, x, 1/cap)), cap)
}

// activate is the gate's function: silu, or GELU's approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715
// x^3))) / 2.
func (m *stockDecoder) activate(s *array.Scope, activation arch.Activation, x *array.Array) *array.Array {
	if activation == arch.SiLU {
		return s.Mul(x, s.Sigmoid(x))
	}
	cube := m.scale(s, s.Mul(s.Mul(x, x), x), 0.044715)
	t := s.Tanh(m.scale(s, s.Add(x, cube), math.Sqrt(2/math.Pi)))
	return m.scale(s, s.Mul(x, s.Add(t, scalar(s, 1, x.Dtype()))), 0.5)
}

func scalar(s *array.Scope, v float64, d array.Dtype) *array.Array {
	return s.AsType(array.New(s, []float32{float32(v)}, array.Float32, 1), d)
}

// rmsNorm is h without a norm.
func (m *stockDecoder) rmsNorm(s *array.Scope, h, w *array.Array) *array.Array {
	if w == nil {
		return h
	}
	return s.AsType(s.RMSNorm(h, w, m.eps), m.dtype)
}

// Close implements engine.Model.
func (m *stockDecoder) Close() error {
	m.step.Close()
	m.constants.Close()
	giveBack()
	return nil
}
