//go:build cgo

package model

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
)

// fusedDecoder is a decoder on the CPU by own kernels: five nodes of MLX's graph a layer, bf16 KV, weights in
// panels.
type fusedDecoder struct {
	config  arch.Config
	kernels *array.Kernels
	heads   array.Heads

	constants *array.Scope // the norms
	norm      array.Norm
	embed     *array.Matrix
	head      *array.Matrix // the embedding when tied
	layers    []fusedLayer
	ropes     []*array.RopeTable // as Config.Ropes

	digest  [32]byte
	bits    int      // of KV at rest
	widened *widened // what was loaded in more bits than the file has

	step *array.Scope // of the last call: its logits live until the next

	mu     sync.Mutex
	freed  []*array.Block // freed
	closed bool
}

type fusedLayer struct {
	in                        array.Projection
	scoring                   array.Scoring
	o, down                   array.Linear
	gate                      array.Gate
	gateUp                    *array.Matrix
	experts                   *fusedExperts // instead of gateUp and down, nil for none
	ffnNorm                   array.Norm
	attnPostNorm, ffnPostNorm array.Norm // without weights where the layer has none
}

func openFused(c Config) (Model, error) {
	k, err := array.OpenKernels(c.ISA, c.Threads)
	if err != nil {
		return nil, err
	}
	w := c.Weights.Config
	m := &fusedDecoder{
		config: w, kernels: k, constants: array.NewScope(), step: array.NewScope(),
		heads: headsOf(w), digest: c.Digest, bits: c.atRest(), widened: &widened{},
	}
	if err := (fusedLoader{m}).load(c); err != nil {
		_ = m.Close() // the first error tells
		return nil, fmt.Errorf("load model: %w", err)
	}
	return m, nil
}

// Spec implements engine.Model.
func (m *fusedDecoder) Spec() engine.Spec {
	s := spec(m.config, m.digest, m.bits, m.Class(), 2*int64(m.heads.BlockElements(len(m.layers))))
	s.AnyThread, s.Notes = true, m.widened.notes()
	return s
}

// Class implements Model.
func (m *fusedDecoder) Class() Class { return Class("cpu/" + m.kernels.Name() + "/bf16") }

// layer computes a whole layer.
func (m *fusedDecoder) layer(s *array.Scope, i int, h *array.Array, b *array.Batch) *array.Array {
	return m.finish(s, i, h, m.project(s, i, h, b), b)
}

// project returns a layer's queries and writes its keys and values.
func (m *fusedDecoder) project(s *array.Scope, i int, h *array.Array, b *array.Batch) *array.Array {
	return m.kernels.NormQKVRope(s, h, m.layers[i].in, b, i)
}

// finish computes what follows the projection, for the rows of h and q.
func (m *fusedDecoder) finish(s *array.Scope, i int, h, q *array.Array, b *array.Batch) *array.Array {
	l := m.layers[i]
	h = m.add(s, h, m.kernels.Attention(s, q, m.heads, l.scoring, b, i), l.o, l.attnPostNorm, b)
	if l.experts != nil {
		return m.addExperts(s, l, h, b.Phase)
	}
	inner := m.kernels.NormGateUp(s, l.gate, h, l.ffnNorm, l.gateUp, b)
	return m.add(s, h, inner, l.down, l.ffnPostNorm, b)
}

// add returns h + x w, or h + rmsnorm(x w) with a norm. w has its bias in it.
func (m *fusedDecoder) add(s *array.Scope, h, x *array.Array, w array.Linear, norm array.Norm, b *array.Batch) *array.Array {
	if norm.Weight == nil {
		return m.kernels.LinearResidual(s, x, w, h, b)
	}
	return m.kernels.LinearNormResidual(s, x, w, norm, h, b)
}

// embedding returns the embeddings of tokens, scaled as the family has it.
func (m *fusedDecoder) embedding(s *array.Scope, tokens []int32) *array.Array {
	return m.kernels.Embed(s, m.embed, tokens, float32(cmp.Or(m.config.EmbedScale, 1)))
}

