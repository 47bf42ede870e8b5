#!/usr/bin/env bash
# Measures this hub beside OpenTAXII and medallion, both from Python's package index, by one client in one run on this
# machine, and prints one table. Figures go into BENCHMARKS.md.
#
#   bash scripts/bench-taxii.sh            # everything
#   LOAD=1000000 bash scripts/bench-taxii.sh hub     # this hub alone, with a million objects in it
set -euo pipefail
# shellcheck source=scripts/tools.sh
. "$(dirname "$0")/tools.sh"

# What OpenTAXII 0.9.3 runs with: it predates SQLAlchemy 2 and marshmallow 4.
OPENTAXII="opentaxii==0.9.3 sqlalchemy==1.4.54 marshmallow==3.26.2 flask==3.1.3 werkzeug==3.1.9 gunicorn==27.0.1"
MEDALLION="medallion==3.0.0 flask==3.1.3 werkzeug==3.1.9 gunicorn==27.0.1"
# A server that takes hundreds a second is given fewer: rates are per second all the same.
OBJECTS=${OBJECTS:-20000}
OBJECTS_OTHERS=${OBJECTS_OTHERS:-2000}
REQUESTS=${REQUESTS:-20000}
REQUESTS_OTHERS=${REQUESTS_OTHERS:-1000}
LOAD=${LOAD:-0}
RUNS=${RUNS:-3}
which=${1:-all}
work=$target/bench-taxii
shieldwall=$target/release/shieldwall
mkdir -p "$work"

pids=()
stop() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap stop EXIT

# A virtual environment of its own under target/: these servers want older libraries than our tests.
need_server() {
    local name=$1
    shift
    [ -x "$work/$name/bin/gunicorn" ] && return
    need_python
    "$python" -m venv "$work/$name"
    # shellcheck disable=SC2068
    "$work/$name/bin/python" -m pip install -q --disable-pip-version-check --no-input $@
}

await() {
    for _ in $(seq 300); do
        curl -s -o /dev/null "$1" && return
        sleep 0.2
    done
    fail "nothing answers at $1: see the logs in $work"
}

# OpenTAXII with SQLite, two workers of gunicorn, one user with a token. Its tokens are checked by a signature, its
# passwords by a slow hash on each request; the faster of the two is measured.
start_opentaxii() {
    need_server opentaxii "$OPENTAXII"
    local dir=$work/opentaxii-data bin=$work/opentaxii/bin
    rm -rf "$dir" && mkdir "$dir"
    cat >"$dir/config.yml" <<YAML
domain: "127.0.0.1:19010"
support_basic_auth: yes
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters:
    db_connection: sqlite:///$dir/auth.db
    create_tables: yes
    secret: only-for-a-benchmark-on-this-machine
taxii1:
taxii2:
  max_content_length: 104857600
  title: bench
  public_discovery: false
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters:
      db_connection: sqlite:///$dir/data.db
      create_tables: yes
logging:
  opentaxii: error
  root: error
YAML
    # 0.9.3 cannot write the UUIDs of its own SQL tables as JSON, so that every POST ends in a 500; this helps it.
    cat >"$dir/served.py" <<'PYTHON'
import json
import uuid

plain = json.JSONEncoder.default
json.JSONEncoder.default = lambda self, value: str(value) if isinstance(value, uuid.UUID) else plain(self, value)
from opentaxii.http import app
PYTHON
    export OPENTAXII_CONFIG=$dir/config.yml
    "$bin/opentaxii-add-api-root" -t bench --default >/dev/null 2>&1
    local root collection
    root=$("$bin/python" -c 'import sqlite3, sys, uuid; print(uuid.UUID(sqlite3.connect(sys.argv[1]).execute("select id from opentaxii_api_root").fetchone()[0]))' "$dir/data.db")
    "$bin/opentaxii-add-collection" -r "$root" -t bench --public --public-write >/dev/null 2>&1
    collection=$("$bin/python" -c 'import sqlite3, sys, uuid; print(uuid.UUID(sqlite3.connect(sys.argv[1]).execute("select id from opentaxii_collection").fetchone()[0]))' "$dir/data.db")
    opentaxii_token=$("$bin/opentaxii-create-account" -u bench -p bench --admin 2>/dev/null | sed -n 's/^token: //p')
    opentaxii_path=/taxii2/$root/collections/$collection/
    "$bin/gunicorn" -w 2 -b 127.0.0.1:19010 --no-control-socket --timeout 600 --chdir "$dir" served:app >"$dir/log" 2>&1 &
    pids+=($!)
    await "http://127.0.0.1:19010/taxii2/$root/"
}

