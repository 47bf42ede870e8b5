//! What the hub's door does to intelligence: older objects are brought up to date, parts are cut out for a group that may
//! not carry them, and nobody changes what is another's, what is revoked, or what was said already.

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::marking::Tlp;

use crate::support::stix::bundle;
use crate::support::{Answer, Client, World};

const TAXII: &str = "application/taxii+json;version=2.1";
const AT: &str = "2026-01-31T09:30:00.000Z";
const LATER: &str = "2026-02-01T09:30:00.000Z";

/// An object of that type; its id ends in `number`.
fn object(kind: &str, number: u32, with: Json) -> Json {
    let mut whole = json!({
        "type": kind, "spec_version": "2.1", "id": format!("{kind}--00000000-0000-4000-8000-{number:012}"),
        "created": AT, "modified": AT, "name": format!("object {number}"),
    });
    whole.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    whole
}

async fn share(client: &Client, group: GroupId, objects: &[Json]) -> Json {
    let texts: Vec<String> = objects.iter().map(Json::to_string).collect();
    let path = format!("/api/v1/objects?group={group}");
    client.post(&path, "application/json", bundle(&texts)).await.json()
}

/// Everything a collection holds, in all versions, oldest first.
async fn held(client: &Client, group: GroupId) -> Vec<Json> {
    let path = format!("/taxii2/api/collections/{}/objects/?match[version]=all", group.uuid());
    let answer = Answer::to(client.request(Method::GET, &path).header("accept", TAXII)).await.expect(200);
    answer.json()["objects"].as_array().cloned().unwrap_or_default()
}

fn counts(report: &Json) -> (u64, u64, usize) {
    let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{report}"));
    (count("accepted"), count("repeated"), report["refused"].as_array().unwrap().len())
}

fn refusal(report: &Json) -> (&str, &str) {
    let first = &report["refused"][0];
    (first["path"].as_str().unwrap_or("none"), first["code"].as_str().unwrap_or("none"))
}

