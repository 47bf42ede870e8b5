"""Walks a TAXII 2.1 server as an outside client does, with taxii2-client, and prints what it found as JSON.

Usage: taxii_walk.py DISCOVERY_URL COLLECTION_ID ENVELOPE_FILE, the API token in SHIELDWALL_TOKEN.

Any error of the client or the server ends it with a traceback and a status that is not 0.
"""

import json
import os
import signal
import sys
import time

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
    }))


if __name__ == "__main__":
    # A client that turns in circles is an error too.
    signal.alarm(60)
    main(*sys.argv[1:])
