//go:build cgo

package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/nn"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// stockDecoder is a decoder by MLX's stock operators with dense weights: the oracle in float32 on the CPU, and the way
// on GPUs. KV is gathered through the block table. It makes no claim about bits across row counts.
type stockDecoder struct {
	config weights.Config
	device string
	dtype  array.Dtype
	eps    float32

	constants *array.Scope
	embed     *array.Array // [vocabulary, hidden]
	head      *array.Array // [hidden, vocabulary]
	norm      *array.Array
	freqs     *array.Array // wavelengths / 2 pi, as MLX's rope takes them
	ropeScale *array.Array // nil when 1
	layers    []stockLayer
	digest    [32]byte
	bits      int // of KV at rest

	step *array.Scope
}

type stockLayer struct {
	layerNorms
	q, k, v, o, gate, up, down *array.Array // [inputs, outputs]
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
	if err := m.load(c); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *stockDecoder) load(c Config) (err error) {
	w := m.config
	if m.embed, err = m.matrix(c.Weights, "embed", w.Vocabulary, w.Hidden, after(0)); err != nil {
		return err
	}
	head := "embed"
	if c.Weights.Has("head") {
		head = "head"
	}
	if m.head, err = m.linear(c.Weights, head, w.Vocabulary, w.Hidden, after(0)); err != nil {
		return err
	}
	if m.norm, err = norm(m.constants, c.Weights, "norm", w.Hidden); err != nil {
		return err
	}
	for i := range w.Layers {
		l, err := m.loadLayer(c.Weights, fmt.Sprintf("layers.%d.", i))
		if err != nil {
			return err
		}
		m.layers = append(m.layers, l)
		c.report("loading weights", float64(i+1)/float64(w.Layers))
	}
	return m.loadRope()
}

func (m *stockDecoder) loadRope() error {
	frequencies, scale, err := nn.RopeFrequencies(m.config.Rope)
	if err != nil {
		return err
	}
	inverse := make([]float32, len(frequencies))
	for i, f := range frequencies {
		inverse[i] = float32(1 / f)
	}
	m.freqs = array.New(m.constants, inverse, array.Float32, len(inverse))
	if scale != 1 {
		m.ropeScale = m.constants.AsType(array.New(m.constants, []float32{float32(scale)}, array.Float32, 1), m.dtype)
	}
	return m.constants.Err()
}

func (m *stockDecoder) loadLayer(w *weights.Model, prefix string) (l stockLayer, err error) {
	c := m.config
	q, kv, rotated := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, after(0)
	if c.PermutedQK {
		rotated = unpermuted(c.HeadDim, c.Rope.Dims, 0)
	}
	if l.layerNorms, err = loadNorms(m.constants, w, prefix); err != nil {
		return l, err
	}
	for _, v := range []struct {
		to         **array.Array
		name       string
		rows, cols int
		row        func(int) int
	}{
		{&l.q, "q", q, c.Hidden, rotated}, {&l.k, "k", kv, c.Hidden, rotated}, {&l.v, "v", kv, c.Hidden, after(0)},
		{&l.o, "o", c.Hidden, q, after(0)}, {&l.gate, "gate", c.Intermediate, c.Hidden, after(0)},
		{&l.up, "up", c.Intermediate, c.Hidden, after(0)}, {&l.down, "down", c.Hidden, c.Intermediate, after(0)},
	} {
		if *v.to, err = m.linear(w, prefix+v.name, v.rows, v.cols, v.row); err != nil {
			return l, err
		}
	}
	return l, nil
}

// matrix loads a tensor densely, its row r as row(r).
func (m *stockDecoder) matrix(w *weights.Model, name string, rows, cols int, row func(int) int) (*array.Array, error) {
	t, err := w.Tensor(name, rows, cols)
	if err != nil {
		return nil, err
	}
	from := t.Floats()
	to := make([]float32, len(from))
	for r := range rows {
		copy(to[row(r)*cols:], from[r*cols:(r+1)*cols])
	}
	s := array.NewScope()
	defer s.Close()
	a := s.AsType(array.New(s, to, array.Float32, rows, cols), m.dtype)
	return s.Keep(a, m.constants), s.Eval(a)
}

