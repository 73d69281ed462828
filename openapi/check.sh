#!/usr/bin/env bash
# Checks that the API only grew since it was released: what clients send is still taken, and what they read is still there.
# First each kind of change that takes something away must be found, so that this can fail.
set -euo pipefail
cd "$(dirname "$0")"

compare() { ${OASDIFF:?names how oasdiff is run: see the Makefile} breaking "$1" "$2" --fail-on WARN; }

planted="$(mktemp -d)"
trap 'rm -rf "$planted"' EXIT
python3 - "$planted" <<'PY'
import copy, json, sys
document = json.load(open("openapi-3.0.json"))
schema = lambda d, name: d["components"]["schemas"][name]
for name, plant in {
    "a field of answers is gone": lambda d: schema(d, "Agent")["properties"].pop("tokens"),
    "an operation is gone": lambda d: d["paths"]["/v1/agents/{id}"].pop("delete"),
    "a header is gone": lambda d: d["paths"]["/v1/messages"]["post"]["parameters"].pop(0),
    "a value that may be sent is gone": lambda d: schema(d, "AgentEviction")["properties"]["to"]["enum"].pop(),
    "a field that may be sent is gone": lambda d: schema(d, "MessageRequest")["properties"].pop("system"),
    "a field that may be sent must be": lambda d: schema(d, "MessageRequest")["required"].append("system"),
}.items():
    changed = copy.deepcopy(document)
    plant(changed)
    json.dump(changed, open(f"{sys.argv[1]}/{name}.json", "w"))
PY
for change in "$planted"/*.json; do
  if compare openapi-3.0.json "$change" >/dev/null 2>&1; then
    echo "openapi: nothing is found although $(basename "$change" .json): the comparison is of no use" >&2
    exit 1
  fi
done
compare released-3.0.json openapi-3.0.json || {
  echo "openapi: clients of the released API would break. Add beside what is there; or, with a release that says so, copy openapi-3.0.json over released-3.0.json" >&2
  exit 1
}
