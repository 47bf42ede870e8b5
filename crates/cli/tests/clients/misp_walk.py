"""PyMISP, as it comes from the package index, against a hub: everything the MISP face is for, told as one line of JSON.

Arguments: the face's URL, the feed's URL, an event file, a directory to write the feed to. The token is in SHIELDWALL_TOKEN.
Whatever PyMISP itself complains about on the way is told under `complaints`.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path

import requests
from pymisp import MISPAttribute, MISPEvent, MISPObject, MISPSighting, PyMISP
from pymisp.tools.feed import feed_meta_generator

complaints = []


class Listener(logging.Handler):
    def emit(self, record):
        complaints.append(record.getMessage()[:500])


logging.getLogger("pymisp").addHandler(Listener(logging.WARNING))
url, feed, event_file, directory = sys.argv[1:5]
token = os.environ["SHIELDWALL_TOKEN"]
told = {}
began = time.monotonic()

misp = PyMISP(url, token, ssl=False)
told["version"] = misp.misp_instance_version["version"]
told["types"] = len(misp.types)
told["may_add"] = misp._current_role.perm_add

# Add: an event with attributes and an object that refers to one of them.
event = MISPEvent()
event.info = "Walk of a client"
event.distribution = 1
event.threat_level_id = 2
event.analysis = 1
event.add_tag("tlp:green")
domain = event.add_attribute("domain", "walk.evil-cdn.example", to_ids=True, comment="asked for often")
event.add_attribute("ip-dst|port", "192.0.2.44|8443", to_ids=True)
event.add_attribute("link", "https://cert.example/walk")
thing = MISPObject("file")
thing.add_attribute("filename", "walk.exe")
thing.add_attribute("sha256", "ab" * 32)
thing.add_reference(domain.uuid, "downloaded-from")
event.add_object(thing)
event = misp.add_event(event, pythonify=True)
told["added"] = [len(event.attributes), len(event.objects), len(event.objects[0].attributes), len(event.objects[0].references)]
told["category"] = event.attributes[0].category
told["exists"] = misp.event_exists(event)
told["twice"] = misp.add_event(event)["errors"][0]
misp.toggle_global_pythonify()

# One by one: attributes, an object, tags.
attribute = misp.add_attribute(event, {"type": "url", "value": "http://walk.evil-cdn.example/a?b=1"})
told["attribute"] = [attribute.type, attribute.to_ids, attribute.category]
several = [MISPAttribute(), MISPAttribute()]
several[0].from_dict(type="md5", value="0123456789abcdef0123456789abcdef")
several[1].from_dict(type="mutex", value="Global\\walk")
told["several"] = len(misp.add_attribute(event, several)["attributes"])
another = MISPObject("domain-ip")
another.add_attribute("domain", "also.evil-cdn.example")
another.add_attribute("ip", "192.0.2.45")
another = misp.add_object(event, another)
told["object"] = [another.name, len(another.attributes)]
told["tagged"] = misp.tag(event, "sector:energy").get("success")
misp.tag(attribute, "phase:delivery")
told["tags"] = sorted(tag.name for tag in misp.search_tags("energy"))
told["new_tag"] = misp.add_tag({"name": "walk:new"}).name
read = misp.get_event(event)
told["event_tags"] = sorted(tag.name for tag in read.tags)
told["attribute_tags"] = [tag.name for a in read.attributes if a.uuid == attribute.uuid for tag in a.tags]
misp.untag(event, "sector:energy")
told["untagged"] = sorted(tag.name for tag in misp.get_event(event).tags)
told["by_number"] = misp.get_event(read.id).uuid == event.uuid

# Sight.
sighting = MISPSighting()
sighting.from_dict(source="resolver", type="0", timestamp=int(time.time()) - 60)
told["sighted"] = misp.add_sighting(sighting, domain.uuid).type
told["sighted_by_value"] = misp.add_sighting({"value": "walk.evil-cdn.example", "type": "1"}).type
seen = [a for a in misp.get_event(event).attributes if a.uuid == domain.uuid][0]
told["sightings"] = sorted([s.type, s.source] for s in misp.sightings(seen))
told["sightings_of_event"] = len(misp.sightings(read))

# Search, and every format.
told["found"] = [[e.uuid == event.uuid, len(e.attributes)] for e in misp.search(value="walk.evil-cdn.example")]
told["found_attributes"] = [a.value for a in misp.search("attributes", value="walk.evil-cdn.example")]
told["found_half"] = [a.value for a in misp.search("attributes", value="192.0.2.44")]
told["found_type"] = sorted(a.value for a in misp.search("attributes", type_attribute=["md5", "mutex"]))
told["found_like"] = len(misp.search("attributes", value="%evil-cdn%"))
told["found_tag"] = [a.value for a in misp.search("attributes", tags="phase:delivery")]
told["found_info"] = len(misp.search(eventinfo="Walk of"))
told["found_not"] = len(misp.search("attributes", value="nothing.example"))
told["found_objects"] = sorted(o.name for o in misp.search("objects", eventid=event.uuid))
told["found_old"] = len(misp.search(timestamp="1d")) - len(misp.search(timestamp=["2d", "1d"]))
told["metadata"] = [len(e.attributes) for e in misp.search(eventid=event.uuid, metadata=True)]
told["index"] = [[e.uuid == event.uuid, e.info] for e in misp.search_index(eventinfo="Walk")]
told["events"] = len(misp.events())
csv = misp.search("attributes", return_format="csv", eventid=event.uuid)
told["csv"] = [csv[0]["type"], len(csv)] if isinstance(csv, list) else csv
told["csv_columns"] = misp.search(return_format="csv", eventid=event.uuid, requested_attributes="type,value", headerless=True).splitlines()[:1]
told["text"] = misp.search("attributes", return_format="text", type_attribute="domain").split()
told["suricata"] = misp.search("attributes", return_format="suricata", eventid=event.uuid)
told["warned"] = sorted(misp.values_in_warninglist(["8.8.8.8", "walk.evil-cdn.example"]))
told["warninglists"] = len(misp.warninglists()) > 0

# Edit, publish, feed, delete.
read = misp.get_event(event)
read.info = "Walk of a client, told better"
[a for a in read.attributes if a.uuid == domain.uuid][0].comment = "asked for once"
read.add_attribute("hostname", "third.evil-cdn.example")
changed = misp.update_event(read)
told["edited"] = [changed.info, [a.comment for a in changed.attributes if a.uuid == domain.uuid], len(changed.attributes)]
attribute.comment = "by itself"
attribute.to_ids = False
attribute = misp.update_attribute(attribute)
told["edited_attribute"] = [attribute.comment, attribute.to_ids]
told["deleted_attribute"] = misp.delete_attribute(several[1].uuid)["message"]
told["deleted_object"] = misp.delete_object(another)["message"]
told["published"] = misp.publish(event)["name"]
read = misp.get_event(event)
told["after"] = [read.published, len(read.attributes), len(read.objects)]
told["unknown"] = misp.get_event("00000000-0000-4000-8000-000000000000")["errors"][0]

session = requests.Session()
session.headers["Authorization"] = f"Bearer {token}"
manifest = session.get(f"{feed}manifest.json").json()
place = Path(directory)
for uuid in manifest:
    (place / f"{uuid}.json").write_bytes(session.get(f"{feed}{uuid}.json").content)
    MISPEvent().load_file(str(place / f"{uuid}.json"))
hashes = session.get(f"{feed}hashes.csv").text
feed_meta_generator(place)
made = json.loads((place / "manifest.json").read_text())
told["feed"] = {
    "events": len(manifest),
    "same": all(made[u]["info"] == m["info"] and str(made[u]["timestamp"]) == m["timestamp"] for u, m in manifest.items()),
    "keys": sorted(made) == sorted(manifest),
    "hashes": sorted(set(hashes.split())) == sorted(set((place / "hashes.csv").read_text().split())),
    "orgs": sorted({m["Orgc"]["name"] for m in manifest.values()}),
}

told["deleted"] = misp.delete_event(event)["message"]
told["gone"] = [misp.event_exists(event), len(misp.search("attributes", value="walk.evil-cdn.example"))]

# A whole event of somebody else's, as a file, in and out.
given = MISPEvent()
given.load_file(event_file)
given.distribution = 1
kept = misp.add_event(given)
told["given"] = [len(kept.attributes), len(given.attributes), len(kept.objects), len(kept.galaxies), len(kept.event_reports)]
told["given_same"] = sorted(a.value for a in kept.attributes) == sorted(a.value for a in given.attributes)

told["complaints"] = complaints
told["seconds"] = time.monotonic() - began
print(json.dumps(told))
