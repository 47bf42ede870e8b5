//! Correlation: what shares something with an object is found, says why, is bounded, and tells nothing of others' groups.

use serde_json::{Value as Json, json};
use shieldwall_ledger::accounts::Offline;
use shieldwall_ledger::postings::postings_size;
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::realm::Realm;

use crate::support::stix::bundle;
use crate::support::{Client, World};

/// An observable; a full stop in its id's name is a place for a number.
fn observable(world: &World, kind: &str, body: &Json) -> (String, String) {
    let id = format!("{kind}--{:08x}-0000-4000-8000-000000000000", world.number() + 1);
    let mut object = json!({"type": kind, "spec_version": "2.1", "id": id});
    for (name, value) in body.as_object().unwrap() {
        object[name] = value.clone();
    }
    (id, object.to_string())
}

/// An indicator of this pattern, and its id.
fn indicator(world: &World, pattern: &str) -> (String, String) {
    let id = format!("indicator--{:08x}-0000-4000-8000-000000000000", world.number() + 1);
    let object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id, "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z", "pattern": pattern, "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z", "name": format!("about {pattern}"),
    });
    (id, object.to_string())
}

async fn share(client: &Client, group: GroupId, objects: &[String]) {
    let path = format!("/api/v1/objects?group={group}");
    let report = client.post(&path, "application/json", bundle(objects)).await.expect(200).json();
    assert_eq!(report["accepted"], objects.len(), "{report}");
}

