#!/bin/sh
# Weakens every named ordering and leaves out every named re-check, one at a time, in the loom models that come by it.
# Prints who catches what, and fails if docs/orderings.md says otherwise. `SLIPRING_MUTANTS=all` lists every catcher.
set -eu
cd "$(dirname "$0")/.."
RUSTFLAGS="--cfg loom${RUSTFLAGS:+ $RUSTFLAGS}" timeout "${SLIPRING_MUTANTS_SECONDS:-600}" \
    cargo test --release --test loom mutants -- --include-ignored --nocapture --test-threads=1
