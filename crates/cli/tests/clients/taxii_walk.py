"""Walks a TAXII 2.1 server as an outside client does, with taxii2-client, and prints what it found as JSON.

Usage: taxii_walk.py DISCOVERY_URL COLLECTION_ID ENVELOPE_FILE, the API token in SHIELDWALL_TOKEN.

Any error of the client or the server ends it with a traceback and a status that is not 0.
"""

import datetime
import json
import os
import signal
import sys
import time

import pytz
import requests
from taxii2client.v21 import Server, as_pages


def pages(function, per_request, **filters):
    """The objects of all pages, and how many pages there were."""
    found, count = [], 0
    for page in as_pages(function, per_request=per_request, **filters):
        found.extend(page.get("objects", []))
        count += 1
    return found, count


def main(url, collection_id, envelope_file):
    token = os.environ["SHIELDWALL_TOKEN"]
    server = Server(url, user="taxii2-client", password=token)
    root = server.default
    assert root.versions == ["application/taxii+json;version=2.1"], root.versions
    collections = {collection.id: collection for collection in root.collections}
    collection = collections[collection_id]

    start = time.monotonic()
    objects, object_pages = pages(collection.get_objects, per_request=50)
    seconds = time.monotonic() - start
    whole = collection.get_objects()["objects"]
    manifest, manifest_pages = pages(collection.get_manifest, per_request=50)
    first = objects[0]["id"]
    typed = collection.get_objects(type="indicator").get("objects", [])
    after = collection.get_objects(added_after=manifest[0]["date_added"]).get("objects", [])
    one = collection.get_object(first)["objects"]
    versions = collection.object_versions(first)["versions"]

    with open(envelope_file, encoding="utf-8") as file:
        envelope = json.load(file)
    added = collection.add_objects(envelope, wait_for_completion=True)
    again = root.get_status(added.id)
    posted = envelope["objects"][0]["id"]
    back = collection.get_object(posted)["objects"]
    collection.delete_object(posted)
    left = collection.get_objects(id=posted).get("objects", [])

    checks = filters(collection, objects, manifest, posted)
    checks.update(changes(root, collection, envelope["objects"][0]))

    print(json.dumps({
        "title": server.title,
        "api_roots": len(server.api_roots),
        "collections": len(collections),
        "can_read": collection.can_read,
        "can_write": collection.can_write,
        "object_ids": [item["id"] for item in objects],
        "object_pages": object_pages,
        "whole": len(whole),
        "manifest_ids": [item["id"] for item in manifest],
        "manifest_pages": manifest_pages,
        "typed": len(typed),
        "after": len(after),
        "one": [item["id"] for item in one],
        "versions": len(versions),
        "status": [added.status, added.total_count, added.success_count, added.failure_count, added.pending_count],
        "status_again": [again.id == added.id, again.status, again.success_count],
        "back": back == envelope["objects"][:1],
        "left": len(left),
        "seconds": seconds,
        "checks": checks,
    }))


def filters(collection, objects, manifest, deleted):
    """Every filter there is, on objects and manifest, whole and in pages: what was asked, and whether it came.

    Who asks by the time of addition is told of what was deleted since: as a revoked version of it.
    """
    ids = [item["id"] for item in objects]
    first = objects[0]
    moment = datetime.datetime.strptime(first["modified"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=pytz.utc)
    asked = {
        "two ids": ({"id": [ids[3], ids[0]]}, [ids[0], ids[3]]),
        "an id that is not there": ({"id": "indicator--91a7b528-80eb-42ed-a74d-c6fbd5a26116"}, []),
        "two types": ({"type": ["malware", "indicator"]}, ids),
        "no such type": ({"type": "malware"}, []),
        "first and last version": ({"version": ["first", "last"]}, ids),
        "all versions": ({"version": "all"}, ids),
        "one version, as a time": ({"version": moment, "id": ids[0]}, ids[:1]),
        "two specifications": ({"spec_version": ["2.0", "2.1"]}, ids),
        "no such specification": ({"spec_version": "2.0"}, []),
        "added after": ({"added_after": manifest[9]["date_added"]}, ids[10:] + [deleted]),
        "all at once": (
            {"added_after": manifest[9]["date_added"], "type": "indicator", "id": ids[5:20], "version": "last",
             "spec_version": "2.1"},
            ids[10:20],
        ),
    }
    checks = {}
    for name, (query, wanted) in asked.items():
        for kind in ("get_objects", "get_manifest"):
            function = getattr(collection, kind)
            whole = [item["id"] for item in function(**query).get("objects", [])]
            paged, count = pages(function, per_request=20, **query)
            checks["%s: %s" % (kind, name)] = (
                whole == wanted and [item["id"] for item in paged] == wanted and count == max(1, -(-len(wanted) // 20))
            )
    return checks


def changes(root, collection, made):
    """Versions, a status with a failure, deletions, and what is told of them to who asks again."""
    checks = {}
    times = ["2020-01-01T00:00:0%d.000Z" % second for second in range(3)]
    made = dict(made, created=times[0], id="indicator--0f4c2a1e-5f20-4b7e-8a11-000000000077")
    versions = [dict(made, modified=time) for time in times]
    broken = dict(made, id="indicator--0f4c2a1e-5f20-4b7e-8a11-000000000078")
    del broken["pattern"]
    status = collection.add_objects({"objects": versions + [broken]}, wait_for_completion=True)
    checks["a status tells each"] = (
        [item["version"] for item in status.successes] == times
        and [item["id"] for item in status.failures] == [broken["id"]]
        and root.get_status(status.id).failure_count == 1
    )
    of = lambda **query: [item["modified"] for item in collection.get_object(made["id"], **query).get("objects", [])]
    checks["versions"] = collection.object_versions(made["id"])["versions"] == times
    checks["last"] = of() == times[2:]
    checks["first"] = of(version="first") == times[:1]
    checks["all"] = of(version="all") == times
    checks["one"] = of(version=times[1]) == times[1:2]
    collection.delete_object(made["id"], version="first")
    checks["one version deleted"] = of(version="all") == times[1:]
    checks["and gone"] = absent(lambda: of(version=times[0]))
    last = collection.get_manifest(id=made["id"])["objects"][0]["date_added"]
    collection.delete_object(made["id"])
    checks["deleted"] = absent(lambda: of()) and absent(lambda: collection.object_versions(made["id"]))
    checks["deleted twice"] = absent(lambda: collection.delete_object(made["id"]))
    told = collection.get_objects(added_after=last).get("objects", [])
    checks["who asks again is told"] = [(item["id"], item["revoked"]) for item in told] == [(made["id"], True)]
    checks["in the manifest too"] = (
        [item["id"] for item in collection.get_manifest(added_after=last)["objects"]] == [made["id"]]
    )
    return checks


def absent(ask):
    """Whether the server says that there is no such thing."""
    try:
        ask()
    except requests.exceptions.HTTPError as error:
        return error.response.status_code == 404
    return False


if __name__ == "__main__":
    # A client that turns in circles is an error too.
    signal.alarm(60)
    main(*sys.argv[1:])
