//go:build cgo

package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/array"
)

// freedBytes is how much freed memory MLX keeps for reuse. Its default of 32 MiB faults every large output anew.
const freedBytes = 1 << 30

// Open loads the weights onto the device of the calling OS thread, which must be locked.
func Open(c Config) (Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	device, err := array.OpenDevice(c.Device)
	if err != nil {
		return nil, err
	}
	if err := array.SetLimits(0, freedBytes); err != nil {
		return nil, err
	}
	if device == "cpu" && c.Dtype == "auto" {
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
