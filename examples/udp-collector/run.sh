#!/bin/sh
# Thirty readings of a device, over UDP into a queue and out of it as lines. Ports are any that are free.
set -eu
cd "$(dirname "$0")"
log=$(mktemp)
slipring create readings --capacity 1MiB
SLIPRING_LISTEN=127.0.0.1:0 SLIPRING_UDP=127.0.0.1:0=readings/reading slipring serve --config gateway.toml 2>"$log" &
gateway=$!
trap 'kill $gateway 2>/dev/null || true; wait $gateway || true; slipring rm readings; rm -f "$log"' EXIT

tries=0
until url=$(sed -n 's/^listening on //p' "$log") && [ -n "$url" ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { cat "$log"; exit 1; }
    sleep 0.1
done
figure() { curl -s "$url/metrics" | sed -n "s/^slipring_udp_$1_total{address=\"\([^\"]*\)\".*} \(.*\)/\1 \2/p"; }

address=$(figure received | cut -d ' ' -f 1)
python3 device.py "$address" 30
slipring recv readings -n 30 --timeout 30s
echo "received $(figure received | cut -d ' ' -f 2)"
