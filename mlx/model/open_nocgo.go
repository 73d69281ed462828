//go:build !cgo

package model

import "errors"

// Open returns an error: this binary was built without cgo and has no MLX.
func Open(Config) (Model, error) {
	return nil, errors.New("this binary was built without cgo and cannot run a model; build it with CGO_ENABLED=1 (make build)")
}
