//go:build cgo

package kernels

// #cgo CXXFLAGS: -std=c++20 -O3 -w
// #cgo LDFLAGS: -lstdc++ -lpthread
import "C"
