#!/bin/sh
# Fan-out to Socket.IO clients: CPU per delivery of `slipring serve`, and of the npm server with the same clients.
#
#     sh benches/socketio/run.sh [CLIENTS] [BYTES]
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo build --release --features cli
work=$target/bench/socketio
mkdir -p "$work"
cp tests/gateway/reference/package.json tests/gateway/reference/package-lock.json tests/gateway/reference/.npmrc benches/socketio/*.mjs "$work"
binary=$(realpath "$target/release/slipring")
cd "$work"
[ -d node_modules ] || npm ci --no-audit --no-fund
ulimit -n 4096
node run.mjs "$binary" "${1:-500}" "${2:-128}"
