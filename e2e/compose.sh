#!/usr/bin/env bash
# Starts compose.yaml as its users do, but with the images of the suites, and has one agent talk through the balancer. What
# watches (Prometheus, Grafana) is only checked as far as the file goes: there are no images of it where none can be pulled.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}
command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ||
  { echo "make e2e: Compose is missing; install the package docker-compose" >&2; exit 1; }

export AGENT_MEMORY_IMAGE="$E2E_IMAGE" POSTGRES_IMAGE="$E2E_POSTGRES_IMAGE" S3_IMAGE="$E2E_S3_IMAGE" HAPROXY_IMAGE="$E2E_HAPROXY_IMAGE"
export COMPOSE_PROJECT_NAME=agent-memory-e2e PORT="${PORT:-18480}" SEMANTIC_MLX_CACHE_BUDGET_MB=512
for name in POSTGRES_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY API_KEY ADMIN_KEY GRAFANA_PASSWORD; do
  [ -z "${!name:-}" ] || continue
  # Without a secret nothing may start.
  if env -u "$name" $(for other in POSTGRES_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY API_KEY ADMIN_KEY GRAFANA_PASSWORD; do
    [ "$other" = "$name" ] || echo "$other=x"; done) bash -c "$(declare -f compose); compose --env-file /dev/null config" >/dev/null 2>&1; then
    echo "compose.yaml starts without $name" >&2; exit 1
  fi
done
for name in POSTGRES_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY API_KEY ADMIN_KEY GRAFANA_PASSWORD; do
  export "$name=$(head -c 18 /dev/urandom | base64 | tr -d '/+=')"
done

trap 'compose logs --tail 40 >&2 || true; compose down --volumes --timeout 5 >/dev/null 2>&1 || true' ERR
compose config >/dev/null
compose up -d postgres s3 bucket node-a node-b balancer

# While a node starts the balancer gives its agents to the other: what is said of them below holds once both are known to be ready.
nodes_ready() {
  local seen=""
  for probe in $(seq 16); do
    seen+=" $(curl -s -o /dev/null -D - -H "x-agent-id: probe-$probe" "http://127.0.0.1:$PORT/health/ready" | tr -d '\r' |
      awk 'NR == 1 { ok = $2 == 200 } tolower($1) == "x-served-by:" && ok { print $2 }')"
  done
  [[ "$seen" == *a* && "$seen" == *b* ]]
}
for tries in $(seq 120); do
  if nodes_ready; then break; fi
  [ "$tries" != 120 ] || { echo "compose: both nodes were not ready within two minutes" >&2; false; }
  sleep 1
done

ask() { # AGENT QUESTION: the answer's usage
  curl -sf "http://127.0.0.1:$PORT/v1/messages" -H "x-api-key: $API_KEY" -H "x-agent-id: $1" -H 'content-type: application/json' \
    -H 'anthropic-version: 2023-06-01' -d "{\"model\":\"claude-x\",\"max_tokens\":16,\"messages\":[{\"role\":\"user\",\"content\":\"$2\"}]}"
}
for agent in one two three four; do
  ask "$agent" "What is the capital of France?" >/dev/null
  again="$(ask "$agent" "What is the capital of France?")"
  grep -q '"cache_read_input_tokens":3[0-9]' <<<"$again" ||
    { echo "agent $agent does not come back to where its memory is: $again" >&2; false; }
done
echo "compose: four agents came back to their memory through the balancer"
compose stop --timeout 80 node-a >/dev/null
for agent in one two three four; do ask "$agent" "What is the capital of Italy?" | grep -q '"type":"text"'; done
echo "compose: with one node stopped every agent is answered by the other"
compose down --volumes --timeout 10 >/dev/null 2>&1
