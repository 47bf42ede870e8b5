#!/usr/bin/env bash
# web.sh build: rebuilds web/dist from web/src. web.sh check: fails unless the committed web/dist is what that gives.
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

case ${1:-} in build | check) ;; *) fail "usage: scripts/web.sh build|check" ;; esac

need_node
if [ "$1" = build ]; then
    need_node_modules web
    cd web
    npm run --silent build
else
    # Built beside the tree, so that a check never changes what is committed.
    copy=$target/web-check
    rm -rf "$copy"
    mkdir -p "$copy"
    tar -C web --exclude=./node_modules --exclude=./dist -cf - . | tar -C "$copy" -xf -
    need_node_modules "$copy"
    (cd "$copy" && npm run --silent build)
    diff -rq "$copy/dist" web/dist || fail "web/dist is not what web/src builds to: run 'make web' and commit web/dist"
    echo "web/dist is what web/src builds to"
fi