func (m *stockDecoder) linear(w *weights.Model, name string, rows, cols int, row func(int) int) (*array.Array, error) {
	a, err := m.matrix(w, name, rows, cols, row)
	if err != nil {
		return nil, err
	}
	return m.constants.Transpose(a, 1, 0), m.constants.Err()
}

// Spec implements engine.Model.
func (m *stockDecoder) Spec() engine.Spec {
	c := m.config
	s := spec(c, m.digest, m.bits, m.Class(), int64(c.Layers)*2*int64(c.KVHeads)*engine.BlockTokens*int64(c.HeadDim)*int64(m.dtype.Size()))
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
	zeros := make([]float32, m.config.KVHeads*engine.BlockTokens*m.config.HeadDim)
	for range 2 * m.config.Layers {
		a := b.scope.AsType(array.New(b.scope, zeros, array.Float32, 1, m.config.KVHeads, engine.BlockTokens, m.config.HeadDim), m.dtype)
		b.k, b.v = append(b.v, a), b.k // alternates: each gets one of every two
	}
	if err := b.scope.Eval(append(append([]*array.Array{}, b.k...), b.v...)...); err != nil {
		b.Free()
		return nil, err
	}
	return b, nil
}

// Copy implements engine.Model. Arrays never change once they are made, so the two blocks share them until one is
// written.
func (m *stockDecoder) Copy(to, from engine.Block) error {
	target, ok := to.(*stockBlock)
	source, same := from.(*stockBlock)
	if !ok || !same {
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
	h := m.scaled(s, s.Take(m.embed, array.New(s, tokens, array.Int32, n), 0), cmp.Or(m.config.EmbedScale, 1))
	var written []*array.Array
	for i, l := range m.layers {
		window := m.config.Window(i)
		if masks[window] == nil {
			masks[window] = m.mask(s, start, n, window)
		}
		o, kv := m.attend(s, m.normed(s, h, l.attnNorm), l, i, blocks, start, n, masks[window])
		written = append(written, kv...)
		h = s.Add(h, m.normed(s, s.Matmul(o, l.o), l.attnPostNorm))
		x := m.normed(s, h, l.ffnNorm)
		x = s.Mul(m.activated(s, s.Matmul(x, l.gate)), s.Matmul(x, l.up))
		h = s.Add(h, m.normed(s, s.Matmul(x, l.down), l.ffnPostNorm))
	}
	last := s.Slice(h, []int{n - 1, 0}, []int{n, m.config.Hidden})
	logits := s.AsType(s.Matmul(m.normed(s, last, m.norm), m.head), array.Float32)
	if m.config.FinalCap > 0 {
		logits = m.capped(s, logits, m.config.FinalCap)
	}
	return logits, s.Eval(append(written, logits)...)
}

// scaled is x * factor.
func (m *stockDecoder) scaled(s *array.Scope, x *array.Array, factor float64) *array.Array {
	if factor == 1 {
		return x
	}
	return s.Mul(x, scalar(s, factor, x.Dtype()))
}

// capped is cap tanh(x / cap).
func (m *stockDecoder) capped(s *array.Scope, x *array.Array, cap float64) *array.Array {
	return m.scaled(s, s.Tanh(m.scaled(s, x, 1/cap)), cap)
}

// activated is the gate's function: silu, or GELU's approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
func (m *stockDecoder) activated(s *array.Scope, x *array.Array) *array.Array {
	if m.config.Activation == weights.SiLU {
		return s.Mul(x, s.Sigmoid(x))
	}
	cube := m.scaled(s, s.Mul(s.Mul(x, x), x), 0.044715)
	t := s.Tanh(m.scaled(s, s.Add(x, cube), math.Sqrt(2/math.Pi)))
	return m.scaled(s, s.Mul(x, s.Add(t, scalar(s, 1, x.Dtype()))), 0.5)
}

func scalar(s *array.Scope, v float64, d array.Dtype) *array.Array {
	return s.AsType(array.New(s, []float32{float32(v)}, array.Float32, 1), d)
}

// normed is h without a norm.
func (m *stockDecoder) normed(s *array.Scope, h, w *array.Array) *array.Array {
	if w == nil {
		return h
	}
	return s.AsType(s.RMSNorm(h, w, m.eps), m.dtype)
}

// Close implements engine.Model.
func (m *stockDecoder) Close() error {
	m.step.Close()
	m.constants.Close()
	return nil
}
