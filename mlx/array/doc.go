// Package array is a thin layer over MLX's C++ API: tensors, operators and the own CPU kernels as nodes of
// MLX's graph. Operators are lazy; Eval computes.
//
// Lifetimes are explicit: every array belongs to the Scope that made it and is freed when the scope closes.
// A scope keeps the first error; operators on a failed scope do nothing, so a whole layer needs one check.
// MLX's exceptions arrive as errors that name the operator and the shapes.
//
// One locked OS thread owns the device: OpenDevice and everything after it are called there.
package array
