#!/bin/sh
# Weakens named orderings and leaves out named re-checks, one at a time, in the loom models that come by them.
# Prints who catches what, and fails if docs/orderings.md says otherwise, or if the time is up.
#
# tests/mutants.sh                              what the table says is caught, each by the model that it names: seconds
# SLIPRING_MUTANTS=none tests/mutants.sh        what it says nobody catches, in every model: a quarter of an hour, for soak
# SLIPRING_MUTANTS=all tests/mutants.sh         every place in every model, and every catcher: half an hour, for soak
# SLIPRING_MUTANTS="a.b c.d" tests/mutants.sh   these places in every model
#
# SLIPRING_MUTANTS_SECONDS bounds the search, SLIPRING_LOOM_PREEMPTIONS=2 makes it deeper.
set -eu
cd "$(dirname "$0")/.."
case "${SLIPRING_MUTANTS:-caught}" in
caught) enough=180 ;;
*) enough=7200 ;;
esac
RUSTFLAGS="--cfg loom${RUSTFLAGS:+ $RUSTFLAGS}"
export RUSTFLAGS
set -- cargo test --release --test loom --target-dir "${CARGO_TARGET_DIR:-target}/loom"
"$@" --no-run
timeout "${SLIPRING_MUTANTS_SECONDS:-$enough}" "$@" mutants -- --include-ignored --nocapture --test-threads=1 || {
    code=$?
    [ "$code" -ne 124 ] || echo "mutants.sh: the time is up (SLIPRING_MUTANTS_SECONDS)" >&2
    exit "$code"
}
