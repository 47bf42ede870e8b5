//! Tests of the whole way: there and back without loss, checked by the house's own STIX tables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::export::Objects;
use super::feed::{self, Manifest};
use super::formats::{self, COLUMNS, found_in};
use super::*;
use crate::stix;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/misp/event.json")
}

fn now() -> Timestamp {
    Timestamp::parse("2026-02-01T00:00:00Z").unwrap()
}

fn options() -> Options {
    Options { now: now(), audience: Audience::Community }
}

fn origin() -> Origin {
    Origin { name: "Luxembourg".into(), uuid: Uuid::from_u128(7), distribution: 1, sharing_group: None }
}

fn objects(made: &Made) -> Objects {
    made.objects.iter().map(|made| (made.id.to_string(), made.object.clone())).collect()
}

/// There and back through the text of STIX.
fn back(event: &Event) -> Event {
    let made = to_stix(event, &options());
    let bundle: Value = serde_json::from_slice(&made.to_bundle()).unwrap();
    let all: Objects = bundle["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| (object["id"].as_str().unwrap().to_owned(), object.as_object().unwrap().clone()))
        .collect();
    to_event(&all[made.report.as_str()], &all, &origin())
}

/// Where two values differ, path by path.
fn differences(path: &str, a: &Value, b: &Value, out: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for key in x.keys().chain(y.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{path}.{key}");
                match (x.get(key), y.get(key)) {
                    (Some(x), Some(y)) => differences(&path, x, y, out),
                    (Some(_), None) => out.push(format!("{path}: lost")),
                    _ => out.push(format!("{path}: added")),
                }
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            for (at, (x, y)) in x.iter().zip(y).enumerate() {
                differences(&format!("{path}[{at}]"), x, y, out);
            }
        }
        _ if a != b => out.push(format!("{path}: {a} became {b}")),
        _ => {}
    }
}

/// The events of the sample and of the large public files, if there are any.
fn files() -> Vec<PathBuf> {
    let mut files = vec![sample()];
    if let Some(data) = std::env::var_os("SHIELDWALL_DATA") {
        let directory = PathBuf::from(data).join("misp");
        let mut more: Vec<PathBuf> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        more.sort();
        files.extend(more);
    }
    files
}

#[test]
fn every_event_comes_back_field_by_field_and_every_object_is_good_stix() {
    let (mut events, mut attributes, mut indicators, mut none) = (0, 0, 0, Vec::new());
    let mut told = Vec::new();
    for path in files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(read) = read_events(&std::fs::read(&path).unwrap()) else {
            none.push(name);
            continue;
        };
        for event in read {
            let made = to_stix(&event, &options());
            let bundle = made.to_bundle();
            let checked = stix::read_bundle(&bundle).unwrap();
            assert!(checked.refused.is_empty(), "{name}: {:#?}", checked.refused);
            assert_eq!(checked.accepted.len(), made.objects.len());
            let known: BTreeSet<&str> = made.objects.iter().map(|made| made.id.as_str()).collect();
            for id in made.objects.iter().flat_map(|made| export::needs(&made.object)) {
                assert!(known.contains(id), "{name}: {id} is referred to and not there");
            }
            assert_eq!(known.len(), made.objects.len(), "{name}: no two objects have one id");
            events += 1;
            attributes += event.attributes().count();
            indicators += checked.accepted.iter().filter(|object| object.indicator.is_some()).count();
            differences(
                &name,
                &Value::Object(event.node.clone()),
                &Value::Object(back(&event).node),
                &mut told,
            );
        }
    }
    println!(
        "{events} events with {attributes} attributes, {indicators} of them indicators; no event in: {none:?}\ndifferences: {told:#?}"
    );
    assert!(told.is_empty(), "{told:#?}");
    // The one file of the public set that is a list of birthdays and no event at all.
    none.retain(|name| name != "eset-dnsbirthday-rqz-dnsduvel_blocklist.json");
    assert!(none.is_empty(), "{none:?}");
}

