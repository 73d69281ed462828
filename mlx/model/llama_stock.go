//go:build cgo

package model

import (
	"fmt"
	"math"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/nn"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// stockLlama is Llama by MLX's stock operators with dense weights: the oracle in float32 on the CPU, and the way
// on GPUs. KV is gathered through the block table. It makes no claim about bits across row counts.
type stockLlama struct {
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

	step *array.Scope
}

type stockLayer struct {
	attnNorm, ffnNorm          *array.Array
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
	m := &stockLlama{
		config: c.Weights.Config, device: device, dtype: dtype, eps: float32(c.Weights.Config.NormEps),
		constants: array.NewScope(), step: array.NewScope(),
	}
	if err := m.load(c); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *stockLlama) load(c Config) (err error) {
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
	if m.norm, err = vector(m.constants, c.Weights, "norm", w.Hidden); err != nil {
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

func (m *stockLlama) loadRope() error {
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

func (m *stockLlama) loadLayer(w *weights.Model, prefix string) (l stockLayer, err error) {
	c := m.config
	q, kv, rotated := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, after(0)
	if c.PermutedQK {
		rotated = unpermuted(c.HeadDim, c.Rope.Dims, 0)
	}
	for _, v := range []struct {
		to   **array.Array
		name string
	}{{&l.attnNorm, "attn_norm"}, {&l.ffnNorm, "ffn_norm"}} {
		if *v.to, err = vector(m.constants, w, prefix+v.name, c.Hidden); err != nil {
			return l, err
		}
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
func (m *stockLlama) matrix(w *weights.Model, name string, rows, cols int, row func(int) int) (*array.Array, error) {
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

func (m *stockLlama) linear(w *weights.Model, name string, rows, cols int, row func(int) int) (*array.Array, error) {
	a, err := m.matrix(w, name, rows, cols, row)
	if err != nil {
		return nil, err
	}
	return m.constants.Transpose(a, 1, 0), m.constants.Err()
}

// Spec implements engine.Model.
func (m *stockLlama) Spec() engine.Spec {
	c := m.config
	return spec(c, int64(c.Layers)*2*int64(c.KVHeads)*engine.BlockTokens*int64(c.HeadDim)*int64(m.dtype.Size()))
}

// Class implements Model.
func (m *stockLlama) Class() Class {
	if m.dtype == array.Float32 {
		return Class(m.device + "/stock/float32")
	}
	return Class(m.device + "/stock/bf16")
}

// NewBlock implements engine.Model.
func (m *stockLlama) NewBlock() (engine.Block, error) {
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

func (m *stockLlama) begin() *array.Scope {
	m.step.Close()
	m.step = array.NewScope()
	return m.step
}

// Prefill implements engine.Model.
func (m *stockLlama) Prefill(c engine.Chunk) ([]float32, error) {
	s := m.begin()
	logits, err := m.rows(s, c.Tokens, c.Start, c.Table)
	if err != nil || !c.Logits {
		return nil, err
	}
	return s.Floats(logits)
}

// Decode implements engine.Model, one sequence after the other.
func (m *stockLlama) Decode(rows []engine.Row) ([][]float32, error) {
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
func (m *stockLlama) rows(s *array.Scope, tokens []int32, start int, table []engine.Block) (*array.Array, error) {
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
	mask := m.mask(s, start, n)
	h := s.Take(m.embed, array.New(s, tokens, array.Int32, n), 0)
	var written []*array.Array
	for i, l := range m.layers {
		x := m.normed(s, h, l.attnNorm)
		o, kv := m.attend(s, x, l, i, blocks, start, n, mask)
		written = append(written, kv...)
		h = s.Add(h, s.Matmul(o, l.o))
		x = m.normed(s, h, l.ffnNorm)
		gate := s.Matmul(x, l.gate)
		h = s.Add(h, s.Matmul(s.Mul(s.Mul(gate, s.Sigmoid(gate)), s.Matmul(x, l.up)), l.down))
	}
	last := s.Slice(h, []int{n - 1, 0}, []int{n, m.config.Hidden})
	logits := s.AsType(s.Matmul(m.normed(s, last, m.norm), m.head), array.Float32)
	return logits, s.Eval(append(written, logits)...)
}

func (m *stockLlama) normed(s *array.Scope, h, w *array.Array) *array.Array {
	return s.AsType(s.RMSNorm(h, w, m.eps), m.dtype)
}

func (m *stockLlama) tableOf(table []engine.Block, tokens int) ([]*stockBlock, error) {
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

// mask is [n, start+n], true where a row may look; nil for a single row, which may look everywhere.
func (m *stockLlama) mask(s *array.Scope, start, n int) *array.Array {
	if n == 1 {
		return nil
	}
	rows, columns := make([]int32, n), make([]int32, start+n)
	for i := range rows {
		rows[i] = int32(start + i)
	}
	for i := range columns {
		columns[i] = int32(i)
	}
	return s.LessEqual(array.New(s, columns, array.Int32, 1, start+n), array.New(s, rows, array.Int32, n, 1))
}

// attend writes the rows' keys and values and returns the attention's output, [n, heads * dim], with the arrays of
// the blocks written.
func (m *stockLlama) attend(s *array.Scope, x *array.Array, l stockLayer, layer int, blocks []*stockBlock, start, n int, mask *array.Array) (*array.Array, []*array.Array) {
	c := m.config
	q := m.rotated(s, m.split(s, s.Matmul(x, l.q), n, c.Heads), start)
	k := m.rotated(s, m.split(s, s.Matmul(x, l.k), n, c.KVHeads), start)
	v := m.split(s, s.Matmul(x, l.v), n, c.KVHeads)
	written := m.write(s, blocks, layer, k, v, start, n)
	keys := m.gather(s, blocks, start+n, func(b *stockBlock) *array.Array { return b.k[layer] })
	values := m.gather(s, blocks, start+n, func(b *stockBlock) *array.Array { return b.v[layer] })
	o := s.Attention(q, keys, values, float32(1/math.Sqrt(float64(c.HeadDim))), mask)
	return s.Reshape(s.Transpose(o, 0, 2, 1, 3), n, c.Heads*c.HeadDim), written
}

func (m *stockLlama) split(s *array.Scope, a *array.Array, n, heads int) *array.Array {
	return s.Transpose(s.Reshape(a, 1, n, heads, m.config.HeadDim), 0, 2, 1, 3)
}

func (m *stockLlama) rotated(s *array.Scope, a *array.Array, start int) *array.Array {
	if m.ropeScale != nil {
		a = s.Mul(a, m.ropeScale)
	}
	return s.Rope(a, m.config.Rope.Dims, start, m.freqs)
}

// write copies rows into the blocks that positions [start, start+n) lie in.
func (m *stockLlama) write(s *array.Scope, blocks []*stockBlock, layer int, k, v *array.Array, start, n int) []*array.Array {
	c := m.config
	var written []*array.Array
	for at := 0; at < n; {
		b, from := blocks[(start+at)/engine.BlockTokens], (start+at)%engine.BlockTokens
		count := min(n-at, engine.BlockTokens-from)
		put := func(to **array.Array, rows *array.Array) {
			part := s.Slice(rows, []int{0, 0, at, 0}, []int{1, c.KVHeads, at + count, c.HeadDim})
			next := s.SliceUpdate(*to, part, []int{0, 0, from, 0}, []int{1, c.KVHeads, from + count, c.HeadDim})
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

func (m *stockLlama) gather(s *array.Scope, blocks []*stockBlock, tokens int, of func(*stockBlock) *array.Array) *array.Array {
	var parts []*array.Array
	for i := 0; i*engine.BlockTokens < tokens; i++ {
		parts = append(parts, of(blocks[i]))
	}
	all := s.Concat(2, parts...)
	return s.Slice(all, []int{0, 0, 0, 0}, []int{1, m.config.KVHeads, tokens, m.config.HeadDim})
}

// Close implements engine.Model.
func (m *stockLlama) Close() error {
	m.step.Close()
	m.constants.Close()
	return nil
}