fn warned(report: &Json, code: &str) -> bool {
    report["warnings"].as_array().unwrap().iter().any(|warning| warning["code"] == code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_marked_too_strictly_never_reaches_the_group() {
    let world = World::start().await;
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let (sender, reader) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let home = GroupId::home_of(world.member("LU").id);
    let marked = |selectors: Json| {
        json!({"is_family": true, "description": "told by the umbrella source", "aliases": ["umbrella", "open"],
            "object_marking_refs": [Tlp::Green.marking_id()],
            "granular_markings": [{"marking_ref": Tlp::Red.marking_id(), "selectors": selectors}]})
    };
    let whole = object("malware", 1, marked(json!(["description", "aliases.[0]"])));
    let report = share(&sender, group, std::slice::from_ref(&whole)).await;
    assert_eq!(counts(&report), (1, 0, 0), "{report}");
    assert!(warned(&report, "stix.marking.cut"), "{report}");
    let for_all = object(
        "malware",
        1,
        json!({"is_family": true, "aliases": ["open"], "object_marking_refs": [Tlp::Green.marking_id()]}),
    );
    assert_eq!(
        (held(&reader, group).await, held(&sender, group).await),
        (vec![for_all.clone()], vec![for_all])
    );
    assert_eq!(
        held(&sender, home).await,
        std::slice::from_ref(&whole),
        "the sender's member keeps the whole"
    );
    for path in ["/api/v1/objects?text=umbrella", "/api/v1/ledger/entries", "/api/v1/objects"] {
        assert!(!reader.get(path).await.expect(200).text().contains("umbrella"), "{path}");
    }
    assert!(sender.get("/api/v1/objects?text=umbrella").await.expect(200).text().contains(&home.to_string()));
    let again = share(&sender, group, std::slice::from_ref(&whole)).await;
    assert_eq!(counts(&again), (0, 1, 0), "{again}");
    assert_eq!(held(&sender, home).await.len(), 1, "nothing is kept twice");
    // In one's own log everything may stand.
    let own = share(&sender, home, &[object("malware", 2, marked(json!(["name"])))]).await;
    assert_eq!(counts(&own), (1, 0, 0), "{own}");
    let refused = share(&sender, group, &[object("malware", 3, marked(json!(["name"])))]).await;
    assert_eq!(refusal(&refused), ("name", "stix.marking.required_part"));
    let mut red = whole;
    red["object_marking_refs"] = json!([Tlp::Red.marking_id()]);
    let refused = share(&sender, group, &[red]).await;
    assert_eq!(refusal(&refused), ("object_marking_refs", "stix.marking.too_strict"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_of_stix_2_0_is_kept_as_2_1_and_known_again() {
    let world = World::start().await;
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let sender = world.token("LU", Role::Analyst).await;
    let old = |kind: &str, number, with| {
        let mut object = object(kind, number, with);
        object.as_object_mut().unwrap().remove("spec_version");
        object
    };
    let objects = [
        old(
            "malware",
            1,
            json!({"labels": ["worm"], "object_marking_refs": ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"]}),
        ),
        old(
            "indicator",
            2,
            json!({"labels": ["malicious-activity"], "pattern": "[ipv4-addr:value = '192.0.2.7']", "valid_from": AT}),
        ),
        old(
            "observed-data",
            3,
            json!({"first_observed": AT, "last_observed": AT, "number_observed": 1, "objects": {
                "0": {"type": "ipv4-addr", "value": "192.0.2.7"},
                "1": {"type": "domain-name", "value": "a.example", "resolves_to_refs": ["0"]}}}),
        ),
    ];
    let report = share(&sender, group, &objects).await;
    assert_eq!(counts(&report), (5, 0, 0), "{report}");
    assert!(warned(&report, "stix.upgraded.2-0") && warned(&report, "stix.upgraded.tlp-1"), "{report}");
    let kept = held(&sender, group).await;
    assert!(kept.iter().all(|object| object["spec_version"] == "2.1"));
    assert_eq!(kept[0]["object_marking_refs"], json!([Tlp::Amber.marking_id()]));
    assert_eq!(kept[2]["object_refs"], json!([kept[3]["id"], kept[4]["id"]]));
    let again = share(&sender, group, &objects).await;
    assert_eq!(counts(&again), (0, 5, 0), "the same bundle twice is repeated: {again}");
    let other = share(&world.token("EE", Role::Analyst).await, group, &objects[2..]).await;
    assert_eq!((counts(&other), refusal(&other)), ((0, 2, 1), ("id", "stix.owner.other")), "{other}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_never_changes_and_nobody_changes_anothers() {
    let world = World::start().await;
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let (owner, other) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let first = object("tool", 1, json!({"description": "a"}));
    assert_eq!(counts(&share(&owner, group, std::slice::from_ref(&first)).await), (1, 0, 0));
    let changed = object("tool", 1, json!({"description": "b"}));
    let report = share(&owner, group, std::slice::from_ref(&changed)).await;
    assert_eq!((counts(&report), refusal(&report)), ((0, 0, 1), ("modified", "stix.version.conflict")));
    let twice =
        [object("tool", 2, json!({"description": "a"})), object("tool", 2, json!({"description": "b"}))];
    let report = share(&owner, group, &twice).await;
    assert_eq!((counts(&report), refusal(&report)), ((1, 0, 1), ("modified", "stix.version.conflict")));
    // Claiming to be somebody is harmless: the owner is who shared it.
    let claimed = json!({"created_by_ref": "identity--00000000-0000-4000-8000-000000000099", "modified": LATER, "revoked": true});
    let report = share(&other, group, &[object("tool", 1, claimed)]).await;
    assert_eq!(refusal(&report), ("id", "stix.owner.other"), "nobody revokes another's: {report}");
    // An older version is history and never becomes the latest.
    let newest = object("tool", 3, json!({"modified": LATER, "name": "newest"}));
    let older = object("tool", 3, json!({"name": "older"}));
    assert_eq!(counts(&share(&owner, group, std::slice::from_ref(&newest)).await), (1, 0, 0));
    assert_eq!(counts(&share(&owner, group, std::slice::from_ref(&older)).await), (1, 0, 0));
    let id = newest["id"].as_str().unwrap();
    let path = format!("/taxii2/api/collections/{}/objects/{id}/", group.uuid());
    let latest =
        Answer::to(owner.request(Method::GET, &path).header("accept", TAXII)).await.expect(200).json();
    assert_eq!(latest["objects"], json!([newest]));
    // Revoking is for good.
    let revoked = object("tool", 4, json!({"modified": LATER, "revoked": true}));
    let after = object("tool", 4, json!({"modified": "2026-02-02T09:30:00.000Z"}));
    let report = share(&owner, group, &[revoked, after.clone()]).await;
    assert_eq!((counts(&report), refusal(&report)), ((1, 0, 1), ("modified", "stix.version.revoked")));
    let report = share(&owner, group, &[after]).await;
    assert_eq!(refusal(&report), ("modified", "stix.version.revoked"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observable_belongs_to_nobody() {
    let world = World::start().await;
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let (first, second) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let address = json!({"type": "ipv4-addr", "id": "ipv4-addr--fe609036-dbde-52d8-a120-35d115a7d338", "value": "192.0.2.7"});
    assert_eq!(counts(&share(&first, group, std::slice::from_ref(&address)).await), (1, 0, 0));
    assert_eq!(
        counts(&share(&second, group, std::slice::from_ref(&address)).await),
        (0, 1, 0),
        "both saw the same one"
    );
    let mut more = address.clone();
    more["defanged"] = json!(false);
    let report = share(&second, group, &[more]).await;
    assert!(counts(&report) == (0, 1, 0) && warned(&report, "stix.unversioned.held"), "{report}");
    // Under an id that is not its own, an observable is somebody's like any object: nobody takes another's place.
    let squatted = json!({"type": "ipv4-addr", "id": "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4", "value": "192.0.2.66"});
    assert_eq!(counts(&share(&first, group, &[squatted]).await), (1, 0, 0));
    let genuine = json!({"type": "ipv4-addr", "id": "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4", "value": "198.51.100.3"});
    assert_eq!(refusal(&share(&second, group, &[genuine]).await), ("id", "stix.owner.other"));
    world.end().await;
}