#[test]
fn the_sample_maps_as_the_table_says() {
    let event = read_events(&std::fs::read(sample()).unwrap()).unwrap().pop().unwrap();
    let made = to_stix(&event, &options());
    let count = made.objects.iter().fold(BTreeMap::new(), |mut count, made| {
        *count.entry(made.id.object_type()).or_insert(0) += 1;
        count
    });
    let wanted = [
        ("indicator", 6),
        ("note", 1),
        ("relationship", 1),
        ("report", 1),
        ("sighting", 1),
        ("x-misp-attribute", 5),
        ("x-misp-galaxy", 1),
        ("x-misp-galaxy-cluster", 1),
        ("x-misp-object", 2),
        ("x-misp-organisation", 1),
        ("x-misp-sighting", 1),
    ];
    assert_eq!(count, BTreeMap::from(wanted));
    let all = objects(&made);
    let domain = all.values().find(|object| object["name"] == "loader.evil-cdn.example").unwrap();
    assert_eq!(domain["pattern"], "[domain-name:value = 'loader.evil-cdn.example']");
    assert_eq!(domain["valid_from"], "2026-01-01T05:00:00.000Z", "its offset is reckoned in");
    assert_eq!(domain["labels"], json!(["kill-chain:command-and-control"]));
    let amber = shieldwall_model::marking::Tlp::Amber.marking_id();
    assert!(
        all.values().all(|object| object["object_marking_refs"] == json!([amber])),
        "all is marked as the event"
    );
    assert_eq!(made.objects.last().unwrap().id, made.report);
}

#[test]
fn what_is_for_fewer_is_not_mentioned_to_more() {
    let event = json!({"uuid": "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01", "info": "x", "distribution": "3", "timestamp": "1767225700",
        "attribute_count": "3", "Attribute": [
        {"uuid": "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b02", "type": "domain", "value": "open.example", "to_ids": true, "distribution": "5"},
        {"uuid": "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b03", "type": "domain", "value": "own.example", "to_ids": true, "distribution": "0"}],
        "Object": [{"uuid": "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b04", "name": "o", "Attribute": [
        {"uuid": "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b05", "type": "text", "value": "own too", "distribution": 0}]}]});
    let event = Event::of(event.as_object().unwrap().clone()).unwrap();
    let made = to_stix(&event, &options());
    let own: Vec<&MadeObject> = made.objects.iter().filter(|made| made.audience == Audience::Own).collect();
    assert_eq!(own.len(), 2);
    let shared: String =
        made.objects.iter().filter(|made| made.audience != Audience::Own).map(MadeObject::to_json).collect();
    for hidden in ["own.example", "own too", "0a4f7e1c9b03", "0a4f7e1c9b05", "attribute_count"] {
        assert!(!shared.contains(hidden), "{hidden} is told to all");
    }
    let all = objects(&made);
    let mut whole = to_event(&all[made.report.as_str()], &all, &origin());
    whole.node.insert("attribute_count".into(), "3".into());
    let mut told = Vec::new();
    differences("", &event.wrapped(), &whole.wrapped(), &mut told);
    assert_eq!(told, Vec::<String>::new(), "the owner gets all of it back");
    // Whatever hangs on something of one's own is one's own.
    let mut own = event.node.clone();
    own.insert("distribution".into(), 0.into());
    assert!(
        to_stix(&Event { node: own }, &options()).objects.iter().all(|made| made.audience == Audience::Own)
    );
}

#[test]
fn a_large_event_is_a_report_of_parts_and_long_texts_go_in_pieces() {
    let attributes: Vec<Value> = (0..9_001)
        .map(|at| json!({"type": "text", "value": format!("value {at}"), "timestamp": "1767225700"}))
        .collect();
    let event = json!({"info": "large", "timestamp": "1767225700", "Attribute": attributes,
        "EventReport": [{"name": "long", "content": "é".repeat(70_000)}]});
    let event = Event::of(event.as_object().unwrap().clone()).unwrap();
    let made = to_stix(&event, &options());
    let checked = stix::read_bundle(&made.to_bundle()).unwrap();
    assert!(checked.refused.is_empty(), "{:?}", checked.refused);
    assert_eq!(made.objects.iter().filter(|made| made.id.object_type() == "grouping").count(), 3);
    assert_eq!(back(&event), event);
}

