// Package model runs decoder models on MLX behind the engine's Model interface: by own kernels on the CPU,
// and by MLX's stock operators in float32 and on GPUs. There is one decoder; package arch describes the
// layers that it is built from.
package model

import (
	"fmt"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// Config says how to run a model.
type Config struct {
	Weights  *weights.Model                    // closed by the caller once Open has returned
	Device   string                            // auto, cpu, gpu
	Dtype    string                            // auto; float32 runs the stock operators in full precision
	ISA      string                            // auto, amx, avx512, avx2, plain
	Threads  int                               // of the own kernels; 0: one for each processor
	KVBits   int                               // of KV at rest: 16 (0 too), 8, 4
	Digest   [32]byte                          // of the model's files (weights.Digest): part of what names its KV
	Progress func(phase string, share float64) // may be nil
}

// Class names where results are equal to the bit: device, kernel family and precision.
type Class string

// Model is an opened model; all methods belong to the thread that opened it.
type Model interface {
	engine.Model
	// Class is the numerics class of this model's results.
	Class() Class
}

func (c Config) report(phase string, share float64) {
	if c.Progress != nil {
		c.Progress(phase, share)
	}
}

func (c Config) check() error {
	if c.Dtype != "auto" && c.Dtype != "float32" {
		return fmt.Errorf("SEMANTIC_MLX_DTYPE is %q; use auto or float32", c.Dtype)
	}
	if bits := c.atRest(); bits != 16 && bits != 8 && bits != 4 {
		return fmt.Errorf("SEMANTIC_MLX_KV_BITS is %d; use 16, 8 or 4", bits)
	}
	return nil
}

// atRest is the precision of KV at rest.
func (c Config) atRest() int {
	if c.KVBits == 0 {
		return 16
	}
	return c.KVBits
}

// spec describes a model to the engine.
func spec(c arch.Config, digest [32]byte, bits int, class Class, blockBytes int64) engine.Spec {
	return engine.Spec{
		Name: c.Name, Vocabulary: c.Vocabulary, Context: c.Context, BlockBytes: blockBytes, StopTokens: c.StopTokens,
		Fingerprint: kv.NewFingerprint(digest, kv.AtRest(bits)), Class: string(class), Bits: bits,
		Layers: layersOf(c), Storable: true,
	}
}

// layersOf describes each layer's KV.
func layersOf(c arch.Config) []blockfile.Layer {
	layers := make([]blockfile.Layer, len(c.Layers))
	for i, l := range c.Layers {
		layers[i] = blockfile.Layer{Kind: blockfile.FullLayer, KVHeads: l.KVHeads, HeadDim: l.HeadDim}
		if l.Window > 0 {
			layers[i].Kind, layers[i].Window = blockfile.WindowLayer, l.Window
		}
	}
	return layers
}

// joinLayers puts the layers' parts into one piece, if all have the right length.
func joinLayers(parts [][]byte, layers, layerBytes int) ([]byte, error) {
	if len(parts) != layers {
		return nil, fmt.Errorf("%d parts for %d layers", len(parts), layers)
	}
	for i, part := range parts {
		if len(part) != layerBytes {
			return nil, fmt.Errorf("the part of layer %d has %d bytes, not %d", i, len(part), layerBytes)
		}
	}
	if rows := parts[0][:layerBytes:cap(parts[0])]; contiguous(parts, rows) {
		return rows[:layers*layerBytes], nil
	}
	return slices.Concat(parts...), nil
}

// contiguous tells whether the parts lie one behind the other in the memory that begins with the first.
func contiguous(parts [][]byte, first []byte) bool {
	if cap(first) < len(parts)*len(first) {
		return false
	}
	all := first[:len(parts)*len(first)]
	for i, part := range parts {
		if &all[i*len(first)] != &part[0] {
			return false
		}
	}
	return true
}

// splitLayers cuts one piece into the layers' parts.
func splitLayers(rows []byte, layers int) [][]byte {
	parts, n := make([][]byte, layers), len(rows)/layers
	for i := range parts {
		parts[i] = rows[i*n : (i+1)*n]
	}
	return parts
}
