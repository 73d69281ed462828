#!/usr/bin/env bash
# Makes the image of a version that comes after this one: the same sources with another version's name and one more migration
# (next.sql), laid over them while building. The suites upgrade to it, and back. FROM names the image of this version, IMAGE
# the one that is made.
set -euo pipefail
cd "$(dirname "$0")/../.."

stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
sed -E 's/(version += )"[^"]+"/\1"next"/' cmd/agent-memory/wire.go > "$stage/wire.go"
grep -q '"next"' "$stage/wire.go" || { echo "make e2e: cmd/agent-memory/wire.go has no version to replace" >&2; exit 1; }
cat > "$stage/overlay.json" <<EOF
{"Replace": {
  "$PWD/cmd/agent-memory/wire.go": "$stage/wire.go",
  "$PWD/migrations/postgres/90000_next.sql": "$PWD/e2e/images/next.sql"
}}
EOF
go build -overlay "$stage/overlay.json" -o "$stage/agent-memory" ./cmd/agent-memory
printf 'FROM %s\nCOPY agent-memory /opt/agent-memory/bin/agent-memory\n' "${FROM:-agent-memory:e2e}" > "$stage/Dockerfile"
DOCKER_BUILDKIT="${DOCKER_BUILDKIT:-0}" docker build --quiet -t "${IMAGE:-agent-memory:next}" "$stage"