// logits are those of every row of h.
func (m *fusedDecoder) logits(s *array.Scope, h *array.Array) ([]float32, error) {
	l := m.kernels.NormHead(s, h, m.norm, m.head)
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

func (m *fusedDecoder) addSequence(b *array.Batch, table []engine.Block, start, rows int) error {
	blocks := make([]*array.Block, len(table))
	for i, x := range table {
		if blocks[i] = m.handle(x); blocks[i] == nil {
			return fmt.Errorf("block %d of the table is freed or belongs to another model", i)
		}
	}
	return b.Add(blocks, start, rows)
}

// Prefill implements engine.Model. The last layer writes the KV of every row and computes no more than the
// row whose logits are wanted: by the numeric contract that row's bits do not depend on the others.
func (m *fusedDecoder) Prefill(c engine.Chunk) ([]float32, error) {
	s, b, rows := m.begin(), array.NewBatch(array.Prefill), len(c.Tokens)
	defer b.Free()
	if err := m.addSequence(b, c.Table, c.Start, rows); err != nil {
		return nil, err
	}
	last := len(m.layers) - 1
	h, err := m.layersBelow(s, last, rows, m.embedding(s, c.Tokens), b)
	if err != nil {
		return nil, err
	}
	q := m.project(s, last, h, b)
	if !c.Logits {
		return nil, s.Eval(q)
	}
	lastRow := array.NewBatch(array.Prefill)
	defer lastRow.Free()
	if err := m.addSequence(lastRow, c.Table, c.Start+rows-1, 1); err != nil {
		return nil, err
	}
	row := func(a *array.Array, width int) *array.Array {
		return s.Slice(a, []int{rows - 1, 0}, []int{rows, width})
	}
	h = m.finish(s, last, row(h, m.config.Hidden), row(q, m.heads.QueryWidth()), lastRow)
	return m.logits(s, h)
}

// rowLayers is how many rows times layers are computed before the arrays between them are freed.
const rowLayers = 256

// layersBelow computes the layers below one: many rows layer by layer, few rows some layers at once, since
// waiting for each layer would take longer than computing it. So a chunk takes the memory of a layer, which
// stays in the processor's cache, and not of all layers.
func (m *fusedDecoder) layersBelow(s *array.Scope, layer, rows int, h *array.Array, b *array.Batch) (*array.Array, error) {
	output, group := array.NewScope(), max(1, rowLayers/rows)
	defer func() { output.Close() }()
	for i := 0; i < layer; {
		step, next := array.NewScope(), array.NewScope()
		for end := min(layer, i+group); i < end; i++ {
			h = m.layer(step, i, h, b)
		}
		err := step.Eval(h)
		step.Keep(h, next)
		step.Close()
		output.Close()
		if output = next; err != nil {
			return nil, err
		}
	}
	return output.Keep(h, s), nil
}

// Decode implements engine.Model.
func (m *fusedDecoder) Decode(rows []engine.Row) ([][]float32, error) {
	s, b, ids := m.begin(), array.NewBatch(array.Decode), make([]int32, len(rows))
	defer b.Free()
	for i, r := range rows {
		ids[i] = r.Token
		if err := m.addSequence(b, r.Table, r.Position, 1); err != nil {
			return nil, err
		}
	}
	h := m.embedding(s, ids)
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
	m.closeBlocks()
	if m.head != nil && m.head != m.embed {
		m.head.Free()
	}
	for _, x := range append(m.matrices(), m.embed) {
		if x != nil {
			x.Free()
		}
	}
	for _, r := range m.ropes {
		r.Free()
	}
	giveBack()
	return nil
}

// giveBack gives all memory that a model left to the system: another model may need it.
func giveBack() {
	array.GiveBack()
	debug.FreeOSMemory()
}

// matrices are those of the layers, as far as they are loaded.
func (m *fusedDecoder) matrices() []*array.Matrix {
	var all []*array.Matrix
	for _, l := range m.layers {
		all = append(all, l.in.QKV.Weight, l.o.Weight, l.gateUp, l.down.Weight)
		all = append(all, l.experts.matrices()...)
	}
	return slices.DeleteFunc(all, func(x *array.Matrix) bool { return x == nil })
}
