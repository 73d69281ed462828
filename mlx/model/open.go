//go:build cgo

package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/array"
)

// How many bytes of freed memory MLX keeps for reuse. The own kernels' arrays are those of a layer or two;
// stock operators' are a whole chunk's, and MLX's default of 32 MiB would fault every large one anew.
const (
	fusedCache = 64 << 20
	stockCache = 1 << 30
)

// Open loads the weights onto the device of the calling OS thread, which must be locked.
func Open(c Config) (Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	device, err := array.OpenDevice(c.Device)
	if err != nil {
		return nil, err
	}
	fused := device == "cpu" && c.Dtype == "auto"
	cache := int64(stockCache)
	if fused {
		cache = fusedCache
	}
	if err := array.SetLimits(0, cache); err != nil {
		return nil, err
	}
	if fused {
		return openFused(c)
	}
	dtype := array.BFloat16
	if c.Dtype == "float32" {
		dtype = array.Float32
	}
	m, err := openStock(c, device, dtype)
	if err != nil {
		return nil, fmt.Errorf("load model on %s: %w", device, err)
	}
	return m, nil
}
