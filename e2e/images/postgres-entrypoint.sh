#!/bin/bash
# Makes the cluster at the first start with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, and runs the server.
set -euo pipefail
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
user="${POSTGRES_USER:-postgres}"
mkdir -p "$PGDATA" /var/run/postgresql
chown postgres: "$PGDATA" /var/run/postgresql
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "${POSTGRES_PASSWORD:?is needed}" > /tmp/password
  chown postgres: /tmp/password
  as initdb --username="$user" --pwfile=/tmp/password --auth-host=scram-sha-256 --encoding=UTF8 >/dev/null
  rm -f /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    as pg_ctl -w -o "-c listen_addresses=''" start >/dev/null
    as createdb --username="$user" "${POSTGRES_DB:-$user}"
    as pg_ctl -w -m fast stop >/dev/null
  fi
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$@" -c listen_addresses='*'
