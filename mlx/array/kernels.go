//go:build cgo

package array

// #include <stdlib.h>
// #include "array.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Kernels are the own CPU operators of one instruction set.
type Kernels struct{ p unsafe.Pointer }

// OpenKernels chooses the instruction set: "auto" for the processor's best, or amx, avx512, avx2, plain.
// threads is the number of threads that share an operator; 0 for one on each processor.
func OpenKernels(isa string, threads int) (*Kernels, error) {
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	p := C.am_kernels_open(name, C.int(threads))
	if p == nil {
		return nil, lastError()
	}
	return &Kernels{unsafe.Pointer(p)}, nil
}

// Name is the instruction set in use.
func (k *Kernels) Name() string { return C.GoString(C.am_kernels_name(k.p)) }

// Matrix is a weight matrix in the kernels' panels: n outputs by k inputs.
type Matrix struct {
	h    *C.am_matrix
	N, K int
}

// NewMatrix returns a matrix of zeros for rows of the given source.
func NewMatrix(n, k int, source Source) (*Matrix, error) {
	h := C.am_matrix_new(C.int(n), C.int(k), C.int(source))
	if h == nil {
		return nil, fmt.Errorf("make a %dx%d matrix: %w", n, k, lastError())
	}
	return &Matrix{h, n, k}, nil
}

// Pack writes source rows into the output columns given, one row for each.
func (m *Matrix) Pack(source Source, rows []byte, columns []int32) error {
	if want := len(columns) * source.RowBytes(m.K); len(rows) != want || want == 0 {
		return fmt.Errorf("pack %d rows of %d inputs: %d bytes given, %d needed", len(columns), m.K, len(rows), want)
	}
	if C.am_matrix_pack(m.h, C.int(source), unsafe.Pointer(&rows[0]), C.int(len(columns)), (*C.int32_t)(&columns[0])) != 0 {
		return lastError()
	}
	return nil
}

// Column reads output column n back as the kernels see it.
func (m *Matrix) Column(n int) ([]float32, error) {
	out := make([]float32, m.K)
	if C.am_matrix_column(m.h, C.int(n), (*C.float)(&out[0])) != 0 {
		return nil, lastError()
	}
	return out, nil
}

// Bytes is the memory that the matrix takes.
func (m *Matrix) Bytes() int64 { return int64(C.am_matrix_bytes(m.h)) }

// Free gives the memory back once no pending operator uses it.
func (m *Matrix) Free() {
	if m.h != nil {
		C.am_matrix_free(m.h)
		m.h = nil
	}
}

// Block is KV memory for BlockTokens tokens in the kernels' layout, zeroed.
type Block struct {
	p        *C.uint16_t
	elements int
}

// NewBlock allocates elements bf16 values (Heads.BlockElements).
func NewBlock(elements int) (*Block, error) {
	p := C.am_block_new(C.size_t(elements))
	if p == nil {
		return nil, fmt.Errorf("allocate a KV block of %d bytes: %w", 2*elements, lastError())
	}
	return &Block{p, elements}, nil
}

// Clear fills the block with zeros, for another sequence.
func (b *Block) Clear() { C.am_block_clear(b.p, C.size_t(b.elements)) }

// CopyFrom makes the block equal to another of the same length.
func (b *Block) CopyFrom(from *Block) {
	C.am_block_copy(b.p, from.p, C.size_t(min(b.elements, from.elements)))
}

// Rows writes the keys and values of the first tokens to rows, which Heads.RowBytes tells the length of: for each layer
// its keys and then its values, each [tokens][kv heads][dim] in bf16. It may be called from any thread.
func (b *Block) Rows(h Heads, layers, tokens int, rows []byte) error {
	if err := b.checkRows(h, layers, tokens, rows); err != nil {
		return err
	}
	C.am_block_to_rows(b.p, h.c(), C.int(layers), C.int(tokens), unsafe.Pointer(&rows[0]))
	return nil
}

// SetRows is the inverse of Rows. What lies behind the tokens stays as it is.
func (b *Block) SetRows(h Heads, layers, tokens int, rows []byte) error {
	if err := b.checkRows(h, layers, tokens, rows); err != nil {
		return err
	}
	C.am_block_from_rows(b.p, h.c(), C.int(layers), C.int(tokens), unsafe.Pointer(&rows[0]))
	return nil
}