#[test]
fn events_come_in_many_wrappings() {
    let event = r#"{"info":"x","uuid":"6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01","timestamp":1767225700}"#;
    for text in [
        event.to_owned(),
        format!(r#"{{"Event":{event}}}"#),
        format!(r#"{{"response":[{{"Event":{event}}}]}}"#),
        format!(r#"{{"response":{{"Event":{event}}}}}"#),
        format!(r#"[{{"Event":{event}}}]"#),
        format!("\u{feff}{event}"),
    ] {
        let read = read_events(text.as_bytes()).unwrap();
        assert_eq!((read.len(), read[0].info()), (1, "x"), "{text}");
    }
    assert_eq!(read_events(br#"{"a":1}"#).unwrap_err().code(), "misp.shape");
    assert_eq!(read_events(br#"{"Event":"#).unwrap_err().code(), "misp.json");
    let nameless = read_events(br#"{"info":"no uuid"}"#).unwrap().pop().unwrap();
    assert_eq!(nameless.uuid(), nameless.uuid());
    assert_eq!(node::named(&node::id_number(nameless.uuid())), Some(nameless.uuid()));
}

#[test]
fn an_id_sent_back_as_a_number_is_still_that_id() {
    let uuid = Uuid::from_u128(u128::MAX - 7);
    let id = node::id_number(uuid);
    let sent =
        format!(r#"{{"id":{id},"n":-12,"f":1234.5000000000000000000,"s":"{id} \" {id}","list":[{id},1]}}"#);
    let read: Value = serde_json::from_slice(&node::long_numbers_quoted(sent.as_bytes())).unwrap();
    assert_eq!(node::named(read["id"].as_str().unwrap()), Some(uuid));
    assert_eq!(read["list"], json!([id, 1]));
    assert_eq!((&read["n"], read["f"].as_f64()), (&json!(-12), Some(1234.5)));
    assert_eq!(read["s"], format!("{id} \" {id}"));
    for text in ["", "1", "\"", "\"\\", "[1,2"] {
        assert_eq!(&*node::long_numbers_quoted(text.as_bytes()), text.as_bytes());
    }
}

#[test]
fn what_was_never_misp_goes_out_by_rule() {
    let bundle = json!({"objects": [
        {"type": "report", "spec_version": "2.1", "id": "report--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01", "created": "2026-01-01T00:00:00.000Z",
         "modified": "2026-01-02T00:00:00.000Z", "name": "Storm", "published": "2026-01-01T12:00:00Z", "labels": ["sector:energy"],
         "object_marking_refs": [shieldwall_model::marking::Tlp::Green.marking_id()],
         "object_refs": ["indicator--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b02", "malware--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b03",
            "indicator--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b04", "x-gone--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b09"]},
        {"type": "indicator", "spec_version": "2.1", "id": "indicator--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b02", "created": "2026-01-01T00:00:00.000Z",
         "modified": "2026-01-01T00:00:00.000Z", "pattern": "[ipv4-addr:value = '192.0.2.9'] OR [url:value = 'http://evil.example/a']",
         "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"},
        {"type": "malware", "spec_version": "2.1", "id": "malware--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b03", "created": "2026-01-01T00:00:00.000Z",
         "modified": "2026-01-01T00:00:00.000Z", "name": "Storm\"loader", "is_family": true},
        {"type": "indicator", "spec_version": "2.1", "id": "indicator--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b04", "created": "2026-01-01T00:00:00.000Z",
         "modified": "2026-01-01T00:00:00.000Z", "pattern": "[domain-name:value = 'stop.example']", "labels": ["kill-switch"],
         "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"},
        {"type": "sighting", "spec_version": "2.1", "id": "sighting--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b05", "created": "2026-01-03T00:00:00.000Z",
         "modified": "2026-01-03T00:00:00.000Z", "sighting_of_ref": "indicator--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b04"}]});
    let all: Objects = bundle["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| (object["id"].as_str().unwrap().to_owned(), object.as_object().unwrap().clone()))
        .collect();
    let event = to_event(&all["report--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01"], &all, &origin());
    let told: Vec<(String, String, bool)> = event
        .attributes()
        .map(|a| (node::shown(a, "type"), node::shown(a, "value"), node::flag(a, "to_ids")))
        .collect();
    let wanted = [
        ("ip-dst", "192.0.2.9", true),
        ("url", "http://evil.example/a", true),
        ("domain", "stop.example", false),
    ];
    assert_eq!(told, wanted.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c)));
    let tags: Vec<&str> = node::tags(&event.node).collect();
    assert_eq!(tags, ["tlp:green", "sector:energy", "misp-galaxy:stix-2.1-malware=\"Storm'loader\""]);
    assert_eq!(event.node["date"], "2026-01-01");
    let seen = event.attributes().last().unwrap();
    assert_eq!(seen["Sighting"][0]["date_sighting"], "1767398400");
    let loose = to_event(&all["indicator--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b04"], &all, &origin());
    assert_eq!(
        (loose.attributes().count(), node::shown(&loose.node, "uuid").as_str()),
        (1, "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b04")
    );
}

#[test]
fn a_feed_tells_what_it_holds_and_whether_it_came_whole() {
    let event = read_events(&std::fs::read(sample()).unwrap()).unwrap().pop().unwrap();
    let file = feed::event_file(&event);
    let text = String::from_utf8(file.clone()).unwrap();
    for hidden in ["\"org_id\"", "\"distribution\"", "RelatedEvent", "\"deleted\":true", "resolver"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let entry = feed::manifest_entry(&event, &file);
    let manifest = Manifest::read(&feed::manifest([(event.uuid(), &entry)])).unwrap();
    let entry = &manifest.events[&event.uuid()];
    assert_eq!(
        (entry.info.as_str(), entry.timestamp),
        ("Made up: a loader and where it calls", 1_767_225_700)
    );
    entry.check(&file).unwrap();
    assert_eq!(entry.check(b"{}").unwrap_err().code(), "misp.feed.integrity");
    assert_eq!(feed::read_event(&file).unwrap().attributes().count(), 10, "all but the deleted one");
    let known = |at| BTreeMap::from([(event.uuid(), at)]);
    assert_eq!(manifest.changed_since(&known(1_767_225_699)).count(), 1);
    assert_eq!(manifest.changed_since(&known(1_767_225_700)).count(), 0);
    let hashes = feed::hashes([&event]);
    // md5 of the value, as `printf loader.evil-cdn.example | md5sum` has it.
    assert!(hashes.contains(&format!("70067026713babd640fc1f2810df4ddf,{}\n", event.uuid())), "{hashes}");
    assert_eq!(hashes.lines().count(), 12, "each half of a composite value by itself");
    let strange = br#"{"../../etc/passwd":{},"6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01":{"info":1}}"#;
    let strange = Manifest::read(strange).unwrap();
    assert_eq!((strange.events.len(), strange.refused), (1, vec!["../../etc/passwd".to_owned()]));
    assert!(Manifest::read(b"[]").unwrap().events.is_empty());
}

#[test]
fn attributes_go_out_as_csv_text_and_rules() {
    let event = read_events(&std::fs::read(sample()).unwrap()).unwrap().pop().unwrap();
    let columns = COLUMNS.map(str::to_owned);
    let csv = formats::csv(found_in(&event), &columns, true);
    assert_eq!(csv.lines().count(), 12, "{csv}");
    assert!(csv.contains("\"l'été, \"\"quoted\"\", \\back\\\""), "{csv}");
    assert!(formats::text(found_in(&event)).lines().any(|line| line == "192.0.2.77|8443"));
    let rules = formats::suricata(found_in(&event));
    println!("{rules}");
    assert!(rules.contains("alert ip any any -> 192.0.2.77 8443"), "{rules}");
    assert!(
        rules.contains("dns.query; dotprefix; content:\".loader.evil-cdn.example\"; nocase; endswith;"),
        "{rules}"
    );
    assert!(!rules.contains("not a domain"), "{rules}");
}

#[test]
fn the_types_are_those_of_the_core_format() {
    assert_eq!(types::all().len(), 194);
    let domain = types::by_name("domain").unwrap();
    assert_eq!((domain.category, domain.to_ids), ("Network activity", true));
    assert!(
        types::all()
            .iter()
            .all(|kind| kind.categories.contains(&kind.category) || kind.categories.is_empty())
    );
    assert_eq!(types::describe()["result"]["sane_defaults"]["link"]["to_ids"], 0);
}

proptest! {
    #[test]
    fn no_value_of_any_type_makes_bad_stix_or_is_lost(
        kind in prop::sample::select(types::all().iter().map(|kind| kind.name).collect::<Vec<_>>()),
        value in prop_oneof![".{0,40}", "[a-z0-9.|:/'\\\\ -]{0,60}", "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\|[0-9]{1,6}"],
        to_ids in any::<bool>(),
    ) {
        let event = json!({"info": "x", "uuid": "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01", "timestamp": "1767225700",
            "Attribute": [{"type": kind, "value": value, "to_ids": to_ids}]});
        let event = Event::of(event.as_object().unwrap().clone()).unwrap();
        let bundle = to_stix(&event, &options()).to_bundle();
        let checked = stix::read_bundle(&bundle).unwrap();
        prop_assert!(checked.refused.is_empty(), "{:?}", checked.refused);
        prop_assert_eq!(back(&event), event);
    }
}