# medallion keeps everything in memory, so it has one worker.
start_medallion() {
    need_server medallion "$MEDALLION"
    local dir=$work/medallion-data bin=$work/medallion/bin
    rm -rf "$dir" && mkdir "$dir"
    cat >"$dir/data.json" <<'JSON'
{"/discovery": {"title": "bench", "default": "http://127.0.0.1:19011/bench/", "api_roots": ["http://127.0.0.1:19011/bench/"]},
 "bench": {"information": {"title": "bench", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 104857600},
  "status": [],
  "collections": [{"id": "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "title": "bench", "can_read": true, "can_write": true,
   "media_types": ["application/stix+json;version=2.1"], "objects": [], "manifest": []}]}}
JSON
    cat >"$dir/config.json" <<JSON
{"backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": "$dir/data.json"}, "users": {"bench": "bench"},
 "taxii": {"max_page_size": 1000}}
JSON
    "$bin/medallion" --host 127.0.0.1 --port 19011 "$dir/config.json" >"$dir/log" 2>&1 &
    pids+=($!)
    medallion_path=/bench/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/
    await http://127.0.0.1:19011/taxii2/
}

bench() { "$shieldwall" bench taxii --json --runs "$RUNS" "$@"; }

need_cc
command -v curl >/dev/null || debian_install curl
[ -n "${SHIELDWALL_BUILT:-}" ] || cargo build --release --locked -p shieldwall-cli

say "this hub" >&2
if [ "$LOAD" -gt 0 ]; then more=(--load "$LOAD" --ends); else more=(); fi
bench --objects "$OBJECTS" --requests "$REQUESTS" "${more[@]}" >"$work/shieldwall.json"
others=()
if [ "$which" = all ]; then
    say "OpenTAXII" >&2
    start_opentaxii
    bench --server 127.0.0.1:19010 --collection "$opentaxii_path" --authorization "Bearer $opentaxii_token" \
        --objects "$OBJECTS_OTHERS" --requests "$REQUESTS_OTHERS" >"$work/opentaxii.json"
    say "medallion" >&2
    start_medallion
    bench --server 127.0.0.1:19011 --collection "$medallion_path" \
        --authorization "Basic $(printf bench:bench | base64)" \
        --objects "$OBJECTS_OTHERS" --requests "$REQUESTS_OTHERS" >"$work/medallion.json"
    others=(opentaxii medallion)
fi

need_python
"$python" - "$work" shieldwall "${others[@]}" <<'PYTHON'
import json, sys
work, names = sys.argv[1], sys.argv[2:]
figures = {name: json.load(open(f"{work}/{name}.json")) for name in names}
rows = [("objects/s out, pages of 1,000", "get"), ("objects/s in", "post"),
        ("requests/s, collection resource", "collection"), ("requests/s, one object", "object")]
print("| what | " + " | ".join(names) + " | " + " | ".join(f"x {name}" for name in names[1:]) + " |")
print("|---|" + "---|" * (2 * len(names) - 1))
for what, key in rows:
    own = figures[names[0]][key]["median"]
    told = ["{median:,.0f} ({least:,.0f} to {most:,.0f})".format(**figures[name][key]) for name in names]
    ratios = [f"{own / figures[name][key]['median']:.1f}" for name in names[1:]]
    print(f"| {what} | " + " | ".join(told + ratios) + " |")
own = figures[names[0]]
for key in ["loaded", "load_per_second", "page_bytes", "first_page_milliseconds", "last_page_milliseconds", "peak_bytes", "resident_bytes"]:
    if own.get(key):
        print(f"{key}: {own[key]:,.2f}" if isinstance(own[key], float) else f"{key}: {own[key]:,}")
PYTHON
