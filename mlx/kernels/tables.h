// The tables of each instruction set, for select.cpp.
#pragma once
#include "kernels.h"

namespace am {
const Kernels& plain_kernels();
#if defined(__x86_64__)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& amx_kernels();
#endif
}  // namespace am
