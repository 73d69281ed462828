#!/usr/bin/env bash
# Writes .env for compose.yaml with secrets that are drawn now. One that is there stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -e .env ] && { echo ".env is there already and stays as it is"; exit 0; }
draw() { head -c 24 /dev/urandom | base64 | tr -d '/+=\n'; }
umask 077
cat > .env <<EOF
POSTGRES_PASSWORD=$(draw)
S3_ACCESS_KEY=$(draw)
S3_SECRET_KEY=$(draw)
API_KEY=$(draw)
ADMIN_KEY=$(draw)
GRAFANA_PASSWORD=$(draw)
EOF
echo "wrote .env; clients use the key $(sed -n 's/^API_KEY=//p' .env)"
