#!/usr/bin/env bash
# Drives the published TypeScript and Python clients against one server: TOLLHOUSE_BIN=target/ci/tollhouse sdk-tests/run.sh
# Needs node 20, npm, python3 and the package registries; the server itself runs offline, with simulated payment services.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/house.sh"
venv=${TOLLHOUSE_SDK_VENV:-$here/.venv}

echo "== dependencies"
if outdated "$here/package-lock.json" "$here/node_modules"; then
  (cd "$here" && npm ci --no-audit --no-fund)
  cp "$here/package-lock.json" "$here/node_modules/.installed-from"
fi
install_python "$here/requirements.txt" "$venv"

echo "== server"
# The simulators choose a free port of their own by default; the payment services' own clients must know it.
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
TOLLHOUSE_SIMULATORS=http://127.0.0.1:$port/sim
# One address may get few tokens wrong, so that the clients' error for that can be had within a moment.
start_server TOLLHOUSE_LIMITS__FAILED_AUTHENTICATIONS_PER_SECOND=5 TOLLHOUSE_SIMULATORS__LISTEN=127.0.0.1:$port
TOLLHOUSE_URL=$url
TOLLHOUSE_KEY_FILE=$key_file
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