func (b *Block) checkRows(h Heads, layers, tokens int, rows []byte) error {
	if want := h.RowBytes(layers, tokens); tokens < 1 || tokens > BlockTokens || len(rows) != want || b.elements != h.BlockElements(layers) {
		return fmt.Errorf("rows of %d tokens in %d layers: %d bytes given, %d needed, in a block of %d elements",
			tokens, layers, len(rows), want, b.elements)
	}
	return nil
}

// Free gives the memory back.
func (b *Block) Free() {
	if b.p != nil {
		C.am_block_free(b.p)
		b.p = nil
	}
}

// RopeTable holds cosines and sines of [positions][half].
type RopeTable struct{ h *C.am_rope }

// NewRopeTable copies the tables.
func NewRopeTable(cos, sin []float32, half int) (*RopeTable, error) {
	if half <= 0 || len(cos) == 0 || len(cos) != len(sin) || len(cos)%half != 0 {
		return nil, fmt.Errorf("rotary table of %d cosines and %d sines is no table of %d columns", len(cos), len(sin), half)
	}
	h := C.am_rope_new((*C.float)(&cos[0]), (*C.float)(&sin[0]), C.int(len(cos)/half), C.int(half))
	if h == nil {
		return nil, lastError()
	}
	return &RopeTable{h}, nil
}

// Free gives the memory back.
func (r *RopeTable) Free() {
	if r.h != nil {
		C.am_rope_free(r.h)
		r.h = nil
	}
}

// Batch names the sequences whose rows one step computes, in order.
type Batch struct {
	h     *C.am_batch
	Phase Phase
	Rows  int
}

// NewBatch returns an empty batch. Free it after the step has been evaluated.
func NewBatch(phase Phase) *Batch { return &Batch{h: C.am_batch_new(C.int(phase)), Phase: phase} }

// AddRows appends rows of no sequence: for operators that neither read nor write KV.
func (b *Batch) AddRows(rows int) {
	C.am_batch_add_rows(b.h, C.int(rows))
	b.Rows += rows
}

// Add appends rows of a sequence, the first at absolute position start, whose KV lies in blocks.
func (b *Batch) Add(blocks []*Block, start, rows int) error {
	pointers := make([]*C.uint16_t, len(blocks))
	for i, x := range blocks {
		if x == nil || x.p == nil {
			return fmt.Errorf("block %d of a sequence has been freed", i)
		}
		pointers[i] = x.p
	}
	if len(pointers) == 0 {
		return fmt.Errorf("a sequence of %d rows has no blocks", rows)
	}
	if C.am_batch_add(b.h, &pointers[0], C.int(len(pointers)), C.int(start), C.int(rows)) != 0 {
		return lastError()
	}
	b.Rows += rows
	return nil
}

// Free forgets the batch.
func (b *Batch) Free() {
	if b.h != nil {
		C.am_batch_free(b.h)
		b.h = nil
	}
}

func (h Heads) c() C.am_heads {
	return C.am_heads{C.int(h.Heads), C.int(h.KVHeads), C.int(h.Dim)}
}

func (s Scoring) c() C.am_scoring {
	return C.am_scoring{C.float(s.Scale), C.float(s.Cap), C.int(s.Window)}
}

// Embed returns float32 [len(ids), w.K]: the columns of w named by ids, each of which must be in [0, w.N), times scale.
func (k *Kernels) Embed(s *Scope, w *Matrix, ids []int32, scale float32) *Array {
	for _, id := range ids {
		if id < 0 || int(id) >= w.N {
			return s.fail(fmt.Errorf("mlx: token id %d is outside the vocabulary of %d", id, w.N))
		}
	}
	a := New(s, ids, Int32, len(ids))
	return s.op(func() *C.am_array { return C.am_k_embed(k.p, w.h, a.h, C.float(scale)) }, a)
}

// Norm is x / rms(x) * Weight.
type Norm struct {
	Weight *Array // float32
	Eps    float32
}

func (n Norm) c() C.am_norm { return C.am_norm{weight: handle(n.Weight), eps: C.float(n.Eps)} }

