#!/usr/bin/env bash
# Starts Prism on the payment services' documents and a server that calls them.
# TOLLHOUSE_BIN: the binary; TOLLHOUSE_STANDINS_DIR: folder with requests.json and the documents it names.
set -euo pipefail
cd "$(dirname "$0")"
: "${TOLLHOUSE_BIN:?names the binary}" "${TOLLHOUSE_STANDINS_DIR:?names the folder with the documents}"
[ -d node_modules/@stoplight/prism-cli ] || npm ci --no-audit --no-fund --loglevel=error
exec node --test --test-reporter=spec standins.test.mjs
