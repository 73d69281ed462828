//go:build cgo

package model

import (
	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/nn"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// stockLoader fills a decoder from files.
type stockLoader struct{ *stockDecoder }

func (m stockLoader) load(c Config) (err error) {
	if err = m.loadOuter(c.Weights); err != nil {
		return err
	}
	if err = m.loadRopes(); err != nil {
		return err
	}
	for i := range m.config.Layers {
		l, err := m.loadLayer(c.Weights, i)
		if err != nil {
			return err
		}
		m.layers = append(m.layers, l)
		c.report("loading weights", float64(i+1)/float64(len(m.config.Layers)))
	}
	return nil
}

// loadOuter loads what stands around the layers.
func (m stockLoader) loadOuter(w *weights.Model) (err error) {
	c := m.config
	if m.embed, err = m.matrix(w, "embed", c.Vocabulary, c.Hidden, columnsFrom(0)); err != nil {
		return err
	}
	if m.head = m.constants.Transpose(m.embed, 1, 0); w.Has("head") {
		m.head, err = m.transposedMatrix(w, "head", c.Vocabulary, c.Hidden, columnsFrom(0))
	}
	if err != nil {
		return err
	}
	m.norm, err = norm(m.constants, w, "norm", c.Hidden)
	return err
}

func (m stockLoader) loadRopes() error {
	for _, r := range m.config.Ropes {
		frequencies, scale, err := nn.RopeFrequencies(r)
		if err != nil {
			return err
		}
		inverse := make([]float32, len(frequencies))
		for i, f := range frequencies {
			inverse[i] = float32(1 / f)
		}
		rope := stockRope{dims: r.Dims, freqs: array.New(m.constants, inverse, array.Float32, len(inverse))}
		if scale != 1 {
			rope.scale = m.ropeScale(r.Dims, float32(scale))
		}
		m.ropes = append(m.ropes, rope)
	}
	return m.constants.Err()
}

// ropeScale is what a head is multiplied with before it is rotated: a scale in its rotated dimensions, 1 in the others.
func (m stockLoader) ropeScale(dims int, scale float32) *array.Array {
	row := make([]float32, m.config.Layers[0].HeadDim)
	for i := range row {
		if row[i] = 1; i < dims {
			row[i] = scale
		}
	}
	return m.constants.AsType(array.New(m.constants, row, array.Float32, len(row)), m.dtype)
}

// stockProduct is a product of a layer and where its weights lie.
type stockProduct struct {
	to         *stockLinear
	name       string
	rows, cols int
	row        func(int) int // of what is loaded, by the row in the file
}

func (m stockLoader) loadLayer(w *weights.Model, i int) (l stockLayer, err error) {
	l.Layer = m.config.Layers[i]
	l.rope = m.ropes[l.Rope]
	if l.layerNorms, err = loadNorms(m.constants, w, i); err != nil {
		return l, err
	}
	hidden, q, kv, rotary := m.config.Hidden, l.QueryRows(), l.KVRows(), rotaryOrder(m.config, i, 0)
	products := []stockProduct{
		{&l.q, "q", q, hidden, rotary}, {&l.k, "k", kv, hidden, rotary}, {&l.v, "v", kv, hidden, columnsFrom(0)},
		{&l.o, "o", hidden, q, columnsFrom(0)},
	}
	if l.Experts.Count > 0 {
		if l.experts, err = m.loadExperts(w, i); err != nil {
			return l, err
		}
	} else {
		products = append(products, stockProduct{&l.gate, "gate", l.Intermediate, hidden, columnsFrom(0)},
			stockProduct{&l.up, "up", l.Intermediate, hidden, columnsFrom(0)}, stockProduct{&l.down, "down", hidden, l.Intermediate, columnsFrom(0)})
	}
	for _, v := range products {
		if *v.to, err = m.linear(w, arch.LayerPrefix(i)+v.name, v.rows, v.cols, v.row); err != nil {
			return l, err
		}
	}
	return l, nil
}

// matrix loads a tensor densely, its row r as row(r).
func (m stockLoader) matrix(w *weights.Model, name string, rows, cols int, row func(int) int) (*array.Array, error) {
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

// transposedMatrix is matrix as [cols, rows].
func (m stockLoader) transposedMatrix(w *weights.Model, name string, rows, cols int, row func(int) int) (*array.Array, error) {
	a, err := m.matrix(w, name, rows, cols, row)
	if err != nil {
		return nil, err
	}
	return m.constants.Transpose(a, 1, 0), m.constants.Err()
}

// linear loads a product with the bias that the model has for it.
func (m stockLoader) linear(w *weights.Model, name string, rows, cols int, row func(int) int) (l stockLinear, err error) {
	if l.w, err = m.transposedMatrix(w, name, rows, cols, row); err != nil || !m.config.HasBias(name) {
		return l, err
	}
	bias, err := biases(m.constants, w, rows, part{name, rows, row})
	if err != nil {
		return l, err
	}
	l.bias = m.constants.AsType(bias, m.dtype)
	return l, m.constants.Err()
}
