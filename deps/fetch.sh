#!/usr/bin/env bash
# Fetches the pinned wheels into a cache outside the clone and points the ignored link .deps at it.
# The cache folder's name is the hash of the requirements, so a changed pin never meets old files. What lies there is
# verified each time (half a second); where a file is damaged, missing or not a wheel's, all is extracted anew.
set -euo pipefail
cd "$(dirname "$0")/.."

platform="$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"
requirements="deps/requirements-$platform.txt"
records="deps/records-$platform.txt"
if [ ! -f "$requirements" ]; then
  echo "make deps: no pinned dependencies for $platform yet (looked for $requirements); see docs/architecture.md, Devices" >&2
  exit 1
fi
sum="$(python3 -c 'import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest()[:16])' "$requirements")"
cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}"
ready="$cache/$platform-$sum"

fetch() { # into $work/root
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    -r "$requirements" -d "$work/wheels"
  python3 - "$work" <<'PY'
import pathlib, sys, zipfile
work = pathlib.Path(sys.argv[1])
for wheel in sorted((work / "wheels").glob("*.whl")):
    zipfile.ZipFile(wheel).extractall(work / "root")
PY
  rm -rf "$work/wheels"
  if ! python3 deps/verify.py "$work/root" "$records" >&2; then
    echo "make deps: the wheels that $requirements pins are not those of $records; if a pin changed, change it there too" >&2
    exit 1
  fi
}

if ! found="$([ ! -d "$ready" ] || python3 deps/verify.py "$ready" "$records")"; then
  echo "make deps: $ready is not what was extracted there; extracting it anew"
  echo "$found"
fi
if [ ! -d "$ready" ] || [ -n "$found" ]; then
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/.fetch-XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  echo "make deps: fetching MLX and the embedded model into $ready (about 110 MB, once)"
  fetch
  [ ! -d "$ready" ] || mv -T "$ready" "$work/damaged" 2>/dev/null || true
  mv -T "$work/root" "$ready" 2>/dev/null || python3 deps/verify.py "$ready" "$records" # another make may have been faster
fi
ln -sfn "$ready" .deps