// Linear is x Weight + Bias.
type Linear struct {
	Weight *Matrix
	Bias   *Array // float32, nil for none
}

func (l Linear) c() C.am_linear { return C.am_linear{w: l.Weight.h, bias: handle(l.Bias)} }

// Projection is how a layer's queries, keys and values come from its input.
type Projection struct {
	Norm         Norm   // of the input
	QKV          Linear // the columns of Q, K and V one after the other
	QNorm, KNorm *Array // [head dim]: each head is normed before its rotation, with Norm's epsilon; nil for none
	Heads        Heads
	Rope         *RopeTable
}

func (p Projection) c() C.am_projection {
	return C.am_projection{
		norm: p.Norm.c(), qkv: p.QKV.c(), q_norm: handle(p.QNorm), k_norm: handle(p.KNorm), heads: p.Heads.c(), rope: p.Rope.h,
	}
}

// handle is an array's, null for none.
func handle(a *Array) *C.am_array {
	if a == nil {
		return nil
	}
	return a.h
}

// withOptional returns the inputs of an operator: those that it always has, and those of the others that are not nil.
func withOptional(always []*Array, optional ...*Array) []*Array {
	for _, a := range optional {
		if a != nil {
			always = append(always, a)
		}
	}
	return always
}

// NormQKVRope returns rotated queries, bf16 [rows, heads * padded dim], of rmsnorm(h) w, and writes the rows' keys
// and values into their blocks.
func (k *Kernels) NormQKVRope(s *Scope, h *Array, p Projection, b *Batch, layer int) *Array {
	return s.op(func() *C.am_array {
		return C.am_k_norm_qkv_rope(k.p, h.h, p.c(), b.h, C.int(layer))
	}, withOptional([]*Array{h, p.Norm.Weight}, p.QKV.Bias, p.QNorm, p.KNorm)...)
}

// Attention returns each row's attention over what it sees of its sequence, as the input of LinearResidual.
func (k *Kernels) Attention(s *Scope, q *Array, heads Heads, scoring Scoring, b *Batch, layer int) *Array {
	return s.op(func() *C.am_array { return C.am_k_attention(k.p, q.h, heads.c(), scoring.c(), b.h, C.int(layer)) }, q)
}

// LinearResidual returns float32 [rows, outputs]: res + x w + bias.
func (k *Kernels) LinearResidual(s *Scope, x *Array, l Linear, res *Array, b *Batch) *Array {
	return s.op(func() *C.am_array { return C.am_k_linear_residual(k.p, x.h, l.c(), res.h, b.h) }, withOptional([]*Array{x, res}, l.Bias)...)
}

// LinearNormResidual returns float32 [rows, outputs]: res + rmsnorm(x w + bias).
func (k *Kernels) LinearNormResidual(s *Scope, x *Array, l Linear, norm Norm, res *Array, b *Batch) *Array {
	return s.op(func() *C.am_array {
		return C.am_k_linear_norm_residual(k.p, x.h, l.c(), norm.c(), res.h, b.h)
	}, withOptional([]*Array{x, norm.Weight, res}, l.Bias)...)
}

// NormGateUp returns g(gate) * up of rmsnorm(h) w, as the input of LinearResidual. Each panel of w holds half a panel's
// columns of gate and the same ones of up.
func (k *Kernels) NormGateUp(s *Scope, g Gate, h *Array, norm Norm, w *Matrix, b *Batch) *Array {
	return s.op(func() *C.am_array {
		return C.am_k_norm_gate_up(k.p, C.int(g), h.h, norm.c(), w.h, b.h)
	}, h, norm.Weight)
}

// SoftCap returns cap tanh(x / cap) of float32 values.
func (k *Kernels) SoftCap(s *Scope, x *Array, cap float32) *Array {
	return s.op(func() *C.am_array { return C.am_k_soft_cap(k.p, x.h, C.float(cap)) }, x)
}

// NormHead returns float32 [rows, w.N]: logits of rmsnorm(h) w.
func (k *Kernels) NormHead(s *Scope, h *Array, norm Norm, w *Matrix) *Array {
	return s.op(func() *C.am_array { return C.am_k_norm_head(k.p, h.h, norm.c(), w.h) }, h, norm.Weight)
}
