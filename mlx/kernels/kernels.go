// Package kernels holds the CPU operators in C++: quantised products, attention through the block table, and the
// parts fused around them, for four instruction sets chosen at run time. It has no Go API: mlx/array calls it
// through its headers. kernels.h is the place to start reading; testing/ has the references and the tests.
package kernels
