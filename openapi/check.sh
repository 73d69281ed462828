#!/usr/bin/env bash
# Checks that the API only grew since it was released: what clients send is still taken, and what they read is still there.
# First a change that takes something away must be found, so that this can fail.
set -euo pipefail
cd "$(dirname "$0")"

compare() { ${OASDIFF:?names how oasdiff is run: see the Makefile} breaking "$1" "$2" --fail-on WARN; }

planted="$(mktemp --suffix=.json)"
trap 'rm -f "$planted"' EXIT
for take in '.components.schemas.Agent.properties.tokens' '.paths."/v1/agents/{id}".delete' '.paths."/v1/messages".post.parameters[0]'; do
  python3 - "$take" "$planted" <<'PY'
import json, re, sys
document = json.load(open("openapi-3.0.json"))
parts = re.findall(r'\."([^"]+)"|\.([^."\[]+)|\[(\d+)\]', sys.argv[1])
*way, last = [quoted or plain or int(number) for quoted, plain, number in parts]
at = document
for part in way:
    at = at[part]
del at[last]
json.dump(document, open(sys.argv[2], "w"))
PY
  if compare openapi-3.0.json "$planted" >/dev/null; then
    echo "openapi: nothing is found although $take is gone: the comparison is of no use" >&2
    exit 1
  fi
done
compare released-3.0.json openapi-3.0.json || {
  echo "openapi: clients of the released API would break. Add beside what is there; or, with a release that says so, copy openapi-3.0.json over released-3.0.json" >&2
  exit 1
}
