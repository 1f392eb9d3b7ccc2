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

# The development server.
dev:
    cargo run --release -- dev
