// Package model runs decoder models on MLX behind the engine's Model interface: by own kernels on the CPU, and by
// MLX's stock operators in float32 and on GPUs. The architectures, Llama and Gemma 2, are one decoder whose
// differences package weights describes.
package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// Config says how to run a model.
type Config struct {
	Weights  *weights.Model                    // closed by the caller once Open has returned
	Device   string                            // auto, cpu, gpu
	Dtype    string                            // auto; float32 runs the stock operators in full precision
	ISA      string                            // auto, amx, avx512, avx2, plain
	Threads  int                               // of the own kernels; 0: one for each processor
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
	return nil
}

// spec describes a model to the engine.
func spec(c weights.Config, blockBytes int64) engine.Spec {
	return engine.Spec{
		Name: c.Name, Vocabulary: c.Vocabulary, Context: c.Context, BlockBytes: blockBytes, StopTokens: c.StopTokens,
	}
}
