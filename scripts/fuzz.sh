#!/usr/bin/env bash
# Fuzzes every parser: SECONDS each (60 without). The first finding stops it and is kept under target/fuzz/artifacts.
# cargo-fuzz asks for flags that only a nightly compiler takes; the variable below lets any compiler take them.
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

seconds=${1:-60}
case $seconds in *[!0-9]* | '') fail "seconds a target: a whole number, not '$seconds'" ;; esac
need_cc
command -v c++ >/dev/null || debian_install g++
tools=$target/tools # not in the Python environment, which may be made anew
export PATH=$tools/bin:$PATH
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --version 0.13.2 --root "$tools"

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$target/fuzz
artifacts=$target/fuzz/artifacts
mkdir -p "$artifacts"
failed=()
for name in $(cd fuzz && cargo fuzz list); do
    say "fuzzing $name for $seconds s"
    corpus=$target/fuzz/corpus/$name seeds=fuzz/seeds/$name
    mkdir -p "$corpus" "$seeds"
    cargo fuzz run --fuzz-dir fuzz "$name" "$corpus" "$seeds" -- \
        -max_total_time="$seconds" -timeout=2 -rss_limit_mb=512 -max_len=65536 -artifact_prefix="$artifacts/$name-" \
        -print_final_stats=1 || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || fail "found something in: ${failed[*]} (see $artifacts)"
say "nothing found"
