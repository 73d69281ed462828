//go:build cgo

package model

import (
	"fmt"
	"runtime"

	"github.com/agent-memory/agent-memory/mlx/array"
)

// Device is the device that a setting means on this machine: cpu or gpu.
func Device(setting string) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return array.OpenDevice(setting)
}

// Open loads the weights onto the device of the calling OS thread, which must be locked.
func Open(c Config) (Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	device, err := array.OpenDevice(c.Device)
	if err != nil {
		return nil, err
	}
	fused := isFused(device, c.Dtype)
	if err := array.SetLimits(0, cacheBytes(fused)); err != nil {
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
