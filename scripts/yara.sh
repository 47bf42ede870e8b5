#!/usr/bin/env bash
# Builds the YARA engine and puts it where `shieldwall scan` looks for it: beside the release binary.
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

need_yara
mkdir -p "$target/release"
cp "$yara" "$target/release/shieldwall-yara"
echo "the engine is at $target/release/shieldwall-yara: keep it beside shieldwall"
