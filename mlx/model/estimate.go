package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// Estimate is the memory that a model will take, told before it is loaded.
type Estimate struct {
	File    int64 // bytes of the matrices in the model's files
	Weights int64 // the matrices in the form that they will have
	Widened int64 // of those, quantised ones that become bf16
	Tables  int64 // rotary tables
	Loading int64 // the largest copy that is made while loading, and gone afterwards
	Chunk   int64 // what a step computes with, at most
	Base    int64 // the process without a model
	Block   int64 // KV of engine.BlockTokens tokens
	Context int   // tokens that the model takes
}

// How many bytes of freed memory MLX keeps for reuse. The own kernels' arrays are those of a layer or two;
// stock operators' are a whole chunk's, and MLX's default of 32 MiB would fault every large one anew.
const (
	fusedCache = 64 << 20
	stockCache = 1 << 30
)

func cacheBytes(isFused bool) int64 {
	if isFused {
		return fusedCache
	}
	return stockCache
}

// processBytes is what the process takes without a model: its code, the runtime, MLX.
const processBytes = 64 << 20

// EstimateMemory tells what loading and running takes. chunk is the most tokens of a prefill step, batch the most
// requests that decode together. The model's scales are read, no more of its weights.
func EstimateMemory(c Config, device string, chunk, batch int) (e Estimate, err error) {
	if err := c.check(); err != nil {
		return e, err
	}
	config, w := c.Weights.Config, c.Weights
	e.Context, e.Base = config.Context, processBytes
	isFused := isFused(device, c.Dtype)
	for _, m := range matricesOf(config, w.Has("head")) {
		if err := e.addMatrix(w, m, isFused, c.Dtype); err != nil {
			return e, fmt.Errorf("estimate the memory of %s: %w", config.Name, err)
		}
	}
	for _, r := range config.Ropes {
		e.Tables += int64(config.Context) * int64(r.Dims/2) * 2 * 4
	}
	first := config.Layers[0]
	heads := array.Heads{Heads: first.Heads, KVHeads: first.KVHeads, Dim: first.HeadDim}
	e.Block = 2 * int64(heads.BlockElements(len(config.Layers)))
	if !isFused {
		e.Block = int64(len(config.Layers) * 2 * first.KVHeads * first.HeadDim * engine.BlockTokens * elementBytes(c.Dtype))
	}
	e.Chunk = chunkBytes(config, isFused, chunk, batch)
	return e, nil
}

// isFused tells whether the own kernels run the model.
func isFused(device, dtype string) bool { return device == "cpu" && dtype == "auto" }

// elementBytes is the size of a value of the stock operators.
func elementBytes(dtype string) int {
	if dtype == "float32" {
		return 4
	}
	return 2
}

// matrix is one that is packed from some tensors of as many inputs.
type matrix struct {
	outputs, inputs int
	parts           []matrixPart
}

type matrixPart struct {
	name string
	rows int
}

// matricesOf are a decoder's matrices, as fusedLoader packs them.
func matricesOf(c arch.Config, hasHead bool) []matrix {
	all := []matrix{{c.Vocabulary, c.Hidden, []matrixPart{{"embed", c.Vocabulary}}}}
	if hasHead {
		all = append(all, matrix{c.Vocabulary, c.Hidden, []matrixPart{{"head", c.Vocabulary}}})
	}
	for i, l := range c.Layers {
		prefix, q, kv := arch.LayerPrefix(i), l.QueryRows(), l.KVRows()
		all = append(all,
			matrix{q + 2*kv, c.Hidden, []matrixPart{{prefix + "q", q}, {prefix + "k", kv}, {prefix + "v", kv}}},
			matrix{c.Hidden, q, []matrixPart{{prefix + "o", c.Hidden}}})
		if l.Experts.Count == 0 {
			all = append(all, feedForward(c, l, prefix)...)
			continue
		}
		all = append(all, matrix{l.Experts.Count, c.Hidden, []matrixPart{{prefix + "router", l.Experts.Count}}})
		for e := range l.Experts.Count {
			all = append(all, feedForward(c, l, arch.ExpertPrefix(i, e))...)
		}
	}
	return all
}

