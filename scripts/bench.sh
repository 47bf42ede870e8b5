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
