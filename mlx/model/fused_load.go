//go:build cgo

package model

import (
	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/nn"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// fusedLoader fills a decoder from files.
type fusedLoader struct{ *fusedDecoder }

func (m fusedLoader) load(c Config) (err error) {
	if err = m.loadOuter(c.Weights); err != nil {
		return err
	}
	if err = m.loadRopes(); err != nil {
		return err
	}
	for i := range m.config.Layers {
		layer, err := m.loadLayer(c.Weights, i)
		m.layers = append(m.layers, layer)
		if err != nil {
			return err
		}
		c.report("loading weights", float64(i+1)/float64(len(m.config.Layers)))
	}
	return nil
}

// loadOuter loads what stands around the layers.
func (m fusedLoader) loadOuter(w *weights.Model) (err error) {
	c := m.config
	if m.embed, err = m.pack(w, c.Vocabulary, c.Hidden, part{"embed", c.Vocabulary, columnsFrom(0)}); err != nil {
		return err
	}
	m.head = m.embed
	if w.Has("head") {
		if m.head, err = m.pack(w, c.Vocabulary, c.Hidden, part{"head", c.Vocabulary, columnsFrom(0)}); err != nil {
			return err
		}
	}
	weight, err := norm(m.constants, w, "norm", c.Hidden)
	m.norm = m.normOf(weight)
	return err
}

func (m fusedLoader) loadRopes() error {
	for _, r := range m.config.Ropes {
		frequencies, scale, err := nn.RopeFrequencies(r)
		if err != nil {
			return err
		}
		cos, sin := nn.RopeTables(frequencies, scale, m.config.Context)
		table, err := array.NewRopeTable(cos, sin, len(frequencies))
		if err != nil {
			return err
		}
		m.ropes = append(m.ropes, table)
	}
	return nil
}

func (m fusedLoader) loadLayer(w *weights.Model, i int) (l fusedLayer, err error) {
	shape := m.config.Layers[i]
	l.scoring = array.Scoring{Scale: float32(shape.ScoreScale()), Cap: float32(shape.ScoreCap), Window: shape.Window}
	if l.gate, err = gateOf(shape.Activation); err != nil {
		return l, err
	}
	norms, err := loadNorms(m.constants, w, i)
	if err != nil {
		return l, err
	}
	l.ffnNorm, l.attnPostNorm, l.ffnPostNorm = m.normOf(norms.ffnNorm), m.normOf(norms.attnPostNorm), m.normOf(norms.ffnPostNorm)
	l.in = array.Projection{
		Norm: m.normOf(norms.attnNorm), QNorm: norms.qNorm, KNorm: norms.kNorm, Heads: m.heads, Rope: m.ropes[shape.Rope],
	}
	if err = m.loadAttention(w, i, &l); err != nil {
		return l, err
	}
	return l, m.loadFeedForward(w, i, &l)
}

// normOf is the norm of these weights, which may be nil.
func (m fusedLoader) normOf(weight *array.Array) array.Norm {
	return array.Norm{Weight: weight, Eps: float32(m.config.NormEps)}
}

func (m fusedLoader) loadAttention(w *weights.Model, i int, l *fusedLayer) (err error) {
	prefix, hidden, q, kv := arch.LayerPrefix(i), m.config.Hidden, m.config.Layers[i].QueryRows(), m.config.Layers[i].KVRows()
	if l.in.QKV, err = m.linear(w, q+2*kv, hidden,
		part{prefix + "q", q, rotaryOrder(m.config, i, 0)}, part{prefix + "k", kv, rotaryOrder(m.config, i, q)},
		part{prefix + "v", kv, columnsFrom(q + kv)}); err != nil {
		return err
	}
	l.o, err = m.linear(w, hidden, q, part{prefix + "o", hidden, columnsFrom(0)})
	return err
}

// loadFeedForward loads a layer's one feed-forward part, or its experts.
func (m fusedLoader) loadFeedForward(w *weights.Model, i int, l *fusedLayer) (err error) {
	if m.config.Layers[i].Experts.Count > 0 {
		l.experts, err = m.loadExperts(w, i)
		return err
	}
	l.gateUp, l.down.Weight, err = m.loadGateUpDown(w, arch.LayerPrefix(i), m.config.Layers[i].Intermediate)
	return err
}

// loadGateUpDown loads the matrices of a feed-forward part.
func (m fusedLoader) loadGateUpDown(w *weights.Model, prefix string, inner int) (both, down *array.Matrix, err error) {
	hidden := m.config.Hidden
	if both, err = m.pack(w, gateUpRows(inner), hidden, part{prefix + "gate", inner, gateUp(0)},
		part{prefix + "up", inner, gateUp(halfPanel)}); err != nil {
		return nil, nil, err
	}
	down, err = m.pack(w, hidden, inner, part{prefix + "down", hidden, columnsFrom(0)})
	return both, down, err
}

// linear loads the product of n outputs that the parts make up, with the biases that the model has for them:
// for all or for none.
func (m fusedLoader) linear(w *weights.Model, n, k int, parts ...part) (l array.Linear, err error) {
	if l.Weight, err = m.pack(w, n, k, parts...); err != nil || !m.config.HasBias(parts[0].name) {
		return l, err
	}
	l.Bias, err = biases(m.constants, w, n, parts...)
	return l, err
}
