//! A MISP client that is not ours: PyMISP from the package index, unchanged, and MISP files and feeds through the binary.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;

use crate::support::binary::run_beside;
use crate::support::stix::{bundle, domain, indicator};
use crate::support::{Client, World};
use crate::taxii_client::python;

fn walk(python: &Path, world: &World, client: &Client, directory: &Path) -> Json {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(here.join("tests/clients/misp_walk.py"))
        .args([format!("{}/misp/", world.url()), format!("{}/feeds/misp/", world.url())])
        .arg(sample())
        .arg(directory)
        .env("SHIELDWALL_TOKEN", client.secret())
        .env("NO_PROXY", "*")
        .output()
        .expect("SHIELDWALL_PYTHON names a Python that runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "PyMISP failed: {told}");
    let line = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(line.trim()).unwrap_or_else(|error| panic!("{error}: {line}\n{told}"))
}

fn sample() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../exchange/tests/data/misp/event.json")
}

/// What the walk is to tell, key by key.
const WANTED: &str = r#"{
        "version": "2.5.34", "types": 194, "may_add": true,
        "added": [3, 1, 2, 1], "category": "Network activity", "exists": true, "twice": 403,
        "attribute": ["url", true, "Network activity"], "several": 2, "object": ["domain-ip", 2],
        "tagged": true, "tags": ["sector:energy"], "new_tag": "walk:new",
        "event_tags": ["sector:energy", "tlp:green"], "attribute_tags": ["phase:delivery"],
        "untagged": ["tlp:green"], "by_number": true,
        "sighted": "0", "sighted_by_value": "1", "sightings": [["0", "resolver"], ["1", ""]], "sightings_of_event": 2,
        "found": [[true, 6]], "found_attributes": ["walk.evil-cdn.example"], "found_half": ["192.0.2.44|8443"],
        "found_type": ["0123456789abcdef0123456789abcdef", "Global\\walk"], "found_like": 4,
        "found_tag": ["http://walk.evil-cdn.example/a?b=1"], "found_info": 1, "found_not": 0,
        "found_objects": ["domain-ip", "file"], "found_old": 2, "metadata": [0],
        "index": [[true, "Walk of a client"]], "events": 2,
        "csv": ["domain", 10], "csv_columns": ["domain,walk.evil-cdn.example"],
        "warned": ["8.8.8.8"], "warninglists": true,
        "edited": ["Walk of a client, told better", ["asked for once"], 7],
        "edited_attribute": ["by itself", false],
        "deleted_attribute": "Attribute deleted.", "deleted_object": "Object deleted", "published": "Event published",
        "after": [true, 6, 1], "unknown": 404,
        "feed": {"events": 2, "same": true, "keys": true, "hashes": true, "orgs": ["Luxembourg", "Spain"]},
        "deleted": "Event deleted.", "gone": [false, 0],
        "given": [9, 9, 2, 1, 1], "given_same": true
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymisp_works_unchanged() {
    let Some(python) = python("PyMISP's walk") else { return };
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let directory = world.beside("feed");
    std::fs::create_dir(&directory).expect("a directory for the feed");
    // Shared as STIX, it is in the feed as well.
    let (_, native) = indicator(
        world.member("ES").id,
        &domain("native.evil-cdn.example"),
        shieldwall_model::indicator::IndicatorRole::Malicious,
        world.now(),
    );
    let other = world.token("ES", Role::Analyst).await;
    other.post("/api/v1/objects", "application/json", bundle(&[native])).await.expect(200);
    let (world, told) = tokio::task::spawn_blocking(move || {
        let told = walk(&python, &world, &analyst, &directory);
        (world, told)
    })
    .await
    .expect("the walk ends");
    // What PyMISP logs is what the walk asks for on purpose: an event added twice, one that is not there.
    let complaints: Vec<&str> =
        told["complaints"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert_eq!(complaints.len(), 2, "{complaints:#?}");
    assert!(complaints[0].contains("already exists") && complaints[1].contains("404"), "{complaints:#?}");
    let seconds = told["seconds"].as_f64().unwrap();
    let rules = told["suricata"].as_str().unwrap();
    assert!(rules.contains("walk.evil-cdn.example") && rules.contains("192.0.2.44 8443"), "{rules}");
    let text: Vec<&str> = told["text"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert!(text.contains(&"walk.evil-cdn.example") && text.contains(&"native.evil-cdn.example"), "{text:?}");
    let wanted: Json = serde_json::from_str(WANTED).expect("JSON");
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&told[key], value, "{key} of {told:#}");
    }
    println!("PyMISP walked the face in {seconds:.2} s");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_directory_comes_in_by_its_manifest_and_goes_where_its_events_say() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let other = world.token("EE", Role::Analyst).await;
    let read = shieldwall_exchange::misp::read_events(&std::fs::read(sample()).unwrap()).unwrap();
    let event = &read[0];
    let mut own = event.clone();
    let own_uuid = "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b77";
    own.node.insert("uuid".into(), own_uuid.into());
    own.node.insert("distribution".into(), "0".into());
    own.node.insert(
        "Attribute".into(),
        json!([{"type": "domain", "value": "own.evil-cdn.example", "to_ids": true}]),
    );
    for key in ["Object", "Galaxy", "EventReport"] {
        own.node.remove(key);
    }
    let directory = world.beside("feed");
    std::fs::create_dir(&directory).unwrap();
    let mut entries = Vec::new();
    for event in [event, &own] {
        let file = event.wrapped().to_string().into_bytes();
        std::fs::write(directory.join(format!("{}.json", event.uuid())), &file).unwrap();
        entries.push((event.uuid(), shieldwall_exchange::misp::feed::manifest_entry(event, &file)));
    }
    let manifest =
        shieldwall_exchange::misp::feed::manifest(entries.iter().map(|(uuid, entry)| (*uuid, entry)));
    std::fs::write(directory.join("manifest.json"), manifest).unwrap();
    let arguments = |path: &Path| {
        [
            "feed",
            "import",
            "--hub",
            &world.url(),
            "--token",
            analyst.secret(),
            "--json",
            path.to_str().unwrap(),
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let said = run_beside(arguments(&directory)).await.expect(0).json();
    println!("{said}");
    assert_eq!((&said["summary"]["refused"], &said["summary"]["requests"]), (&json!(0), &json!(2)));
    let again = run_beside(arguments(&directory)).await.expect(0).json();
    assert_eq!(
        (&again["summary"]["accepted"], &again["summary"]["repeated"]),
        (&json!(0), &said["summary"]["accepted"])
    );
    // What was for the sender alone is the sender's alone; the rest comes back as it was.
    let path = format!("/misp/events/view/{own_uuid}");
    assert_eq!(
        analyst.get(&path).await.expect(200).json()["Event"]["Attribute"][0]["value"],
        "own.evil-cdn.example"
    );
    assert_eq!(other.get(&path).await.status, 404);
    let list = other.get_json("/misp/events/index").await;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let seen = other.get_json(&format!("/misp/events/view/{}", event.uuid())).await;
    let seen = seen["Event"].as_object().unwrap();
    for key in
        ["info", "date", "threat_level_id", "analysis", "Galaxy", "x-unknown", "timestamp", "EventReport"]
    {
        let found = if key == "EventReport" { &seen[key][0]["content"] } else { &seen[key] };
        let wanted = if key == "EventReport" { &event.node[key][0]["content"] } else { &event.node[key] };
        assert_eq!(found, wanted, "{key}");
    }
    assert_eq!(seen["Attribute"].as_array().unwrap().len(), 9);
    // A file changed after its manifest was written is not what the feed says it is.
    std::fs::write(directory.join(format!("{own_uuid}.json")), "{\"Event\":{\"info\":\"other\"}}").unwrap();
    let said = run_beside(arguments(&directory)).await.expect(2);
    assert!(said.err.contains("misp.feed.integrity"), "{}", said.err);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distribution_never_reaches_further_than_it_says() {
    let world = World::start().await;
    let desk = world.group("Desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let (us, party, stranger) = (
        world.token("LU", Role::Analyst).await,
        world.token("EE", Role::Analyst).await,
        world.token("ES", Role::Analyst).await,
    );
    let added = |event: Json| {
        let us = us.clone();
        async move { us.post_json("/misp/events/add", &json!({"Event": event})).await }
    };
    // To a sharing group of ours: its parties and nobody else, though the address names no group.
    let sharing_group = json!({"uuid": desk.uuid().to_string(), "name": "Desk"});
    let made = added(json!({"info": "for the desk", "distribution": "4", "SharingGroup": sharing_group,
        "Attribute": [{"type": "domain", "value": "desk.evil-cdn.example", "to_ids": true},
                      {"type": "domain", "value": "mine.evil-cdn.example", "to_ids": true, "distribution": "0"}]}))
    .await
    .expect(200)
    .json();
    let uuid = made["Event"]["uuid"].as_str().unwrap().to_owned();
    let view = format!("/misp/events/view/{uuid}");
    assert_eq!(made["Event"]["Attribute"].as_array().unwrap().len(), 2, "{made}");
    let theirs = party.get(&view).await.expect(200).text();
    assert!(
        theirs.contains("desk.evil-cdn.example") && !theirs.contains("mine.evil-cdn.example"),
        "{theirs}"
    );
    assert_eq!(stranger.get(&view).await.status, 404);
    // To a group that is not ours, and to one that is not: one answer.
    let hidden = world.group("Hidden", "AMBER", "shown", &["ES", "FR"]).await.id;
    let mut answers = Vec::new();
    for group in [hidden.uuid().to_string(), "00000000-0000-4000-8000-000000000000".into()] {
        let answer =
            added(json!({"info": "x", "distribution": 4, "SharingGroup": {"uuid": group}})).await.expect(403);
        answers.push(answer.text());
    }
    assert_eq!(answers[0], answers[1]);
    // Narrowed by an edit: gone from where it was.
    let narrowed =
        us.post_json(&format!("/misp/events/edit/{uuid}"), &json!({"Event": {"distribution": "0"}})).await;
    assert_eq!(narrowed.expect(200).json()["Event"]["distribution"], "0");
    assert_eq!(party.get(&view).await.status, 404);
    assert_eq!(us.get(&view).await.status, 200);
    // Only its owner changes an event, and is told so in the words PyMISP looks for.
    let made = added(json!({"info": "for all", "distribution": 3,
        "Attribute": [{"type": "domain", "value": "all.evil-cdn.example", "to_ids": true}]}))
    .await
    .expect(200)
    .json();
    // A sighting warns the others, and says in a group that names no reporters no more than that there was one.
    us.post_json("/misp/sightings/add", &json!({"value": "all.evil-cdn.example", "source": "ours"}))
        .await
        .expect(200);
    let warnings = stranger.get_json("/api/v1/warnings").await;
    assert_eq!(warnings["warnings"].as_array().unwrap().len(), 1, "{warnings}");
    let list = json!({"context": "event", "id": made["Event"]["id"]});
    let of = async |client: &Client| {
        client.post_json("/misp/sightings/listSightings", &list).await.expect(200).json()
    };
    assert_eq!(of(&us).await[0]["Sighting"]["source"], "ours");
    assert_eq!(of(&stranger).await, json!([]));
    let uuid = made["Event"]["uuid"].as_str().unwrap();
    for path in ["events/edit", "events/delete", "attributes/add", "objects/add", "events/publish"] {
        let body = json!({"info": "mine now", "type": "domain", "value": "x.example", "name": "file"});
        let answer = stranger.post_json(&format!("/misp/{path}/{uuid}"), &body).await.expect(403);
        assert_eq!(answer.json()["message"], "You do not have permission to do that.", "{path}");
    }
    world.end().await;
}

/// What this hub numbers or adds for its own clients, and what it counts anew: no part of what an event says.
const OF_THE_INSTANCE: [&str; 9] = [
    "id",
    "event_id",
    "object_id",
    "org_id",
    "orgc_id",
    "attribute_id",
    "referenced_id",
    "attribute_count",
    "Org",
];

fn without_instance(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let kept = fields.iter().filter(|(key, value)| {
                // Lists that are empty may as well not be there; tags are given a colour and leave to be exported.
                !OF_THE_INSTANCE.contains(&key.as_str())
                    && **value != json!([])
                    && !(fields.contains_key("name") && ["colour", "exportable"].contains(&key.as_str()))
            });
            kept.map(|(key, value)| (key.clone(), without_instance(value))).collect()
        }
        Json::Array(items) => items.iter().map(without_instance).collect(),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_out_of_a_hub_as_they_went_in() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let mut files = vec![sample()];
    if let Some(data) = std::env::var_os("SHIELDWALL_DATA") {
        let directory = std::fs::read_dir(PathBuf::from(data).join("misp")).unwrap();
        files.extend(directory.map(|entry| entry.unwrap().path()));
    }
    let (mut events, mut objects, mut attributes, began) = (0, 0, 0, std::time::Instant::now());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(read) = shieldwall_exchange::misp::read_events(&bytes) else { continue };
        let report = analyst.post("/api/v1/objects", "application/json", bytes).await.expect(200).json();
        assert_eq!(report["refused"], json!([]), "{}", file.display());
        objects += report["accepted"].as_u64().unwrap();
        for event in read {
            let path = format!("/misp/events/view/{}", event.uuid());
            let seen = analyst.get(&path).await.expect(200).json();
            let (found, wanted) =
                (without_instance(&seen["Event"]), without_instance(&Json::Object(event.node.clone())));
            let keys = |value: &Json| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys(&found), keys(&wanted), "{}", file.display());
            for (key, value) in wanted.as_object().unwrap() {
                assert_eq!(&found[key], value, "{key} of {}", file.display());
            }
            events += 1;
            attributes += event.attributes().count();
        }
    }
    println!(
        "{events} events, {attributes} attributes, {objects} objects in and out of a hub in {:.2} s",
        began.elapsed().as_secs_f64()
    );
    world.end().await;
}
