#!/usr/bin/env bash
# Writes the bill of materials of the binary (CycloneDX 1.5, JSON) and holds it against CycloneDX's own schema: supply-chain/sbom.sh OUT
# Needs cargo, python3 with venv and the package registries. The tools are built once, below CARGO_TARGET_DIR.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
out=${1:?the file to write}
tools=${CARGO_TARGET_DIR:-$root/target}/tools
version=0.5.9

if ! "$tools/bin/cargo-cyclonedx" cyclonedx --version 2>/dev/null | grep -q "$version"; then
  cargo install --quiet --locked --root "$tools" "cargo-cyclonedx@$version"
fi
if ! cmp -s "$here/requirements.txt" "$tools/sbom/.installed-from" 2>/dev/null; then
  python3 -m venv "$tools/sbom"
  "$tools/sbom/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$tools/sbom/.installed-from"
fi

# One file beside each manifest is how the tool writes; only that of the binary is wanted.
(cd "$root" && "$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --override-filename bom)
mkdir -p "$(dirname "$out")"
mv "$root/crates/tollhouse/bom.json" "$out"
rm -f "$root"/crates/*/bom.json
"$tools/sbom/bin/python" "$here/check_sbom.py" "$out" "$root/Cargo.lock"
