//go:build cgo

package array

// #cgo CXXFLAGS: -std=c++20 -O2 -Wall -Wextra -isystem ${SRCDIR}/../../.deps/mlx/include
// #cgo linux LDFLAGS: -L${SRCDIR}/../../.deps/mlx/lib -L${SRCDIR}/../../.deps/scipy_openblas32/lib
// #cgo linux LDFLAGS: -Wl,--no-as-needed -lscipy_openblas -lmlx -Wl,--allow-shlib-undefined
// #cgo linux LDFLAGS: -Wl,-rpath,$ORIGIN/../lib/agent-memory -Wl,-rpath,${SRCDIR}/../../.deps/mlx/lib -Wl,-rpath,${SRCDIR}/../../.deps/scipy_openblas32/lib
// #cgo darwin LDFLAGS: -L${SRCDIR}/../../.deps/mlx/lib -lmlx -Wl,-rpath,@loader_path/../lib/agent-memory -Wl,-rpath,${SRCDIR}/../../.deps/mlx/lib
// #include <stdlib.h>
// #include "array.h"
import "C"

import (
	"errors"

	_ "github.com/agent-memory/agent-memory/mlx/kernels" // links the C++ operators
)

func lastError() error { return errors.New("mlx: " + C.GoString(C.am_error())) }

// The codes of types are the same on both sides: the last of them is, so all are.
var _ = [1]struct{}{}[Bool-C.AM_BOOL]
