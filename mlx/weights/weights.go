// Package weights reads models from disk: GGUF files and safetensors folders. Files are opened read-only and
// every length and offset in them is checked before use, so a wrong, truncated or foreign file gives one
// clear error.
package weights

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/platform/hub"
)

// ErrUnsupported marks a well-formed model that this server does not run.
var ErrUnsupported = arch.ErrUnsupported

// Tensor is one named array of a model; Shape has the outermost axis first and Data lies in the file's
// mapping.
type Tensor struct {
	Name    string
	Type    Type
	Shape   []int
	Data    []byte // nil for Unread
	Foreign string // the file's name of the type: ggml's for Unread, MLX's where Data is a wider copy
	Stored  int64  // bytes in the file where Data is a copy
}

// RowBytes is the length of one row of the last axis.
func (t Tensor) RowBytes() int {
	elements, bytes := t.Type.block()
	return t.Shape[len(t.Shape)-1] / elements * bytes
}

// checkSize checks shape and type against n bytes of data.
func (t Tensor) checkSize(n uint64) error {
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

// checkShape returns an error if the tensor has another shape.
func (t Tensor) checkShape(shape []int) error {
	if !slices.Equal(t.Shape, shape) {
		return fmt.Errorf("tensor %s has shape %v, the configuration says %v", t.Name, t.Shape, shape)
	}
	return nil
}

// Model is an opened model: its description, and its tensors under the names of package arch. A head is
// absent when it is the embedding.
type Model struct {
	Config  arch.Config
	GGUF    *GGUF  // the file, when it is one
	Folder  string // the folder, when it is one
	tensors map[string]Tensor
	affine  map[string]*affine // MLX's quantised matrices, by the same names
	close   func() error
}

// Tensor finds a tensor by its canonical name and checks its shape. One of a type that is not read is an error
// here, where it is used, and not before.
func (m *Model) Tensor(name string, shape ...int) (Tensor, error) {
	if a := m.affine[name]; a != nil {
		return a.tensor(shape)
	}
	t, ok := m.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("the model has no tensor %s", name)
	}
	if err := t.checkRead(); err != nil {
		return Tensor{}, err
	}
	return t, t.checkShape(shape)
}

// Has reports whether a canonical name exists.
func (m *Model) Has(name string) bool {
	_, ok := m.tensors[name]
	return ok || m.affine[name] != nil
}

// Close unmaps the files; tensors' data must not be used afterwards.
func (m *Model) Close() error { return m.close() }

// Open reads the model at path: a .gguf file, or a folder with config.json and safetensors.
func Open(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	var m *Model
	switch {
	case info.IsDir():
		m, err = openFolder(path)
	case strings.EqualFold(filepath.Ext(path), ".gguf"):
		m, err = openGGUF(path)
	default:
		err = errors.New("neither a folder nor a .gguf file")
	}
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	m.Config.Name = cmp.Or(m.Config.Name, nameOf(path))
	if err := m.Config.Check(); err != nil {
		_ = m.Close() // the first error tells
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	return m, nil
}

// nameOf is what a model is called whose files do not say: by its repository, its folder or its file.
func nameOf(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	name := filepath.Base(path)
	if strings.EqualFold(filepath.Ext(name), ".gguf") {
		return name[:len(name)-len(".gguf")]
	}
	return cmp.Or(hub.RepositoryOf(path), strings.Replace(name, "--", "/", 1))
}