/// Ids, strongest first, each with its ties.
async fn related(client: &Client, id: &str) -> Vec<(String, Vec<String>)> {
    let found = client.get_json(&format!("/api/v1/objects/{id}/related")).await;
    let ties = |one: &Json| {
        let why = one["why"].as_array().unwrap().iter();
        why.map(|why| format!("{} {}", why["tie"].as_str().unwrap(), why["shared"].as_str().unwrap()))
            .collect()
    };
    let related = found["related"].as_array().unwrap().iter();
    related.map(|one| (one["id"].as_str().unwrap().to_owned(), ties(one))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_knows_what_it_shares_and_with_what() {
    let world = World::start().await;
    let (luxembourg, estonia) =
        (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let (c2, one) =
        indicator(&world, "[domain-name:value = 'c2.evil.example' OR ipv4-addr:value = '192.0.2.7']");
    let (page, two) = indicator(&world, "[url:value = 'http://c2.evil.example/gate.php']");
    let (net, three) = indicator(&world, "[ipv4-addr:value = '192.0.2.0/26']");
    let (side, four) = observable(&world, "domain-name", &json!({"value": "other.evil.example"}));
    let (far, five) = observable(&world, "ipv4-addr", &json!({"value": "192.0.2.200"}));
    let (_, six) = observable(&world, "ipv4-addr", &json!({"value": "198.51.100.1"}));
    share(&luxembourg, GroupId::ALLIANCE, &[one]).await;
    share(&estonia, GroupId::ALLIANCE, &[two, three, four, five, six]).await;

    let found = related(&luxembourg, &c2).await;
    let why = |id: &str| found.iter().find(|(one, _)| one == id).map(|(_, why)| why.join(", "));
    assert_eq!(why(&page).as_deref(), Some("same-host c2.evil.example, same-site evil.example"));
    assert_eq!(why(&net).as_deref(), Some("in-network 192.0.2.0/26, neighbours 192.0.2.0/24"));
    assert_eq!(why(&side).as_deref(), Some("same-site evil.example"));
    assert_eq!(why(&far).as_deref(), Some("neighbours 192.0.2.0/24"));
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(found[0].0, page, "the same host tells most");
    let found = related(&luxembourg, &net).await;
    assert_eq!(
        found,
        [(c2.clone(), vec!["holds-address 192.0.2.0/26".to_owned()])],
        "and the other way round"
    );

    let person = world.session("LU", Role::Analyst).await;
    let shown = person.get(&format!("/intelligence/{c2}")).await.expect(200).text();
    assert!(shown.contains("Same host") && shown.contains("c2.evil.example/gate.php"), "{shown}");

    let recall = json!({"group": GroupId::ALLIANCE, "reason": "a mistake"});
    estonia.post_json(&format!("/api/v1/objects/{page}/recall"), &recall).await.expect(204);
    assert!(related(&luxembourg, &c2).await.iter().all(|(id, _)| *id != page), "what was recalled is gone");
    assert_eq!(related(&luxembourg, &page).await, [], "and has nothing in common any more");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn correlation_tells_nothing_of_groups_one_is_not_party_to() {
    let world = World::start().await;
    let theirs = world.group("Iberian desk", "AMBER", "shown", &["ES", "PT"]).await;
    let (luxembourg, spain) =
        (world.token("LU", Role::Analyst).await, world.token("ES", Role::Analyst).await);
    let (mine, object) =
        indicator(&world, "[domain-name:value = 'c2.evil.example' OR ipv4-addr:value = '192.0.2.7']");
    let (_, other) = indicator(&world, "[domain-name:value = 'c2.evil.example']");
    share(&luxembourg, GroupId::ALLIANCE, &[object, other]).await;
    let look = async || {
        let mut seen = Vec::new();
        for path in [
            format!("/api/v1/objects/{mine}/related"),
            "/api/v1/objects?q=value%3Ac2.evil.example".into(),
            "/api/v1/objects?q=under%3A192.0.2.0%2F24".into(),
        ] {
            seen.push(luxembourg.get(&path).await.expect(200).text());
        }
        seen
    };
    let before = look().await;
    assert!(before[0].contains("same-host"), "{}", before[0]);
    let mut hidden = vec![indicator(&world, "[ipv4-addr:value = '192.0.2.0/25']").1];
    for _ in 0..150 {
        let pattern = "[domain-name:value = 'c2.evil.example' OR ipv4-addr:value = '192.0.2.7']";
        hidden.push(indicator(&world, pattern).1);
    }
    share(&spain, theirs.id, &hidden).await;
    assert_eq!(look().await, before, "nothing of what others share among themselves");
    let (theirs_id, again) = indicator(&world, "[domain-name:value = 'c2.evil.example']");
    share(&spain, theirs.id, &[again]).await;
    let hidden = luxembourg.get(&format!("/api/v1/objects/{theirs_id}/related")).await.expect(404);
    let absent = "indicator--0b6f0c1e-8f0e-5a7b-9d3e-0123456789ab";
    let nothing = luxembourg.get(&format!("/api/v1/objects/{absent}/related")).await.expect(404);
    assert_eq!(hidden.text(), nothing.text());
    // Whoever is party sees them, as a number: so many share it that none is named.
    let seen = spain.get_json(&format!("/api/v1/objects/{theirs_id}/related")).await;
    let common = seen["common"].as_array().unwrap();
    let host = common.iter().find(|one| one["tie"] == "same-host").expect("a heavy hitter");
    assert_eq!((&host["sharing"], &host["more"]), (&json!(153), &json!(false)), "{seen}");
    let search = host["search"].as_str().unwrap();
    let path = format!("/api/v1/objects?limit=1000&q={}", crate::support::client::percent(search));
    assert_eq!(spain.get_json(&path).await["objects"].as_array().unwrap().len(), 153);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_grows_with_objects_and_not_with_pairs() {
    let world = World::start().await;
    let luxembourg = world.token("LU", Role::Analyst).await;
    let (mut shared, mut sizes, mut last) = (0, Vec::new(), String::new());
    for until in [400, 1_200] {
        let objects: Vec<String> = (shared..until)
            .map(|number| {
                let heavy = number % 4;
                let (id, object) = indicator(
                    &world,
                    &format!(
                        "[domain-name:value = 'host.site{number}.example' OR ipv4-addr:value = '198.51.{heavy}.1']"
                    ),
                );
                last = id;
                object
            })
            .collect();
        share(&luxembourg, GroupId::ALLIANCE, &objects).await;
        shared = until;
        let size = postings_size(&Offline, &world.data(), &Realm::Real).expect("the size of the postings");
        sizes.push((size.objects, size.postings));
    }
    // A name, its registrable domain, an address and a role each: never a row for a pair, of which there are 179,400.
    assert_eq!(sizes, [(400, 4 * 400), (1_200, 4 * 1_200)]);
    let seen = luxembourg.get_json(&format!("/api/v1/objects/{last}/related")).await;
    assert_eq!(seen["related"], json!([]), "so many are not listed");
    let value = seen["common"].as_array().unwrap().iter().find(|one| one["tie"] == "same-value");
    assert_eq!(value.unwrap()["sharing"], 300, "{seen}");
    world.end().await;
}
