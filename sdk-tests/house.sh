# The server that a suite drives, and the Python packages it drives it with. For scripts to source, `schema-tests` among them; they have `set -euo pipefail`.
# TOLLHOUSE_BIN names the built server. What a suite writes goes to $work, which is removed at the end, when the server is stopped too.

binary=${TOLLHOUSE_BIN:?TOLLHOUSE_BIN names the built server}
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
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

# Whether a folder was installed from another file than this one, or not at all: its stamp holds what it was installed from.
outdated() { # file, folder
  ! cmp -s "$1" "$2/.installed-from" 2>/dev/null
}

install_python() { # requirements, venv
  if outdated "$1" "$2"; then
    python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check -r "$1"
    cp "$1" "$2/.installed-from"
  fi
}

# Starts a server that forgets everything. Once it is ready, $url and $key_file are known; its log is $work/log.
start_server() { # settings, NAME=VALUE each
  env "$@" "$binary" dev --ephemeral --listen 127.0.0.1:0 --ready-file "$work/ready" >"$work/out" 2>"$work/log" &
  server=$!
  local wrong="was not ready within 30 seconds"
  for _ in $(seq 300); do
    if [ -s "$work/ready" ] && grep -q '^Key file' "$work/out"; then
      url=$(cat "$work/ready")
      key_file=$(sed -n 's/^Key file *//p' "$work/out")
      return
    fi
    if ! kill -0 "$server" 2>/dev/null; then
      wrong="ended before it was ready"
      break
    fi
    sleep 0.1
  done
  echo "the server $wrong:" >&2
  tail -n 20 "$work/log" >&2
  exit 1
}
