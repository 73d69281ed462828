//go:build cgo

package array

// #include "array.h"
import "C"

import "fmt"

// OpenDevice makes "cpu", "gpu" or, with "auto", the best device the default of the calling OS thread, which must
// be locked, and returns its name. SEMANTIC_MLX_DEVICE has the same values.
func OpenDevice(name string) (string, error) {
	gpu := C.am_gpu_available() != 0
	switch name {
	case "auto":
	case "cpu":
		gpu = false
	case "gpu":
		gpu = true
	default:
		return "", fmt.Errorf("open MLX device %q: unknown; use auto, cpu or gpu", name)
	}
	code := C.int(0)
	name = "cpu"
	if gpu {
		code, name = 1, "gpu"
	}
	if C.am_device_open(code) != 0 {
		return "", fmt.Errorf("open MLX device %s: %w", name, lastError())
	}
	return name, nil
}

// SetLimits refuses arrays that would bring active memory above active bytes (0: no limit) and keeps at most cache
// bytes of freed memory for reuse.
func SetLimits(active, cache int64) error {
	if C.am_set_limits(C.size_t(active), C.size_t(cache)) != 0 {
		return lastError()
	}
	return nil
}

// GiveBack gives freed memory that is kept for reuse back to the system: what a model leaves.
func GiveBack() { C.am_give_back() }

// ActiveMemory is the number of bytes that live arrays hold.
func ActiveMemory() int64 { return int64(C.am_active_memory()) }
