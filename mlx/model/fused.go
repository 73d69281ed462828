//go:build cgo

package model

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/nn"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// fusedDecoder is a decoder on the CPU by own kernels: five nodes of MLX's graph a layer, bf16 KV, weights in panels.
type fusedDecoder struct {
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

	digest [32]byte
	bits   int // of KV at rest

	step *array.Scope // of the last call: its logits live until the next

	mu     sync.Mutex
	spare  []*array.Block // freed
	closed bool
}

type fusedLayer struct {
	layerNorms
	qkv, o, gateUp, down *array.Matrix
	scoring              array.Scoring
}

// fusedBlock is a block of the kernels' KV. Freed ones are kept for the next sequence: fresh pages from the system
// cost more than the tokens that a small model computes into them. The engine's budget bounds how many there ever are.
type fusedBlock struct {
	*array.Block
	owner *fusedDecoder
}

// Free implements engine.Block.
func (b *fusedBlock) Free() {
	if b.Block != nil {
		b.owner.keep(b.Block)
		b.Block = nil
	}
}

func (m *fusedDecoder) keep(b *array.Block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		b.Free()
		return
	}
	m.spare = append(m.spare, b)
}

// takeSpare returns a block that was freed, or nil.
func (m *fusedDecoder) takeSpare() *array.Block {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.spare) - 1
	if n < 0 {
		return nil
	}
	b := m.spare[n]
	m.spare = m.spare[:n]
	return b
}

func openFused(c Config) (Model, error) {
	k, err := array.OpenKernels(c.ISA, c.Threads)
	if err != nil {
		return nil, err
	}
	w := c.Weights.Config
	m := &fusedDecoder{
		config: w, kernels: k, eps: float32(w.NormEps), constants: array.NewScope(), step: array.NewScope(),
		heads: array.Heads{Heads: w.Heads, KVHeads: w.KVHeads, Dim: w.HeadDim}, digest: c.Digest, bits: c.atRest(),
	}
	if err := m.load(c); err != nil {
		m.Close()
		return nil, fmt.Errorf("load model: %w", err)
	}
	return m, nil
}

