#!/usr/bin/env bash
# Checks licences, banned crates and sources against deny.toml; and advisories, where their database can be had.
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

ADVISORY_FETCH_SECONDS=120

need_deny
"$deny" --version
"$deny" --locked check --hide-inclusion-graph bans licenses sources
"$deny" --locked --manifest-path yara/Cargo.toml check --hide-inclusion-graph bans licenses sources

if timeout "$ADVISORY_FETCH_SECONDS" "$deny" fetch db >"$target/deny-fetch.log" 2>&1; then
    "$deny" --locked check --disable-fetch advisories
    "$deny" --locked --manifest-path yara/Cargo.toml check --disable-fetch advisories
    echo "deny: bans, licences, sources and advisories checked"
else
    tail -n 3 "$target/deny-fetch.log"
    echo "deny: bans, licences and sources checked."
    echo "deny: ADVISORIES NOT CHECKED: their database could not be fetched from here. Run 'make deny' where it can."
fi