// feedForward are the matrices of a feed-forward part.
func feedForward(c arch.Config, l arch.Layer, prefix string) []matrix {
	return []matrix{
		{gateUpRows(l.Intermediate), c.Hidden, []matrixPart{{prefix + "gate", l.Intermediate}, {prefix + "up", l.Intermediate}}},
		{c.Hidden, l.Intermediate, []matrixPart{{prefix + "down", c.Hidden}}},
	}
}

// gateUpRows is how many columns of panels gate and up take, each padded to whole panels.
func gateUpRows(inner int) int {
	return 2 * ((inner + array.PanelColumns - 1) / array.PanelColumns * array.PanelColumns)
}

// addMatrix counts one matrix.
func (e *Estimate) addMatrix(w *weights.Model, m matrix, isFused bool, dtype string) error {
	var options [][]weights.Type
	isFloat, copied := true, int64(0)
	for _, p := range m.parts {
		f, err := w.Form(p.name, p.rows, m.inputs)
		if err != nil {
			return err
		}
		options = append(options, f.PanelTypes)
		isFloat = isFloat && f.IsFloat
		e.File += f.FileBytes
		copied += f.Copied
	}
	if !isFused { // dense, by way of float32
		dense := int64(m.outputs) * int64(m.inputs)
		e.Weights += dense * int64(elementBytes(dtype))
		e.Loading = max(e.Loading, copied+2*4*dense)
		return nil
	}
	bits := bitsOf(meet(options)[0])
	bytes := panelBytes(m.outputs, m.inputs, bits)
	e.Weights += bytes
	if bits == 16 && !isFloat {
		e.Widened += bytes
	}
	e.Loading = max(e.Loading, copied)
	return nil
}

// panelBytes is the length of a matrix in panels, as mlx/kernels/kernels.h lays them out: two tiles of sixteen
// columns for each 32 inputs.
func panelBytes(outputs, inputs, bits int) int64 {
	tile := map[int]int64{4: 320, 5: 384, 6: 448, 8: 544, 16: 1024}[bits]
	panels, groups := (outputs+array.PanelColumns-1)/array.PanelColumns, (inputs+31)/32
	return tile * 2 * int64(panels) * int64(groups)
}

// chunkBytes bounds what lies between the weights and the logits while a step is computed: of the own kernels the
// arrays of a layer, of the stock operators those of all layers, and as much again that MLX keeps of freed ones.
func chunkBytes(c arch.Config, isFused bool, chunk, batch int) int64 {
	row := 0
	for _, l := range c.Layers {
		row = max(row, 3*c.Hidden+2*l.QueryRows()+2*l.KVRows()+2*l.Intermediate+l.Experts.Used*(2*l.Intermediate+3*c.Hidden))
	}
	layers := 1
	if !isFused {
		layers = len(c.Layers)
	}
	arrays := int64(max(chunk, batch)) * int64(row) * 4 * int64(layers)
	logits := 3 * 4 * int64(max(batch, 1)) * int64(c.Vocabulary)
	return arrays + min(arrays, cacheBytes(isFused)) + logits
}

// LongestContext is how many tokens of one conversation the model and a budget for KV take.
func (e Estimate) LongestContext(budget int64) int {
	return min(e.Context, int(budget/e.Block)*engine.BlockTokens)
}

// Token is the KV of one token.
func (e Estimate) Token() int64 { return e.Block / engine.BlockTokens }

// Fixed is what the model takes whatever it is asked, once it is loaded.
func (e Estimate) Fixed() int64 { return e.Base + e.Weights + e.Tables }

// Needed is the most that loading and running takes with a budget for KV.
func (e Estimate) Needed(budget int64) int64 { return e.Fixed() + max(e.Loading, e.Chunk+budget) }
