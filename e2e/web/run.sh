#!/usr/bin/env bash
# Checks the operators' page: that its types hold against the API's document, that modules/console/dist is what its pinned
# sources give, and that everything it offers works in Chromium against bin/agent-memory with the embedded model.
# AGENT_MEMORY_SHOTS=docs/images writes the pictures of the documentation.
set -euo pipefail
cd "$(dirname "$0")/../.."

lacking=()
[ -x bin/agent-memory ] || lacking+=("bin/agent-memory (make build)")
for tool in node npm; do command -v "$tool" >/dev/null || lacking+=("$tool (on Debian: nodejs and npm)"); done
CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
[ -n "$CHROMIUM" ] || lacking+=("chromium (on Debian: chromium; CHROMIUM names another)")
if [ ${#lacking[@]} -gt 0 ]; then
  for what in "${lacking[@]}"; do echo "web: $what is needed and missing" >&2; done
  exit 1
fi
export CHROMIUM

web=modules/console/web
./$web/install.sh
(cd $web && node_modules/.bin/tsc -p .)
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
(cd $web && node build.mjs "$fresh" >/dev/null)
diff -rq modules/console/dist "$fresh" || { echo "web: modules/console/dist is not what its sources give: run make console" >&2; exit 1; }
echo "ok modules/console/dist is what its sources give"
node e2e/web/suite.mjs
