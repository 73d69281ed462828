#!/usr/bin/env bash
# Runs the suites that need containers: several nodes, Postgres, an S3 server, a broken network. What can't be pulled is
# made (e2e/images/build.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

command -v docker >/dev/null || { echo "make e2e: Docker is missing; install it" >&2; exit 1; }
docker info >/dev/null 2>&1 || { echo "make e2e: the Docker engine does not answer; start it (dockerd) and see 'docker info'" >&2; exit 1; }
./e2e/images/build.sh
export E2E_BASE_IMAGE="${E2E_BASE_IMAGE:-local/debian:12}"
export E2E_POSTGRES_IMAGE="${E2E_POSTGRES_IMAGE:-local/postgres:15}"
export E2E_S3_IMAGE="${E2E_S3_IMAGE:-local/versitygw:1.8.0}"
export E2E_IMAGE="${E2E_IMAGE:-agent-memory:e2e}"
export E2E_NEXT_IMAGE="${E2E_NEXT_IMAGE:-agent-memory:next}"
IMAGE="$E2E_IMAGE" BASE="$E2E_BASE_IMAGE" ./deploy/image.sh
FROM="$E2E_IMAGE" IMAGE="$E2E_NEXT_IMAGE" ./e2e/images/next.sh
export TESTCONTAINERS_RYUK_DISABLED="${TESTCONTAINERS_RYUK_DISABLED:-true}"
export TESTCONTAINERS_HOST_OVERRIDE="${TESTCONTAINERS_HOST_OVERRIDE:-127.0.0.1}"
export E2E_HAPROXY_IMAGE="${E2E_HAPROXY_IMAGE:-local/haproxy:2.6}"
./e2e/compose.sh
go test -tags e2e -count=1 -timeout 30m ${GOTESTFLAGS:-} ./e2e/cluster "$@"
