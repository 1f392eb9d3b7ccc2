# What a contributor runs. `just` alone lists it.

default:
    @just --list

# Everything that is checked without running the product.
check: fmt clippy doc tidy page deny

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

tidy:
    cargo xtask tidy

# docs/payment-services.md is what the definition files make; without --check it is made anew.
page *options="--check":
    cargo xtask payment-services-page {{options}}

deny:
    cargo deny check bans licenses sources

# All tests on SQLite.
test:
    cargo test --workspace

# All tests, those that need a database on SQLite and on PostgreSQL.
test-pg url="postgres://postgres@127.0.0.1:5432/postgres":
    TOLLHOUSE_TEST_POSTGRES={{url}} cargo test --workspace

# Our OpenAPI document against the published one.
openapi contract:
    cargo xtask openapi --compare {{contract}}

# The published TypeScript and Python SDKs against the binary.
sdk:
    cargo build --profile ci --bin tollhouse
    TOLLHOUSE_BIN="${CARGO_TARGET_DIR:-$PWD/target}/ci/tollhouse" sdk-tests/run.sh

# Requests of the definitions against the payment services' own OpenAPI documents, played by Prism.
standins dir:
    cargo build --profile ci --bin tollhouse
    TOLLHOUSE_STANDINS_DIR={{dir}} TOLLHOUSE_BIN="${CARGO_TARGET_DIR:-$PWD/target}/ci/tollhouse" standins/run.sh

# Requests that Schemathesis makes up from our OpenAPI document, against the binary.
schema:
    cargo build --profile ci --bin tollhouse
    TOLLHOUSE_BIN="${CARGO_TARGET_DIR:-$PWD/target}/ci/tollhouse" schema-tests/run.sh

# Every promise with its full counts, and a table of what was kept: hours. `just promises --reduced` is what the checks run.
promises *options:
    cargo xtask promises {{options}}

# Looks for inputs that break what reads hostile input, so many seconds for each. Needs a nightly compiler, a C++ compiler and `cargo install cargo-fuzz`.
fuzz seconds="600":
    for target in cursor definition session_body token url_guard; do cargo +nightly fuzz run --fuzz-dir fuzz "$target" -- -max_total_time={{seconds}} -timeout=1 || exit 1; done

# The bounds of definition bombs as they are promised: 50 ms holds for optimised code only.
bombs:
    cargo test --release -p simulators --test bombs

# The bill of materials of the binary, checked.
sbom out="target/sbom/tollhouse.cdx.json":
    supply-chain/sbom.sh {{out}}

# Known vulnerabilities in what we build from. Fetches RustSec's database.
advisories:
    cargo deny check advisories

# What a session costs, against nginx, the bare pipeline and a gateway in Node, in one run: docs/performance.md. About eight minutes.
bench *options="--half":
    python3 bench/bench.py {{options}}

# Whether a session has become dearer: CPU time against the bare pipeline in the same run, best of three, 15 % allowed. Two minutes.
bench-gate:
    python3 bench/bench.py --gate

# How the cost grows with services, connections, bodies, slow payment services and records. About twenty minutes.
bench-growth *options:
    python3 bench/growth.py {{options}}

# The development server.
dev:
    cargo run --release -- dev
