#!/bin/sh
# Fuzzes "open this file and use it" (fuzz_targets/open_and_use.rs), guided by coverage and watched by AddressSanitizer.
#
#   fuzz/run.sh [SECONDS] [libFuzzer arguments]    60 seconds unless said otherwise; for a soak: fuzz/run.sh 86400 -jobs=8
#   fuzz/run.sh seeds                              makes fuzz/seeds/ again
#   fuzz/run.sh FILE                               runs an input again, as a crash left it in fuzz/artifacts
#
# Needs a stable toolchain and a C++ compiler, and no cargo-fuzz: libFuzzer comes as a crate, and the instrumentation is part of every
# rustc; RUSTC_BOOTSTRAP=1 lets a stable one accept the flag that turns the sanitizer on. `cargo fuzz` with a nightly works as well.
set -eu
input=
[ ! -f "${1:-}" ] || input=$(realpath "$1")
cd "$(dirname "$0")"
target=$(rustc -vV | sed -n 's/^host: //p')
out=${CARGO_TARGET_DIR:-../target}/fuzz

if [ "${1:-}" = seeds ]; then
    cargo build --quiet --release --bin seeds --target-dir "$out"
    rm -rf seeds/open_and_use
    exec "$out/release/seeds" seeds/open_and_use
fi

# --target keeps the flags away from build scripts.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Ccodegen-units=4 -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing" \
    cargo build --quiet --release --bin open_and_use --target "$target" --target-dir "$out"
program=$out/$target/release/open_and_use

FUZZ_DIR=$(mktemp -d /dev/shm/slipring-fuzz-XXXXXX)
export FUZZ_DIR
trap 'rm -rf "$FUZZ_DIR"' EXIT INT TERM
# A call takes microseconds, so seconds are a hang; a queue takes some 100 KiB, so an allocation of 64 MiB has believed a length.
limits="-timeout=10 -malloc_limit_mb=64 -rss_limit_mb=1024"

if [ -n "$input" ]; then
    "$program" $limits "$input"
    exit
fi
seconds=${1:-60}
[ $# -eq 0 ] || shift
mkdir -p corpus/open_and_use artifacts/open_and_use
"$program" $limits -max_total_time="$seconds" -max_len=2048 -artifact_prefix=artifacts/open_and_use/ \
    -print_final_stats=1 "$@" corpus/open_and_use seeds/open_and_use
