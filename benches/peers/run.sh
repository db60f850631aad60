#!/bin/sh
# Builds and runs the benchmark, with Aeron where a CMake of 3.30 or later is to be had. Arguments go to the benchmark.
set -eu
here=$(dirname "$0")
target=${CARGO_TARGET_DIR:-$here/../../target/peers}
own=$target/cmake

# Whether the command is a CMake that can build Aeron.
fits() {
    version=$("$1" --version 2>/dev/null | sed -n '1s/.* \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    [ -n "$version" ] && set -- $version && { [ "$1" -gt 3 ] || { [ "$1" -eq 3 ] && [ "$2" -ge 30 ]; }; }
}

features=
for cmake in "${CMAKE:-cmake}" "$own/bin/cmake"; do
    if [ -z "$features" ] && fits "$cmake"; then
        export CMAKE="$cmake"
        features="--features aeron"
    fi
done
if [ -z "$features" ]; then
    if python3 -m venv "$own" >/dev/null 2>&1 && "$own/bin/pip" install --quiet 'cmake>=3.30'; then
        export CMAKE="$own/bin/cmake"
        features="--features aeron"
    else
        echo "no CMake of 3.30 or later, and pip brings none: without Aeron" >&2
    fi
fi
exec cargo run --release --manifest-path "$here/Cargo.toml" --target-dir "$target" $features -- "$@"
