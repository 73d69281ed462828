//go:build !cgo

package model

import "errors"

var errNoMLX = errors.New("this binary was built without cgo and cannot run a model; build it with CGO_ENABLED=1 (make build)")

// Device is the device that a setting means: without MLX there is no GPU.
func Device(setting string) (string, error) {
	if setting == "gpu" {
		return "", errNoMLX
	}
	return "cpu", nil
}

// Open returns an error: this binary was built without cgo and has no MLX.
func Open(Config) (Model, error) {
	return nil, errNoMLX
}
