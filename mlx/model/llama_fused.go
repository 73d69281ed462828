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

// fusedLlama is Llama on the CPU by own kernels: five nodes of MLX's graph a layer, bf16 KV, weights in panels.
type fusedLlama struct {
	config  weights.Config
	kernels *array.Kernels
	heads   array.Heads
	eps     float32

	constants *array.Scope // the norms
	norm      *array.Array
	embed     *array.Matrix
	head      *array.Matrix // the embedding when tied
	layers    []fusedLayer
	rope      *array.RopeTable

	step  *array.Scope   // of the last call: its logits live until the next
	spare []*array.Block // freed
}

type fusedLayer struct {
	attnNorm, ffnNorm    *array.Array
	qkv, o, gateUp, down *array.Matrix
}

// fusedBlock is a block of the kernels' KV. Freed ones are kept for the next sequence: fresh pages from the system
// cost more than the tokens that a small model computes into them. The engine's budget bounds how many there ever are.
type fusedBlock struct {
	*array.Block
	owner *fusedLlama
}

// Free implements engine.Block.
func (b *fusedBlock) Free() {
	if b.Block != nil {
		b.owner.spare = append(b.owner.spare, b.Block)
		b.Block = nil
	}
}

func openFused(c Config) (Model, error) {
	k, err := array.OpenKernels(c.ISA, c.Threads)
	if err != nil {
		return nil, err
	}
	w := c.Weights.Config
	m := &fusedLlama{
		config: w, kernels: k, eps: float32(w.NormEps), constants: array.NewScope(), step: array.NewScope(),
		heads: array.Heads{Heads: w.Heads, KVHeads: w.KVHeads, Dim: w.HeadDim, Scale: float32(1 / math.Sqrt(float64(w.HeadDim)))},
	}
	if err := m.load(c); err != nil {
		m.Close()
		return nil, fmt.Errorf("load model: %w", err)
	}
	return m, nil
}

func (m *fusedLlama) load(c Config) (err error) {
	w := m.config
	if m.embed, err = pack(c.Weights, w.Vocabulary, w.Hidden, part{"embed", w.Vocabulary, after(0)}); err != nil {
		return err
	}
	m.head = m.embed
	if c.Weights.Has("head") {
		if m.head, err = pack(c.Weights, w.Vocabulary, w.Hidden, part{"head", w.Vocabulary, after(0)}); err != nil {
			return err
		}
	}
	if m.norm, err = vector(m.constants, c.Weights, "norm", w.Hidden); err != nil {
		return err
	}
	for i := range w.Layers {
		layer, err := m.loadLayer(c.Weights, fmt.Sprintf("layers.%d.", i))
		m.layers = append(m.layers, layer)
		if err != nil {
			return err
		}
		c.report("loading weights", float64(i+1)/float64(w.Layers))
	}
	frequencies, scale, err := nn.RopeFrequencies(w.Rope)
	if err != nil {
		return err
	}
	cos, sin := nn.RopeTables(frequencies, scale, w.Context)
	m.rope, err = array.NewRopeTable(cos, sin, len(frequencies))
	return err
}

func (m *fusedLlama) loadLayer(w *weights.Model, prefix string) (l fusedLayer, err error) {
	c := m.config
	q, kv, ff := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, (c.Intermediate+31)/32*32
	columnQ, columnK := after(0), after(q)
	if c.PermutedQK {
		columnQ, columnK = unpermuted(c.HeadDim, c.Rope.Dims, 0), unpermuted(c.HeadDim, c.Rope.Dims, q)
	}
	if l.attnNorm, err = vector(m.constants, w, prefix+"attn_norm", c.Hidden); err != nil {
		return l, err
	}
	if l.ffnNorm, err = vector(m.constants, w, prefix+"ffn_norm", c.Hidden); err != nil {
		return l, err
	}
	if l.qkv, err = pack(w, q+2*kv, c.Hidden, part{prefix + "q", q, columnQ}, part{prefix + "k", kv, columnK},
		part{prefix + "v", kv, after(q + kv)}); err != nil {
		return l, err
	}
	if l.o, err = pack(w, c.Hidden, q, part{prefix + "o", c.Hidden, after(0)}); err != nil {
		return l, err
	}
	if l.gateUp, err = pack(w, 2*ff, c.Hidden, part{prefix + "gate", c.Intermediate, gateUp(0)},
		part{prefix + "up", c.Intermediate, gateUp(16)}); err != nil {
		return l, err
	}
	l.down, err = pack(w, c.Hidden, c.Intermediate, part{prefix + "down", c.Hidden, after(0)})
	return l, err
}

// vector loads a one-dimensional tensor as float32.
func vector(s *array.Scope, w *weights.Model, name string, n int) (*array.Array, error) {
	t, err := w.Tensor(name, n)
	if err != nil {
		return nil, err
	}
	a := array.New(s, t.Floats(), array.Float32, n)
	return a, s.Eval(a)
}

// Spec implements engine.Model.
func (m *fusedLlama) Spec() engine.Spec {
	return spec(m.config, 2*int64(m.heads.BlockElements(m.config.Layers)))
}

// Class implements Model.
func (m *fusedLlama) Class() Class { return Class("cpu/" + m.kernels.Name() + "/bf16") }

