#!/usr/bin/env bash
# Drives the published TypeScript and Python clients against one server: TOLLHOUSE_BIN=target/ci/tollhouse sdk-tests/run.sh
# Needs node 20, npm, python3 and the package registries; the server itself runs offline, with simulated payment services.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
binary=${TOLLHOUSE_BIN:?TOLLHOUSE_BIN names the built server}
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
venv=${TOLLHOUSE_SDK_VENV:-$here/.venv}
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
if ! cmp -s "$here/package-lock.json" "$here/node_modules/.installed-from" 2>/dev/null; then
  (cd "$here" && npm ci --no-audit --no-fund)
  cp "$here/package-lock.json" "$here/node_modules/.installed-from"
fi
if ! cmp -s "$here/requirements.txt" "$venv/.installed-from" 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/.installed-from"
fi

echo "== server"
# The simulators choose a free port of their own by default; the payment services' own clients must know it.
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
TOLLHOUSE_SIMULATORS=http://127.0.0.1:$port/sim
# One address may get few tokens wrong, so that the clients' error for that can be had within a moment.
TOLLHOUSE_LIMITS__FAILED_AUTHENTICATIONS_PER_SECOND=5 TOLLHOUSE_SIMULATORS__LISTEN=127.0.0.1:$port "$binary" dev --ephemeral --listen 127.0.0.1:0 --ready-file "$work/ready" >"$work/out" 2>"$work/log" &
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
if ! [ -s "$work/ready" ]; then
  echo "the server was not ready within 30 seconds" >&2
  tail -n 20 "$work/log" >&2
  exit 1
fi
TOLLHOUSE_URL=$(cat "$work/ready")
TOLLHOUSE_KEY_FILE=$(sed -n 's/^Key file *//p' "$work/out")
export TOLLHOUSE_URL TOLLHOUSE_KEY_FILE TOLLHOUSE_SIMULATORS
echo "$TOLLHOUSE_URL"

# Both suites run, whatever the first one says.
failed=0
echo "== TypeScript"
(cd "$here" && node --test --test-reporter=spec --test-concurrency=1 typescript/) >"$work/typescript" 2>&1 || failed=1
if [ "$failed" = 0 ]; then tail -n 8 "$work/typescript"; else cat "$work/typescript"; fi
echo "== Python"
"$venv/bin/python" -m pytest -q -p no:cacheprovider "$here/python" || failed=1

if [ "$failed" != 0 ]; then
  echo "== end of the server's log" >&2
  tail -n 20 "$work/log" >&2
fi
exit "$failed"