func (m *fusedDecoder) load(c Config) (err error) {
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
	if m.norm, err = norm(m.constants, c.Weights, "norm", w.Hidden); err != nil {
		return err
	}
	for i := range w.Layers {
		layer, err := m.loadLayer(c.Weights, fmt.Sprintf("layers.%d.", i))
		layer.scoring = array.Scoring{Scale: float32(w.ScoreScale()), Cap: float32(w.AttentionCap), Window: w.Window(i)}
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

func (m *fusedDecoder) loadLayer(w *weights.Model, prefix string) (l fusedLayer, err error) {
	c := m.config
	q, kv, ff := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim, (c.Intermediate+31)/32*32
	columnQ, columnK := after(0), after(q)
	if c.PermutedQK {
		columnQ, columnK = unpermuted(c.HeadDim, c.Rope.Dims, 0), unpermuted(c.HeadDim, c.Rope.Dims, q)
	}
	l.layerNorms, err = loadNorms(m.constants, w, prefix)
	if err != nil {
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

// Spec implements engine.Model.
func (m *fusedDecoder) Spec() engine.Spec {
	s := spec(m.config, m.digest, m.bits, m.Class(), 2*int64(m.heads.BlockElements(m.config.Layers)))
	s.AnyThread = true
	return s
}

// Class implements Model.
func (m *fusedDecoder) Class() Class { return Class("cpu/" + m.kernels.Name() + "/bf16") }

// NewBlock implements engine.Model. The block is zeros: attention multiplies what lies behind a sequence's end with
// zero weights, which hides every number but not a NaN.
func (m *fusedDecoder) NewBlock() (engine.Block, error) {
	if b := m.takeSpare(); b != nil {
		b.Clear()
		return &fusedBlock{b, m}, nil
	}
	b, err := array.NewBlock(m.heads.BlockElements(m.config.Layers))
	if err != nil {
		return nil, err
	}
	return &fusedBlock{b, m}, nil
}

// Copy implements engine.Model.
func (m *fusedDecoder) Copy(to, from engine.Block) error {
	target, source := m.own(to), m.own(from)
	if target == nil || source == nil {
		return errors.New("copy a KV block: one of the two is freed or belongs to another model")
	}
	target.CopyFrom(source)
	return nil
}

// Export implements engine.Model: for each layer its keys and then its values, each [tokens][kv heads][dim] in bf16.
func (m *fusedDecoder) Export(from engine.Block, tokens int) ([][]byte, error) {
	b := m.own(from)
	if b == nil {
		return nil, errors.New("export a KV block: it is freed or belongs to another model")
	}
	rows := make([]byte, m.heads.RowBytes(m.config.Layers, max(tokens, 0)))
	if err := b.Rows(m.heads, m.config.Layers, tokens, rows); err != nil {
		return nil, fmt.Errorf("export a KV block: %w", err)
	}
	if m.bits < 16 {
		rows = m.heads.Pack(rows, m.bits)
	}
	return apart(rows, m.config.Layers), nil
}

// Import implements engine.Model.
func (m *fusedDecoder) Import(to engine.Block, tokens int, parts [][]byte) error {
	b := m.own(to)
	if b == nil {
		return errors.New("import a KV block: it is freed or belongs to another model")
	}
	if tokens < 1 || tokens > engine.BlockTokens {
		return fmt.Errorf("import a KV block: it holds no %d tokens", tokens)
	}
	rows, err := joined(parts, m.config.Layers, m.heads.RestBytes(m.heads.RowBytes(1, tokens), m.bits))
	if err == nil && m.bits < 16 {
		rows, err = m.heads.Unpack(rows, m.bits, m.heads.RowBytes(m.config.Layers, tokens))
	}
	if err == nil {
		err = b.SetRows(m.heads, m.config.Layers, tokens, rows)
	}
	if err != nil {
		return fmt.Errorf("import a KV block: %w", err)
	}
	return nil
}

// own returns the kernels' side of a block, or nil for one that is freed or another model's.
func (m *fusedDecoder) own(b engine.Block) *array.Block {
	if own, ok := b.(*fusedBlock); ok && own.owner == m {
		return own.Block
	}
	return nil
}

// layer computes a whole layer.
func (m *fusedDecoder) layer(s *array.Scope, i int, h *array.Array, b *array.Batch) *array.Array {
	return m.finish(s, i, h, m.project(s, i, h, b), b)
}

// project returns a layer's queries and writes its keys and values.
func (m *fusedDecoder) project(s *array.Scope, i int, h *array.Array, b *array.Batch) *array.Array {
	l := m.layers[i]
	return m.kernels.NormQKVRope(s, h, l.attnNorm, m.eps, l.qkv, m.heads, m.rope, b, i)
}

// finish computes what follows the projection, for the rows of h and q.
func (m *fusedDecoder) finish(s *array.Scope, i int, h, q *array.Array, b *array.Batch) *array.Array {
	l := m.layers[i]
	h = m.add(s, h, m.kernels.Attention(s, q, m.heads, l.scoring, b, i), l.o, l.attnPostNorm, b)
	gated := m.kernels.NormGateUp(s, array.Gate(m.config.Activation), h, l.ffnNorm, m.eps, l.gateUp, b)
	return m.add(s, h, gated, l.down, l.ffnPostNorm, b)
}

// add returns h + x w, or h + rmsnorm(x w) with a norm.
func (m *fusedDecoder) add(s *array.Scope, h, x *array.Array, w *array.Matrix, norm *array.Array, b *array.Batch) *array.Array {
	if norm == nil {
		return m.kernels.LinearResidual(s, x, w, h, b)
	}
	return m.kernels.LinearNormResidual(s, x, w, norm, m.eps, h, b)
}

// embedded returns the embeddings of tokens.
func (m *fusedDecoder) embedded(s *array.Scope, tokens []int32) *array.Array {
	return m.kernels.Embed(s, m.embed, tokens, float32(cmp.Or(m.config.EmbedScale, 1)))
}

// logits are those of every row of h.
func (m *fusedDecoder) logits(s *array.Scope, h *array.Array) ([]float32, error) {
	l := m.kernels.NormHead(s, h, m.norm, m.eps, m.head)
	if m.config.FinalCap > 0 {
		l = m.kernels.SoftCap(s, l, float32(m.config.FinalCap))
	}
	return s.Floats(l)
}

// begin frees the last step's arrays and opens a scope for the next.
func (m *fusedDecoder) begin() *array.Scope {
	m.step.Close()
	m.step = array.NewScope()
	return m.step
}

func (m *fusedDecoder) enter(b *array.Batch, table []engine.Block, start, rows int) error {
	blocks := make([]*array.Block, len(table))
	for i, x := range table {
		if blocks[i] = m.own(x); blocks[i] == nil {
			return fmt.Errorf("block %d of the table is freed or belongs to another model", i)
		}
	}
	return b.Add(blocks, start, rows)
}

// Prefill implements engine.Model. The last layer writes the KV of every row and computes no more than the row whose
// logits are wanted: by the numeric contract that row's bits do not depend on the others.
func (m *fusedDecoder) Prefill(c engine.Chunk) ([]float32, error) {
	s, b, rows := m.begin(), array.NewBatch(array.Prompt), len(c.Tokens)
	defer b.Free()
	if err := m.enter(b, c.Table, c.Start, rows); err != nil {
		return nil, err
	}
	last := len(m.layers) - 1
	h, err := m.below(s, last, rows, m.embedded(s, c.Tokens), b)
	if err != nil {
		return nil, err
	}
	q := m.project(s, last, h, b)
	if !c.Logits {
		return nil, s.Eval(q)
	}
	one := array.NewBatch(array.Prompt)
	defer one.Free()
	if err := m.enter(one, c.Table, c.Start+rows-1, 1); err != nil {
		return nil, err
	}
	row := func(a *array.Array, width int) *array.Array {
		return s.Slice(a, []int{rows - 1, 0}, []int{rows, width})
	}
	h = m.finish(s, last, row(h, m.config.Hidden), row(q, m.heads.QueryWidth()), one)
	return m.logits(s, h)
}

// rowsTogether is how many rows of how many layers, multiplied, are computed before what they made on the way is freed.
const rowsTogether = 256

// below computes the layers below one, of many rows one by one and of few some at once: waiting for each would take
// longer than computing it. So a chunk takes the memory of a layer, which stays in the processor's cache, and not of all.
func (m *fusedDecoder) below(s *array.Scope, layer, rows int, h *array.Array, b *array.Batch) (*array.Array, error) {
	kept, together := array.NewScope(), max(1, rowsTogether/rows)
	defer func() { kept.Close() }()
	for i := 0; i < layer; {
		own, next := array.NewScope(), array.NewScope()
		for end := min(layer, i+together); i < end; i++ {
			h = m.layer(own, i, h, b)
		}
		err := own.Eval(h)
		own.Keep(h, next)
		own.Close()
		kept.Close()
		if kept = next; err != nil {
			return nil, err
		}
	}
	return kept.Keep(h, s), nil
}

// Decode implements engine.Model.
func (m *fusedDecoder) Decode(rows []engine.Row) ([][]float32, error) {
	s, b, ids := m.begin(), array.NewBatch(array.Generated), make([]int32, len(rows))
	defer b.Free()
	for i, r := range rows {
		ids[i] = r.Token
		if err := m.enter(b, r.Table, r.Position, 1); err != nil {
			return nil, err
		}
	}
	h := m.embedded(s, ids)
	for i := range m.layers {
		h = m.layer(s, i, h, b)
	}
	logits, err := m.logits(s, h)
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
func (m *fusedDecoder) Close() error {
	m.step.Close()
	m.constants.Close()
	m.freeSpare()
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

func (m *fusedDecoder) freeSpare() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.spare {
		b.Free()
	}
	m.spare, m.closed = nil, true
}

func (m *fusedDecoder) matrices() []*array.Matrix {
	var all []*array.Matrix
	for _, l := range m.layers {
		all = append(all, l.qkv, l.o, l.gateUp, l.down)
	}
	return all
}
