#!/usr/bin/env bash
# Lets Schemathesis make up requests from our OpenAPI document and judge the answers: TOLLHOUSE_BIN=target/ci/tollhouse schema-tests/run.sh
# Needs cargo (it prints the document), python3 with venv and the package registry; the server itself runs offline. TOLLHOUSE_SEED replays a run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
binary=${TOLLHOUSE_BIN:?TOLLHOUSE_BIN names the built server}
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
venv=${TOLLHOUSE_SCHEMA_VENV:-$here/.venv}
# Requests made up for each operation and phase.
examples=${TOLLHOUSE_SCHEMA_EXAMPLES:-25}
seed=${TOLLHOUSE_SEED:-$RANDOM}
work=$(mktemp -d)
server=

stop() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap stop EXIT

# Installed once: the stamp holds what it was installed from.
echo "== dependencies"
if ! cmp -s "$here/requirements.txt" "$venv/.installed-from" 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/.installed-from"
fi

echo "== server"
(cd "$here/.." && cargo xtask openapi) >"$work/openapi.json"
"$binary" dev --ephemeral --listen 127.0.0.1:0 --ready-file "$work/ready" >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 300); do
  [ -s "$work/ready" ] && grep -q '^Key file' "$work/out" && break
  if ! kill -0 "$server" 2>/dev/null; then
    echo "the server ended before it was ready:" >&2
    tail -n 20 "$work/log" >&2
    exit 1
  fi
  sleep 0.1
done
[ -s "$work/ready" ] || { echo "the server was not ready within 30 seconds" >&2; exit 1; }
token=$("$binary" token --key-file "$(sed -n 's/^Key file *//p' "$work/out")" --scopes '*.read,*.write' --expires 1h)

echo "== Schemathesis, seed $seed"
# Whatever is asked, right or wrong, with a token that is good: no answer is a 5xx, and every answer is what the document says.
failed=0
(cd "$work" && "$venv/bin/schemathesis" run "$work/openapi.json" --url "$(cat "$work/ready")" \
  --header "Authorization: Bearer $token" \
  --checks not_a_server_error,response_schema_conformance,content_type_conformance \
  --phases examples,coverage,fuzzing --max-examples "$examples" --mode all --seed "$seed" \
  --suppress-health-check all --request-timeout 20 --no-color --warnings off) || failed=1
if grep -q '"level":"ERROR"' "$work/log"; then
  echo "the server has logged errors:" >&2
  grep '"level":"ERROR"' "$work/log" | head -n 20 >&2
  failed=1
fi
exit "$failed"
