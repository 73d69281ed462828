#!/usr/bin/env bash
# Makes the images that the suites need where no registry can be reached: a minimal Debian, Postgres and an S3 server, from
# Debian's packages and Go's module proxy. What is there already is kept. Where images can be pulled, name them in
# E2E_BASE_IMAGE, E2E_POSTGRES_IMAGE and E2E_S3_IMAGE, and nothing is made here.
set -euo pipefail
cd "$(dirname "$0")"

cache="${AGENT_MEMORY_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/images}"
mkdir -p "$cache"
versitygw=v1.8.0

need() { command -v "$1" >/dev/null || { echo "make e2e: $1 is missing; install the package $2" >&2; exit 1; }; }
has() { docker image inspect "$1" >/dev/null 2>&1; }

# debian NAME PACKAGES...: a tar of a minimal Debian 12, kept in the cache.
debian() {
  local name="$1" packages="$2"
  [ -f "$cache/$name.tar" ] && return
  need mmdebstrap mmdebstrap
  local sources=()
  for list in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list; do [ -s "$list" ] && sources+=("$list"); done
  mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" bookworm "$cache/$name.tar.part" "${sources[@]}" >&2
  mv "$cache/$name.tar.part" "$cache/$name.tar"
}

need docker docker.io
if [ -z "${E2E_BASE_IMAGE:-}" ] && ! has local/debian:12; then
  debian debian12 ca-certificates,libstdc++6
  docker import "$cache/debian12.tar" local/debian:12 >/dev/null
fi
if [ -z "${E2E_POSTGRES_IMAGE:-}" ] && ! has local/postgres:15; then
  debian postgres15 postgresql,util-linux
  docker import "$cache/postgres15.tar" local/postgres:bare >/dev/null
  DOCKER_BUILDKIT=0 docker build --quiet -t local/postgres:15 -f postgres.Dockerfile . >/dev/null
fi
if [ -z "${E2E_HAPROXY_IMAGE:-}" ] && ! has local/haproxy:2.6; then
  debian haproxy26 haproxy
  docker import -c 'ENTRYPOINT ["/usr/sbin/haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' \
    "$cache/haproxy26.tar" local/haproxy:2.6 >/dev/null
fi
if [ -z "${E2E_S3_IMAGE:-}" ] && ! has "local/versitygw:${versitygw#v}"; then
  [ -x "$cache/versitygw" ] || CGO_ENABLED=0 GOFLAGS= GOBIN="$cache" go install "github.com/versity/versitygw/cmd/versitygw@$versitygw"
  tar -C "$cache" -c versitygw | docker import -c 'ENTRYPOINT ["/versitygw"]' - "local/versitygw:${versitygw#v}" >/dev/null
fi