// NewBlock implements engine.Model. The block is zeros: attention multiplies what lies behind a sequence's end with
// zero weights, which hides every number but not a NaN.
func (m *fusedLlama) NewBlock() (engine.Block, error) {
	if n := len(m.spare); n > 0 {
		b := m.spare[n-1]
		m.spare = m.spare[:n-1]
		b.Clear()
		return &fusedBlock{b, m}, nil
	}
	b, err := array.NewBlock(m.heads.BlockElements(m.config.Layers))
	if err != nil {
		return nil, err
	}
	return &fusedBlock{b, m}, nil
}

// layer computes a whole layer.
func (m *fusedLlama) layer(s *array.Scope, i int, h *array.Array, b *array.Batch) *array.Array {
	return m.finish(s, i, h, m.project(s, i, h, b), b)
}

// project returns a layer's queries and writes its keys and values.
func (m *fusedLlama) project(s *array.Scope, i int, h *array.Array, b *array.Batch) *array.Array {
	l := m.layers[i]
	return m.kernels.NormQKVRope(s, h, l.attnNorm, m.eps, l.qkv, m.heads, m.rope, b, i)
}

// finish computes what follows the projection, for the rows of h and q.
func (m *fusedLlama) finish(s *array.Scope, i int, h, q *array.Array, b *array.Batch) *array.Array {
	l := m.layers[i]
	h = m.kernels.LinearResidual(s, m.kernels.Attention(s, q, m.heads, b, i), l.o, h, b)
	return m.kernels.LinearResidual(s, m.kernels.NormGateUp(s, h, l.ffnNorm, m.eps, l.gateUp, b), l.down, h, b)
}

// begin frees the last step's arrays and opens a scope for the next.
func (m *fusedLlama) begin() *array.Scope {
	m.step.Close()
	m.step = array.NewScope()
	return m.step
}

func (m *fusedLlama) add(b *array.Batch, table []engine.Block, start, rows int) error {
	blocks := make([]*array.Block, len(table))
	for i, x := range table {
		own, ok := x.(*fusedBlock)
		if !ok || own.owner != m || own.Block == nil {
			return fmt.Errorf("block %d of the table is freed or belongs to another model", i)
		}
		blocks[i] = own.Block
	}
	return b.Add(blocks, start, rows)
}

// Prefill implements engine.Model. The last layer writes the KV of every row and computes no more than the row whose
// logits are wanted: by the numeric contract that row's bits do not depend on the others.
func (m *fusedLlama) Prefill(c engine.Chunk) ([]float32, error) {
	s, b, rows := m.begin(), array.NewBatch(array.Prompt), len(c.Tokens)
	defer b.Free()
	if err := m.add(b, c.Table, c.Start, rows); err != nil {
		return nil, err
	}
	last := len(m.layers) - 1
	h := m.kernels.Embed(s, m.embed, c.Tokens)
	for i := range last {
		h = m.layer(s, i, h, b)
	}
	q := m.project(s, last, h, b)
	if !c.Logits {
		return nil, s.Eval(q)
	}
	one := array.NewBatch(array.Prompt)
	defer one.Free()
	if err := m.add(one, c.Table, c.Start+rows-1, 1); err != nil {
		return nil, err
	}
	row := func(a *array.Array, width int) *array.Array {
		return s.Slice(a, []int{rows - 1, 0}, []int{rows, width})
	}
	h = m.finish(s, last, row(h, m.config.Hidden), row(q, m.heads.QueryWidth()), one)
	return s.Floats(m.kernels.NormHead(s, h, m.norm, m.eps, m.head))
}

// Decode implements engine.Model.
func (m *fusedLlama) Decode(rows []engine.Row) ([][]float32, error) {
	s, b, ids := m.begin(), array.NewBatch(array.Generated), make([]int32, len(rows))
	defer b.Free()
	for i, r := range rows {
		ids[i] = r.Token
		if err := m.add(b, r.Table, r.Position, 1); err != nil {
			return nil, err
		}
	}
	h := m.kernels.Embed(s, m.embed, ids)
	for i := range m.layers {
		h = m.layer(s, i, h, b)
	}
	logits, err := s.Floats(m.kernels.NormHead(s, h, m.norm, m.eps, m.head))
	if err != nil {
		return nil, err
	}
	return split(logits, len(rows), m.config.Vocabulary), nil
}

func split(v []float32, rows, width int) [][]float32 {
	out := make([][]float32, rows)
	for i := range out {
		out[i] = v[i*width : (i+1)*width]
	}
	return out
}

// Close implements engine.Model.
func (m *fusedLlama) Close() error {
	m.step.Close()
	m.constants.Close()
	for _, b := range m.spare {
		b.Free()
	}
	m.spare = nil
	if m.head != nil && m.head != m.embed {
		m.head.Free()
	}
	for _, x := range append(m.matrices(), m.embed) {
		if x != nil {
			x.Free()
		}
	}
	if m.rope != nil {
		m.rope.Free()
	}
	return nil
}

func (m *fusedLlama) matrices() []*array.Matrix {
	var all []*array.Matrix
	for _, l := range m.layers {
		all = append(all, l.qkv, l.o, l.gateUp, l.down)
	}
	return all
}
