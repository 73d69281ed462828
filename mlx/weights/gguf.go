package weights

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// GGUF is a parsed GGUF file of version 2 or 3. The format is described in ggml's docs/gguf.md.
type GGUF struct {
	Metadata map[string]any // uint64, int64, float64, bool, string, []string, []int64, []float64, []bool
	Tensors  map[string]Tensor
}

var errTruncated = errors.New("the file ends in the middle of its header; it may be an incomplete download")

// reader walks over a header; the first failure sticks.
type reader struct {
	data []byte
	at   uint64
	err  error
}

func (r *reader) bytes(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.data))-r.at {
		r.err = errTruncated
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

func (r *reader) uint(width uint64) uint64 {
	b := r.bytes(width)
	if b == nil {
		return 0
	}
	var v [8]byte
	copy(v[:], b)
	return binary.LittleEndian.Uint64(v[:])
}

func (r *reader) string() string { return string(r.bytes(r.uint(8))) }

// GGUF's value types.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

var ggufWidth = map[uint64]uint64{
	ggufUint8: 1, ggufInt8: 1, ggufUint16: 2, ggufInt16: 2, ggufUint32: 4, ggufInt32: 4, ggufFloat32: 4, ggufBool: 1,
	ggufUint64: 8, ggufInt64: 8, ggufFloat64: 8,
}

func signExtend(v uint64, width uint64) int64 {
	shift := 64 - 8*width
	return int64(v<<shift) >> shift
}

func (r *reader) value(kind uint64) any {
	width := ggufWidth[kind]
	switch kind {
	case ggufUint8, ggufUint16, ggufUint32, ggufUint64:
		return r.uint(width)
	case ggufInt8, ggufInt16, ggufInt32, ggufInt64:
		return signExtend(r.uint(width), width)
	case ggufFloat32:
		return float64(math.Float32frombits(uint32(r.uint(4))))
	case ggufFloat64:
		return math.Float64frombits(r.uint(8))
	case ggufBool:
		return r.uint(1) != 0
	case ggufString:
		return r.string()
	case ggufArray:
		return r.array()
	}
	r.fail("a metadata value has the unknown type %d", kind)
	return nil
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) array() any {
	kind, n := r.uint(4), r.uint(8)
	minBytes := uint64(8) // a string's length
	if w, ok := ggufWidth[kind]; ok {
		minBytes = w
	}
	if r.err == nil && n > (uint64(len(r.data))-r.at)/minBytes {
		r.err = errTruncated
	}
	switch {
	case r.err != nil:
		return nil
	case kind == ggufString:
		return collect(r, n, r.string)
	case kind == ggufFloat32 || kind == ggufFloat64:
		return collect(r, n, func() float64 { f, _ := r.value(kind).(float64); return f })
	case kind == ggufBool:
		return collect(r, n, func() bool { return r.uint(1) != 0 })
	case ggufWidth[kind] != 0:
		return collect(r, n, func() int64 { return integer(r.value(kind)) })
	}
	r.fail("a metadata array has elements of the unknown type %d", kind)
	return nil
}

func collect[T any](r *reader, n uint64, next func() T) []T {
	out := make([]T, 0, n)
	for i := uint64(0); i < n && r.err == nil; i++ {
		out = append(out, next())
	}
	return out
}

func integer(v any) int64 {
	switch v := v.(type) {
	case uint64:
		return int64(v)
	case int64:
		return v
	}
	return 0
}

// ParseGGUF reads the header of a GGUF file; tensors' data are slices of data.
func ParseGGUF(data []byte) (*GGUF, error) {
	r := &reader{data: data}
	if string(r.bytes(4)) != "GGUF" {
		return nil, errors.New("not a GGUF file: it does not begin with GGUF")
	}
	if v := r.uint(4); r.err == nil && v != 2 && v != 3 {
		return nil, fmt.Errorf("GGUF version %d is %w; versions 2 and 3 are", v, ErrUnsupported)
	}
	tensors, pairs := r.uint(8), r.uint(8)
	g := &GGUF{Metadata: map[string]any{}, Tensors: map[string]Tensor{}}
	for i := uint64(0); i < pairs && r.err == nil; i++ {
		key := r.string()
		g.Metadata[key] = r.value(r.uint(4))
	}
	infos := make([]tensorInfo, 0, min(tensors, uint64(len(data))/24))
	for i := uint64(0); i < tensors && r.err == nil; i++ {
		infos = append(infos, r.tensorInfo())
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := g.checkSupported(); err != nil {
		return nil, err // it says more than that a type of tensor is unknown
	}
	return g, g.cutTensors(infos, data, r.at)
}

// checkSupported refuses a file of another architecture, and a part of a model.
func (g *GGUF) checkSupported() error {
	if n, ok := g.Uint("split.count"); ok && n > 1 {
		part, _ := g.Uint("split.no")
		return fmt.Errorf("the file is part %d of %d of a split model, which is %w; join the parts first (llama-gguf-split --merge)", part+1, n, ErrUnsupported)
	}
	_, err := arch.Find(g.file())
	return err
}

type tensorInfo struct {
	name   string
	dims   []uint64 // innermost first, as the file has them
	kind   uint64
	offset uint64
}

func (r *reader) tensorInfo() tensorInfo {
	t := tensorInfo{name: r.string()}
	n := r.uint(4)
	if n > 8 {
		r.fail("tensor %s has %d dimensions", t.name, n)
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		t.dims = append(t.dims, r.uint(8))
	}
	t.kind, t.offset = r.uint(4), r.uint(8)
	return t
}

// cutTensors cuts the tensors out of the data section, which begins at the next multiple of the alignment.
func (g *GGUF) cutTensors(infos []tensorInfo, data []byte, header uint64) error {
	align := uint64(32)
	if v, ok := g.Metadata["general.alignment"].(uint64); ok {
		if v == 0 || v%8 != 0 || v > 1<<20 {
			return fmt.Errorf("general.alignment is %d; GGUF allows multiples of 8", v)
		}
		align = v
	}
	base := (header + align - 1) / align * align
	for _, info := range infos {
		if info.offset%align != 0 {
			return fmt.Errorf("tensor %s begins at byte %d, which is no multiple of the alignment %d; the file is damaged", info.name, info.offset, align)
		}
		t, err := info.tensor(data, base)
		if err != nil {
			return err
		}
		if _, twice := g.Tensors[t.Name]; twice {
			return fmt.Errorf("there are two tensors %s; the file is damaged", t.Name)
		}
		g.Tensors[t.Name] = t
	}
	return g.checkOverlap(infos)
}

// checkOverlap refuses tensors that share bytes of the file.
func (g *GGUF) checkOverlap(infos []tensorInfo) error {
	slices.SortFunc(infos, func(a, b tensorInfo) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(infos); i++ {
		before := infos[i-1]
		if end := before.offset + uint64(len(g.Tensors[before.name].Data)); infos[i].offset < end {
			return fmt.Errorf("tensors %s and %s lie in the same bytes; the file is damaged", before.name, infos[i].name)
		}
	}
	return nil
}

// tensor cuts a tensor out of the data section at base. What a type that is not read holds is left alone: such
// a tensor may be one that the model does not use.
func (info tensorInfo) tensor(data []byte, base uint64) (Tensor, error) {
	t := Tensor{Name: info.name, Type: Unread}
	if kind, isRead := ggmlTypes[info.kind]; isRead {
		t.Type = kind
	} else {
		t.Foreign = ggmlName(info.kind)
	}
	total := uint64(1)
	for i := len(info.dims) - 1; i >= 0; i-- {
		d := info.dims[i]
		if d == 0 || d > 1<<40 || total > 1<<40/d {
			return Tensor{}, fmt.Errorf("tensor %s has the impossible shape %v", info.name, info.dims)
		}
		total *= d
		t.Shape = append(t.Shape, int(d))
	}
	if t.Type == Unread {
		return t, nil
	}
	elements, bytes := t.Type.block()
	size := total / uint64(elements) * uint64(bytes)
	if begin, n := base+info.offset, uint64(len(data)); begin >= base && begin <= n && size <= n-begin {
		t.Data = data[begin : begin+size : begin+size]
		return t, t.checkSize(size)
	}
	return Tensor{}, fmt.Errorf("tensor %s lies behind the end of the file; it may be an incomplete download", info.name)
}

// Uint is an integer of the metadata.
func (g *GGUF) Uint(key string) (int, bool) {
	switch v := g.Metadata[key].(type) {
	case uint64:
		if v <= math.MaxInt32 {
			return int(v), true
		}
	case int64:
		if v >= 0 && v <= math.MaxInt32 {
			return int(v), true
		}
	}
	return 0, false
}

// Text is a string of the metadata, empty when absent.
func (g *GGUF) Text(key string) string { v, _ := g.Metadata[key].(string); return v }

// Texts is a list of strings of the metadata.
func (g *GGUF) Texts(key string) []string { v, _ := g.Metadata[key].([]string); return v }

// Floats is a list of numbers of the metadata.
func (g *GGUF) Floats(key string) []float32 {
	v, _ := g.Metadata[key].([]float64)
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// Ints is a list of integers of the metadata.
func (g *GGUF) Ints(key string) []int32 {
	v, _ := g.Metadata[key].([]int64)
	out := make([]int32, len(v))
	for i, x := range v {
		out[i] = int32(x)
	}
	return out
}

// Token is a token id of the metadata, -1 when absent.
func (g *GGUF) Token(key string) int32 {
	if v, ok := g.Uint(key); ok {
		return int32(v)
	}
	return -1
}

// Flag is a boolean of the metadata.
func (g *GGUF) Flag(key string, otherwise bool) bool {
	if v, ok := g.Metadata[key].(bool); ok {
		return v
	}
	return otherwise
}
