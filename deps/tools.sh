#!/usr/bin/env bash
# Makes the pinned tools of `make lint` in a cache outside the clone, and prints where they are: golangci-lint by Go's module
# proxy, clang-tidy as a wheel. Nothing is installed elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

golangci=v2.15.0
clang_tidy=23.1.4
cache="${AGENT_MEMORY_TOOLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/tools}/$golangci-$clang_tidy"
mkdir -p "$cache"
if [ ! -x "$cache/golangci-lint" ]; then
  echo "make lint: building golangci-lint $golangci (once, some minutes)" >&2
  GOFLAGS= GOBIN="$cache" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci"
fi
if [ ! -x "$cache/clang/clang_tidy/data/bin/clang-tidy" ]; then
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: "clang-tidy==$clang_tidy" -d "$cache/wheels"
  python3 - "$cache" <<'PY'
import pathlib, sys, zipfile
cache = pathlib.Path(sys.argv[1])
for wheel in (cache / "wheels").glob("clang_tidy-*.whl"):
    zipfile.ZipFile(wheel).extractall(cache / "clang")
PY
  rm -rf "$cache/wheels"
  chmod +x "$cache/clang/clang_tidy/data/bin/clang-tidy"
fi
echo "$cache"
