//go:build cgo

package kernels

// #cgo CXXFLAGS: -std=c++20 -O3 -Wall -Wextra
// #cgo LDFLAGS: -lstdc++ -lpthread
import "C"
