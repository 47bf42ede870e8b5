#!/usr/bin/env bash
# Measures what BENCHMARKS.md lists, on this machine, with the release binary.
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

need_cc
cargo build --release --locked -p shieldwall-cli
shieldwall=$target/release/shieldwall

say "machine"
date -u +%F
uname -srm
echo "$(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
grep -m1 'model name' /proc/cpuinfo || true
rustc --version

say "time to warn: shieldwall demo --headless --json"
"$shieldwall" demo --headless --json | tail -n 1

if [ -n "${SHIELDWALL_DATA:-}" ]; then
    say "matching: 1.48 million values over 1 GB of generated EVE, one core"
    "$shieldwall" bench match --indicators "$SHIELDWALL_DATA/volume/maltrail-indicators.csv.zst"

    say "sharing: ATT&CK Enterprise and five bundles in over HTTP, out over TAXII in pages of 1,000"
    "$shieldwall" bench import "$SHIELDWALL_DATA"/attack/enterprise-attack-18.1.json "$SHIELDWALL_DATA"/stix/*.json
else
    say "matching and sharing need the large public files: set SHIELDWALL_DATA to their directory"
fi
