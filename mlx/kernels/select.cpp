// Which instruction sets this processor and system can run.
#include <stdexcept>

#include "kernels.h"
#include "tables.h"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace am {
namespace {

#if defined(__x86_64__)
// Bits of CPUID leaf 7: of subleaf 1 in EAX, and of subleaf 0 in EDX.
constexpr int kBF16Bit = 5;
#if defined(__linux__) && !defined(AM_EMULATED_TILES)
constexpr int kTilesBF16Bit = 22, kTilesBit = 24;
// Linux' ARCH_REQ_XCOMP_PERM, and the number of the tiles' state.
constexpr int kRequestPermission = 0x1023, kTileState = 18;
#endif

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  unsigned a, b, c, d;
  bool bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> kBF16Bit & 1);
  return bf16 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}

// AMX needs its tiles, their products of bf16, and Linux' permission to use the tiles' state.
bool has_amx() {
#if defined(AM_EMULATED_TILES)
  return has_avx512();
#elif defined(__linux__)
  unsigned a, b, c, d;
  if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if (!(d >> kTilesBF16Bit & 1) || !(d >> kTilesBit & 1)) return false;
  static const bool permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileState) == 0;
  return permitted;
#else
  return false;
#endif
}
#endif

}  // namespace

bool isa_supported(Isa isa) {
  if (isa == kPlain) return true;
#if defined(__x86_64__)
  if (isa == kAvx2) return has_avx2();
  if (isa == kAvx512) return has_avx512();
  if (isa == kAmx) return has_amx();
#endif
  return false;
}

Isa isa_best() {
  for (Isa isa : {kAmx, kAvx512, kAvx2})
    if (isa_supported(isa)) return isa;
  return kPlain;
}

const Kernels& kernels(Isa isa) {
  if (!isa_supported(isa)) throw std::invalid_argument("this processor lacks the instruction set that was asked for");
#if defined(__x86_64__)
  if (isa == kAvx2) return avx2_kernels();
  if (isa == kAvx512) return avx512_kernels();
  if (isa == kAmx) return amx_kernels();
#endif
  return plain_kernels();
}

}  // namespace am
