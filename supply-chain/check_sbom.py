"""Holds a bill of materials against CycloneDX's schema, and against the lock file: what it names is what is built."""

import json
import sys
import tomllib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

bom_file, lock_file = sys.argv[1:]
text = open(bom_file, encoding="utf-8").read()
problem = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
if problem is not None:
    sys.exit(f"{bom_file} is not CycloneDX 1.5: {problem}")
bom = json.loads(text)
with open(lock_file, "rb") as file:
    locked = {(package["name"], package["version"]) for package in tomllib.load(file)["package"]}
named = {(component["name"], component["version"]) for component in bom["components"]}
strangers = sorted(named - locked)
if strangers:
    sys.exit(f"{bom_file} names what the lock file does not have: {strangers[:10]}")
for expected in ("rustls", "aws-lc-rs", "sqlx", "tokio"):
    if not any(name == expected for name, _ in named):
        sys.exit(f"{bom_file} does not name {expected}")
without = sorted(component["name"] for component in bom["components"] if not component.get("licenses") and "crates.io" in component.get("purl", "crates.io"))
if without:
    sys.exit(f"{bom_file} names no licence for {without[:10]}")
print(f"{len(named)} components, {bom['metadata']['component']['name']} {bom['metadata']['component']['version']}")
