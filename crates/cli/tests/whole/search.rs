//! The search language over a whole hub: every field finds what it says and nothing else, in the API, the page and the
//! command.

use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;

use crate::support::client::percent;
use crate::support::stix::bundle;
use crate::support::{Client, World};

fn object(name: &str, kind: &str, more: &Json) -> String {
    let number = name.bytes().fold(0u64, |sum, byte| sum * 31 + u64::from(byte)) % 0xffff_ffff;
    let mut object = json!({
        "type": kind, "spec_version": "2.1", "id": format!("{kind}--{number:08x}-0000-4000-8000-000000000000"),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "name": name,
    });
    if kind == "indicator" {
        object["pattern_type"] = json!("stix");
        object["valid_from"] = json!("2026-01-01T00:00:00Z");
    }
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object.to_string()
}

async fn names(client: &Client, query: &str) -> String {
    let found = client.get_json(&format!("/api/v1/objects?q={}", percent(query))).await;
    let mut names: Vec<String> = found["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names.join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_finds_what_it_says() {
    let world = World::start().await;
    let desk = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await;
    let (luxembourg, estonia) =
        (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let amber = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421";
    let author = "identity--0b6f0c1e-8f0e-4a7b-9d3e-0123456789ab";
    let ours = [
        object(
            "alpha",
            "indicator",
            &json!({"pattern": "[domain-name:value = 'a.evil.example']", "labels": ["Botnet"], "object_marking_refs": [amber]}),
        ),
        object(
            "beta",
            "indicator",
            &json!({"pattern": "[url:value = 'http://a.evil.example/x']", "valid_until": "2026-01-02T00:00:00Z"}),
        ),
        object(
            "gamma",
            "malware",
            &json!({"is_family": true, "description": "a stop switch is in it", "created_by_ref": author}),
        ),
    ];
    let path = |group: GroupId| format!("/api/v1/objects?group={group}");
    luxembourg.post(&path(GroupId::ALLIANCE), "application/json", bundle(&ours)).await.expect(200);
    let theirs = [
        object("delta", "indicator", &json!({"pattern": "[ipv4-addr:value = '192.0.2.9']", "revoked": true})),
        object(
            "epsilon",
            "tool",
            &json!({"external_references": [{"source_name": "cve", "external_id": "CVE-2017-0144"}]}),
        ),
    ];
    estonia.post(&path(desk.id), "application/json", bundle(&theirs)).await.expect(200);

    for (query, found) in [
        ("type:malware", "gamma"),
        ("type:malware type:tool", "epsilon gamma"),
        ("-type:indicator", "epsilon gamma"),
        ("type:indicator -state:revoked", "alpha beta"),
        ("state:active type:indicator", "alpha"),
        ("state:expired", "beta"),
        ("state:revoked", "delta"),
        ("state:expired state:revoked", "beta delta"),
        ("state:recalled", ""),
        ("tlp:amber", "alpha"),
        ("tlp:none type:indicator", "beta delta"),
        ("value:a[.]evil[.]example", "alpha beta"),
        ("value:hxxp://a.evil.example/x", "beta"),
        ("value:evil.example", ""),
        ("under:evil.example", "alpha beta"),
        ("under:192.0.2.0/28", "delta"),
        ("under:192.0.2.16/28", ""),
        ("value:cve-2017-0144", "epsilon"),
        ("label:BOTNET", "alpha"),
        ("role:malicious", "alpha beta delta"),
        ("owner:EE", "delta epsilon"),
        ("-owner:EE", "alpha beta gamma"),
        ("group:\"baltic desk\"", "delta epsilon"),
        ("created_by:identity--0b6f0c1e-8f0e-4a7b-9d3e-0123456789ab", "gamma"),
        ("\"stop switch\"", "gamma"),
        ("\"switch stop\"", ""),
        ("switch stop", "gamma"),
        ("type:malware -\"stop switch\"", ""),
        ("added:<2026-01-01", ""),
        ("added:>=2026-01-01 type:tool", "epsilon"),
        ("seen:>2026-01-01", ""),
    ] {
        assert_eq!(names(&luxembourg, query).await, found, "{query}");
    }

    // A sighting makes an indicator one that was seen.
    let alpha =
        luxembourg.get_json("/api/v1/objects?q=alpha").await["objects"][0]["id"].as_str().unwrap().to_owned();
    let sensor = world.token("LU", Role::Sensor).await;
    let now = world.now().to_string();
    let report = json!({"sightings": [{
        "group": GroupId::ALLIANCE, "indicator": alpha, "first_seen": now, "last_seen": now, "count": 1,
        "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": now,
    }]});
    let request = sensor
        .change(reqwest::Method::POST, "/api/v1/sightings")
        .header("idempotency-key", "seen-by-a-sensor");
    crate::support::Answer::to(request.json(&report)).await.expect(200);
    assert_eq!(names(&luxembourg, "seen:>2026-01-01").await, "alpha");
    assert_eq!(names(&luxembourg, "seen:<2026-01-01").await, "");

    let recall = json!({"group": GroupId::ALLIANCE, "reason": "a mistake"});
    luxembourg.post_json(&format!("/api/v1/objects/{alpha}/recall"), &recall).await.expect(204);
    assert_eq!(names(&luxembourg, "state:recalled").await, "alpha");
    assert_eq!(names(&luxembourg, "value:a.evil.example").await, "beta");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_cannot_be_read_says_where_and_pages_stay_within_it() {
    let world = World::start().await;
    let luxembourg = world.token("LU", Role::Analyst).await;
    for (query, code, said) in [
        ("tlp:purple", "search.value", "at character 5"),
        ("ownr:EE", "search.field", "did you mean"),
        ("owner:Atlantis", "search.owner", "Atlantis"),
        ("group:\"Iberian desk\"", "search.group", "party to"),
        ("under:perfc", "search.under", "192.0.2.0/24"),
        ("state:recalled state:active", "search.state", "by itself"),
    ] {
        let refused = luxembourg.get(&format!("/api/v1/objects?q={}", percent(query))).await.expect(400);
        assert_eq!(refused.code(), code, "{query}");
        assert!(refused.text().contains(said), "{query}: {}", refused.text());
    }
    // A group there is, and one there is not, answer alike.
    world.group("Iberian desk", "AMBER", "shown", &["ES", "PT"]).await;
    let hidden = luxembourg.get("/api/v1/objects?q=group%3A%22Iberian%20desk%22").await.expect(400).text();
    assert!(hidden.contains("search.group"), "{hidden}");
    let person = world.session("LU", Role::Analyst).await;
    let page = person.get("/intelligence?q=ownr%3AEE").await.expect(400).text();
    assert!(page.contains("did you mean") && page.contains("value=\"ownr:EE\""), "{page}");

    let objects: Vec<String> =
        (0..25).map(|number| object(&format!("tool-{number}"), "tool", &json!({}))).collect();
    luxembourg.post("/api/v1/objects", "application/json", bundle(&objects)).await.expect(200);
    let (mut seen, mut next) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let found = luxembourg.get_json(&format!("/api/v1/objects?q=type%3Atool&limit=10{next}")).await;
        seen.extend(found["objects"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
        match found["next"].as_str() {
            Some(cursor) => next = format!("&after={}", percent(cursor)),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    world.end().await;
}
