// Package weights reads models from disk: GGUF files and safetensors folders. Files are opened read-only and every
// length and offset in them is checked before use, so a wrong, truncated or foreign file gives one clear error.
package weights

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrUnsupported marks a well-formed model that this server does not run.
var ErrUnsupported = errors.New("not supported")

// Type is how a tensor's elements are stored.
type Type int

// The types that are read; the quantised ones are ggml's blocks of 32 along the last axis.
const (
	F32 Type = iota
	F16
	BF16
	Q8_0
	Q4_0
	Q4_1
)

var typeNames = [...]string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"}

func (t Type) String() string { return typeNames[t] }

// block returns the elements and bytes of one block of the type.
func (t Type) block() (elements, bytes int) {
	switch t {
	case F32:
		return 1, 4
	case F16, BF16:
		return 1, 2
	case Q8_0:
		return 32, 34
	case Q4_0:
		return 32, 18
	}
	return 32, 20
}

// Tensor is one named array of a model; Shape has the outermost axis first and Data lies in the file's mapping.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int
	Data  []byte
}

// RowBytes is the length of one row of the last axis.
func (t Tensor) RowBytes() int {
	elements, bytes := t.Type.block()
	return t.Shape[len(t.Shape)-1] / elements * bytes
}

// sized checks shape and type against n bytes of data.
func (t Tensor) sized(n uint64) error {
	elements, bytes := t.Type.block()
	if len(t.Shape) == 0 {
		return fmt.Errorf("tensor %s has no dimensions", t.Name)
	}
	total := uint64(1)
	for _, d := range t.Shape {
		if d <= 0 || total > 1<<40/uint64(d) {
			return fmt.Errorf("tensor %s has the impossible shape %v", t.Name, t.Shape)
		}
		total *= uint64(d)
	}
	if last := t.Shape[len(t.Shape)-1]; last%elements != 0 {
		return fmt.Errorf("tensor %s of type %s has rows of %d elements, not a multiple of %d", t.Name, t.Type, last, elements)
	}
	if want := total / uint64(elements) * uint64(bytes); want != n {
		return fmt.Errorf("tensor %s %v of type %s needs %d bytes, the file has %d", t.Name, t.Shape, t.Type, want, n)
	}
	return nil
}

// Rope describes the rotary embedding.
type Rope struct {
	Theta    float64
	Dims     int       // rotated dimensions of a head
	Type     string    // default, linear, llama3, yarn, factors
	Factor   float64   // linear, llama3, yarn
	Low      float64   // llama3: low_freq_factor
	High     float64   // llama3: high_freq_factor
	Original int       // llama3, yarn: original context
	BetaFast float64   // yarn
	BetaSlow float64   // yarn
	Scale    float64   // yarn: attention factor, 0 for the default
	Factors  []float32 // factors: a divisor for each frequency
}

// Config is a decoder's shape, in the terms of Llama.
type Config struct {
	Architecture                 string
	Name                         string
	Layers, Hidden, Intermediate int
	Heads, KVHeads, HeadDim      int
	Vocabulary, Context          int
	NormEps                      float64
	Rope                         Rope
	// PermutedQK: rows of Q and K lie in pairs for interleaved rotation, as llama.cpp stores Llama's.
	PermutedQK bool
	StopTokens []int32
}

func (c Config) check() error {
	for _, v := range []struct {
		name   string
		n, max int
	}{
		{"layers", c.Layers, 1024}, {"hidden size", c.Hidden, 1 << 17}, {"intermediate size", c.Intermediate, 1 << 20},
		{"heads", c.Heads, 1024}, {"KV heads", c.KVHeads, 1024}, {"head dimension", c.HeadDim, 1024},
		{"vocabulary", c.Vocabulary, 1 << 22}, {"context length", c.Context, 1 << 24},
	} {
		if v.n <= 0 || v.n > v.max {
			return fmt.Errorf("the model's %s is %d, expected 1 to %d", v.name, v.n, v.max)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("%d heads cannot share %d KV heads evenly", c.Heads, c.KVHeads)
	}
	if c.Rope.Dims <= 0 || c.Rope.Dims%2 != 0 || c.Rope.Dims > c.HeadDim {
		return fmt.Errorf("%d rotary dimensions in heads of %d", c.Rope.Dims, c.HeadDim)
	}
	if !(c.NormEps > 0 && c.NormEps < 1) || !(c.Rope.Theta > 1) {
		return fmt.Errorf("norm epsilon %g and rope theta %g make no sense", c.NormEps, c.Rope.Theta)
	}
	return nil
}

// Model is an opened model: its shape and its tensors under canonical names: embed, norm, head (absent when tied),
// and layers.N. with attn_norm, q, k, v, o, ffn_norm, gate, up, down.
type Model struct {
	Config  Config
	GGUF    *GGUF  // the file, when it is one
	Folder  string // the folder, when it is one
	tensors map[string]Tensor
	close   func() error
}

// Tensor finds a tensor by its canonical name and checks its shape.
func (m *Model) Tensor(name string, shape ...int) (Tensor, error) {
	t, ok := m.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("the model has no tensor %s", name)
	}
	if len(t.Shape) != len(shape) {
		return Tensor{}, fmt.Errorf("tensor %s has shape %v, the configuration says %v", t.Name, t.Shape, shape)
	}
	for i := range shape {
		if t.Shape[i] != shape[i] {
			return Tensor{}, fmt.Errorf("tensor %s has shape %v, the configuration says %v", t.Name, t.Shape, shape)
		}
	}
	return t, nil
}

// Has reports whether a canonical name exists.
func (m *Model) Has(name string) bool { _, ok := m.tensors[name]; return ok }

// Close unmaps the files; tensors' data must not be used afterwards.
func (m *Model) Close() error { return m.close() }

// Open reads the model at path: a .gguf file, or a folder with config.json and safetensors.
func Open(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	var m *Model
	if info.IsDir() {
		m, err = openFolder(path)
	} else if strings.EqualFold(filepath.Ext(path), ".gguf") {
		m, err = openGGUF(path)
	} else {
		err = errors.New("neither a folder nor a .gguf file")
	}
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	if err := m.Config.check(); err != nil {
		m.Close()
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	return m, nil
}
