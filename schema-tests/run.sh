#!/usr/bin/env bash
# Lets Schemathesis make up requests from our OpenAPI document and judge the answers: TOLLHOUSE_BIN=target/ci/tollhouse schema-tests/run.sh
# Needs cargo (it prints the document), python3 with venv and the package registry; the server itself runs offline. TOLLHOUSE_SEED replays a run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../sdk-tests/house.sh"
venv=${TOLLHOUSE_SCHEMA_VENV:-$here/.venv}
# Requests made up for each operation and phase.
examples=${TOLLHOUSE_SCHEMA_EXAMPLES:-25}
seed=${TOLLHOUSE_SEED:-$RANDOM}

echo "== dependencies"
install_python "$here/requirements.txt" "$venv"

echo "== server"
(cd "$here/.." && cargo xtask openapi) >"$work/openapi.json"
start_server
token=$("$binary" token --key-file "$key_file" --scopes '*.read,*.write' --expires 1h)

echo "== Schemathesis, seed $seed"
# Whatever is asked, right or wrong, with a token that is good: no answer is a 5xx, and every answer is what the document says.
failed=0
(cd "$work" && "$venv/bin/schemathesis" run "$work/openapi.json" --url "$url" \
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
