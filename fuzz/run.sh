#!/bin/sh
# Fuzzes, guided by coverage and watched by AddressSanitizer: "open this file and use it", and each of the gateway's protocols.
#
#   fuzz/run.sh [SECONDS] [libFuzzer arguments]    each target for 60 seconds unless said otherwise; for a soak: fuzz/run.sh 86400 -jobs=8
#   TARGETS="nats websocket" fuzz/run.sh 600       only these
#   fuzz/run.sh seeds                              makes fuzz/seeds/ again
#   TARGETS=nats fuzz/run.sh FILE                  runs an input again, as a crash left it in fuzz/artifacts
#
# Needs a stable toolchain and a C++ compiler, and no cargo-fuzz: libFuzzer comes as a crate, and the instrumentation is part of every
# rustc; RUSTC_BOOTSTRAP=1 lets a stable one accept the flag that turns the sanitizer on. `cargo fuzz` with a nightly works as well.
set -eu
input=
[ ! -f "${1:-}" ] || input=$(realpath "$1")
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
out=${CARGO_TARGET_DIR:-../target}/fuzz
targets=${TARGETS:-open_and_use http_head websocket engineio socketio nats}

if [ "${1:-}" = seeds ]; then
    cargo build --quiet --release --bin seeds --target-dir "$out"
    rm -rf seeds/open_and_use
    exec "$out/release/seeds" seeds/open_and_use
fi

# --target keeps the flags away from build scripts.
for target in $targets; do bins="${bins:-} --bin $target"; done
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Ccodegen-units=4 -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing" \
    cargo build --quiet --release $bins --bin vectors --target "$host" --target-dir "$out"

FUZZ_DIR=$(mktemp -d /dev/shm/slipring-fuzz-XXXXXX)
export FUZZ_DIR
trap 'rm -rf "$FUZZ_DIR"' EXIT INT TERM
# A call takes microseconds, so seconds are a hang; a queue takes some 100 KiB, so an allocation of 64 MiB has believed a length.
limits="-timeout=10 -malloc_limit_mb=64 -rss_limit_mb=1024"

if [ -n "$input" ]; then
    for target in $targets; do "$out/$host/release/$target" $limits "$input"; done
    exit
fi
seconds=${1:-60}
[ $# -eq 0 ] || shift
"$out/$host/release/vectors" corpus
for target in $targets; do
    mkdir -p "corpus/$target" "artifacts/$target"
    seeds=
    [ ! -d "seeds/$target" ] || seeds=seeds/$target
    "$out/$host/release/$target" $limits -max_total_time="$seconds" -max_len=2048 -artifact_prefix="artifacts/$target/" \
        -print_final_stats=1 "$@" "corpus/$target" $seeds
done
