//! What the door does to objects: older ones are brought up to date, parts marked too strictly are cut out; everything
//! else keeps its bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails this way fails well"
)]

use std::borrow::Cow;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use shieldwall_exchange::role::IndicatorRole;
use shieldwall_exchange::stix::{self, Object, SpecVersion, Taken, read_bundle};
use shieldwall_model::marking::Tlp;

const ID: &str = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
const AT: &str = "2026-01-31T09:30:00.000Z";
const TLP_1: [(&str, Tlp); 4] = [
    ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear),
    ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green),
    ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber),
    ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red),
];

fn object(kind: &str, with: &Value) -> String {
    let mut whole = json!({"type": kind, "id": format!("{kind}--{ID}")});
    let fields = whole.as_object_mut().unwrap();
    fields.extend(with.as_object().unwrap().clone());
    whole.to_string()
}

/// A 2.1 domain object.
fn new(kind: &str, with: Value) -> String {
    let mut all = json!({"spec_version": "2.1", "created": AT, "modified": AT});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    object(kind, &all)
}

/// A 2.0 domain object.
fn old(kind: &str, with: Value) -> String {
    let mut all = json!({"created": AT, "modified": AT});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    object(kind, &all)
}

fn one(text: &str) -> Object {
    let checked = read_bundle(text.as_bytes()).unwrap();
    assert!(checked.refused.is_empty(), "{text}: {:?}", checked.refused);
    checked.accepted[0].clone()
}

fn upgraded(text: &str) -> Vec<(Object, Value)> {
    let taken = stix::upgrade(one(text), text.as_bytes()).unwrap();
    taken.into_iter().map(|taken| (taken.object, serde_json::from_slice(&taken.bytes).unwrap())).collect()
}

/// The codes of an object's warnings that an upgrade made.
fn codes(object: &Object) -> Vec<&'static str> {
    let codes = object.warnings.iter().map(|warning| warning.code.as_str());
    codes.filter(|code| code.starts_with("stix.upgraded")).collect()
}

#[test]
fn what_is_up_to_date_keeps_its_exact_bytes() {
    for text in include_str!("data/valid.jsonl").lines() {
        let line: Value = serde_json::from_str(text).unwrap();
        let text = format!(" {} ", line["object"]);
        let object = one(&text);
        let outdated = object.outdated;
        let slice = object.slice(text.as_bytes());
        let taken = stix::upgrade(object, slice).unwrap();
        assert_eq!(matches!(taken[0].bytes, Cow::Borrowed(_)), !outdated, "{}", line["case"]);
        if !outdated {
            assert_eq!((taken.len(), &*taken[0].bytes), (1, slice));
        }
    }
}

#[test]
fn the_kind_of_a_2_0_object_moves_out_of_its_labels() {
    let pattern = json!({"pattern": "[ipv4-addr:value = '192.0.2.7']", "valid_from": AT});
    for (kind, more, words, types) in [
        ("indicator", pattern, ["malicious-activity", "compromised"], "indicator_types"),
        ("malware", json!({"name": "Old"}), ["worm", "ransomware"], "malware_types"),
        ("tool", json!({"name": "Old"}), ["remote-access", "network-capture"], "tool_types"),
        ("threat-actor", json!({"name": "Old"}), ["spy", "hacker"], "threat_actor_types"),
        (
            "report",
            json!({"name": "Old", "published": AT, "object_refs": [format!("malware--{ID}")]}),
            ["campaign", "threat-report"],
            "report_types",
        ),
    ] {
        let mut with = more;
        with["labels"] = json!([words[0], "our-own-word", words[1]]);
        with["x_own"] = json!({"a": 1.50});
        let text = old(kind, with);
        let [(object, value)] = upgraded(&text).try_into().unwrap();
        assert_eq!(object.spec_version, SpecVersion::V21);
        assert_eq!((&value["spec_version"], &value[types]), (&json!("2.1"), &json!(words)), "{kind}");
        assert_eq!((&value["labels"], &value["x_own"]), (&json!(["our-own-word"]), &json!({"a": 1.5})));
        assert_eq!((&value["id"], &value["modified"]), (&json!(format!("{kind}--{ID}")), &json!(AT)));
        assert_eq!(codes(&object), ["stix.upgraded.2-0"]);
        assert!(!object.outdated);
    }
}

#[test]
fn what_2_1_asks_for_beyond_2_0_is_filled_in() {
    let malware = &upgraded(&old("malware", json!({"name": "Old", "labels": ["worm"]})))[0].1;
    assert_eq!((&malware["is_family"], malware.get("labels")), (&json!(true), None));
    let with = json!({"labels": ["benign"], "pattern": "[ipv4-addr:value = '192.0.2.7']", "valid_from": AT});
    let (object, indicator) = &upgraded(&old("indicator", with.clone()))[0];
    assert_eq!((&indicator["pattern_type"], &indicator["pattern_version"]), (&json!("stix"), &json!("2.0")));
    assert_eq!(object.role, Some(IndicatorRole::Suspect), "the role survives the move");
    let mut bad = with;
    bad["pattern"] = json!("[nonsense");
    let text = old("indicator", bad);
    let refused = stix::upgrade(one(&text), text.as_bytes()).unwrap_err();
    assert_eq!((refused.path.as_str(), refused.code.as_str()), ("pattern", "stix.pattern"));
    let custom = &upgraded(&old("x-own-thing", json!({"name": "n"})))[0].1;
    assert_eq!(custom["spec_version"], "2.1");
}

#[test]
fn sightings_and_relationships_keep_all_they_say() {
    let ends = json!({"relationship_type": "indicates", "source_ref": format!("indicator--{ID}"), "target_ref": format!("malware--{ID}"), "labels": ["a"]});
    let seen = json!({"sighting_of_ref": format!("indicator--{ID}"), "where_sighted_refs": [format!("identity--{ID}")], "count": 3});
    for (kind, with) in [("relationship", ends), ("sighting", seen)] {
        let text = old(kind, with);
        let (_, mut value) = upgraded(&text).remove(0);
        value.as_object_mut().unwrap().remove("spec_version");
        assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
    }
}

/// A 2.0 observed data with most of what 2.1 renamed.
fn observed(marking: &str, selectors: &[&str]) -> String {
    let mut with = json!({
        "first_observed": AT, "last_observed": AT, "number_observed": 2,
        "objects": {
            "0": {"type": "ipv4-addr", "value": "192.0.2.7", "belongs_to_refs": ["9"]},
            "1": {"type": "domain-name", "value": "evil.example", "resolves_to_refs": ["0"]},
            "2": {"type": "network-traffic", "src_ref": "1", "dst_ref": "0", "dst_port": 443, "protocols": ["tcp"],
                  "extensions": {"socket-ext": {"address_family": "AF_INET", "protocol_family": "PF_INET"}}},
            "3": {"type": "directory", "path": "C:\\Windows", "created": AT},
            "4": {"type": "file", "name": "a.exe", "hashes": {"sha256": "ed01ebfbc9eb5bbea545af4d01bf5f1071661840480439c6e5babe8e080e41aa"},
                  "parent_directory_ref": "3", "created": AT, "is_encrypted": true},
            "5": {"type": "process", "pid": 7, "name": "a", "binary_ref": "4", "created": AT, "parent_ref": "6"},
            "6": {"type": "process", "pid": 1, "child_refs": ["5"]},
            "7": {"type": "email-message", "is_multipart": true, "body_multipart": [{"body_raw_ref": "4"}]},
            "8": {"type": "ipv4-addr", "value": "192.0.2.7", "belongs_to_refs": ["9"]},
            "9": {"type": "autonomous-system", "number": 64500},
            "10": {"type": "x-own", "own_ref": "0"},
            "11": {"type": "user-account", "user_id": "7", "password_last_changed": AT},
            "12": {"type": "windows-registry-key", "key": "HKEY_LOCAL_MACHINE\\A", "modified": AT}
        }
    });
    if !marking.is_empty() {
        with["granular_markings"] = json!([{"marking_ref": marking, "selectors": selectors}]);
    }
    old("observed-data", with)
}

#[test]
fn observed_data_is_taken_apart() {
    let all = upgraded(&observed("", &[]));
    let by_type = |kind: &str| -> Vec<&Value> {
        all.iter().map(|(_, value)| value).filter(|value| value["type"] == kind).collect()
    };
    let id = |kind: &str| by_type(kind)[0]["id"].clone();
    let outer = by_type("observed-data")[0];
    assert_eq!(outer.get("objects"), None);
    assert_eq!(outer["object_refs"].as_array().unwrap().len(), 12, "equal observables are one");
    let ids: Vec<&Value> = all.iter().skip(1).map(|(_, value)| &value["id"]).collect();
    assert_eq!(outer["object_refs"].as_array().unwrap().iter().collect::<Vec<_>>(), ids);
    let traffic = by_type("network-traffic")[0];
    assert_eq!((&traffic["src_ref"], &traffic["dst_ref"]), (&id("domain-name"), &id("ipv4-addr")));
    assert_eq!(traffic["extensions"]["socket-ext"]["x_protocol_family"], "PF_INET");
    // The id the OASIS reference library (stix2 3.0.2) makes of the same content.
    assert_eq!(id("ipv4-addr"), "ipv4-addr--fe609036-dbde-52d8-a120-35d115a7d338");
    let file = by_type("file")[0];
    assert_eq!((&file["ctime"], &file["x_is_encrypted"]), (&json!(AT), &json!(true)));
    assert!(file["hashes"]["SHA-256"].is_string());
    assert_eq!(file["parent_directory_ref"], id("directory"));
    let [five, six] = by_type("process").try_into().unwrap();
    assert_eq!(
        (&five["image_ref"], &five["parent_ref"], &five["x_name"]),
        (&file["id"], &six["id"], &json!("a"))
    );
    assert_eq!((&five["created_time"], &six["child_refs"]), (&json!(AT), &json!([five["id"]])));
    assert_eq!(by_type("email-message")[0]["body_multipart"][0]["body_raw_ref"], file["id"]);
    assert_eq!(by_type("x-own")[0]["own_ref"], id("ipv4-addr"));
    assert_eq!(by_type("user-account")[0]["credential_last_changed"], AT);
    assert_eq!(by_type("windows-registry-key")[0]["modified_time"], AT);
    for (object, _) in &all {
        let open = matches!(object.object_type(), "process" | "observed-data" | "x-own" | "email-message");
        assert!(object.deterministic || open, "{:?}", object.warnings);
    }
}

#[test]
fn embedded_observables_keep_their_markings() {
    let marked = |selectors: &[&str]| upgraded(&observed(Tlp::Red.marking_id(), selectors));
    let reds =
        |all: &[(Object, Value)]| all.iter().filter(|(object, _)| object.tlp == Some(Tlp::Red)).count();
    let all = marked(&["objects.9.number", "number_observed"]);
    assert_eq!(reds(&all), 1, "the one whose part was marked is marked as a whole");
    assert_eq!(all[0].1["granular_markings"][0]["selectors"], json!(["number_observed"]));
    assert_eq!(all[0].0.parts_tlp, Some(Tlp::Red));
    let all = marked(&["objects"]);
    assert_eq!((reds(&all), all[0].0.parts_tlp), (12, None));
    let mut whole: Value = serde_json::from_str(&observed("", &[])).unwrap();
    whole["object_marking_refs"] = json!([TLP_1[2].0]);
    for (object, _) in upgraded(&whole.to_string()) {
        assert_eq!((object.tlp, object.marking_ids.len()), (Some(Tlp::Amber), 1));
        assert_eq!(object.marking_ids[0].as_str(), Tlp::Amber.marking_id());
    }
}

#[test]
fn a_reference_to_no_key_refuses_the_observed_data() {
    let with = json!({"first_observed": AT, "last_observed": AT, "number_observed": 1,
        "objects": {"0": {"type": "domain-name", "value": "a.example", "resolves_to_refs": ["7"]}}});
    let text = old("observed-data", with);
    let refused = stix::upgrade(one(&text), text.as_bytes()).unwrap_err();
    assert_eq!((refused.path.as_str(), refused.code.as_str()), ("resolves_to_refs[0]", "stix.id.form"));
}

#[test]
fn observables_that_refer_to_each_other_in_a_circle_end() {
    // Each holds all others: going through every circle would never end.
    let all: Vec<String> = (0..80).map(|n| n.to_string()).collect();
    let objects: serde_json::Map<String, Value> = all
        .iter()
        .map(|n| {
            let ext = json!({"archive-ext": {"contains_refs": all}});
            (n.clone(), json!({"type": "file", "name": format!("f{n}"), "extensions": ext}))
        })
        .collect();
    let with = json!({"first_observed": AT, "last_observed": AT, "number_observed": 1, "objects": objects});
    let all = upgraded(&old("observed-data", with));
    assert_eq!(all.len(), 81);
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|(object, _)| object.id.as_str()).collect();
    for (object, _) in &all {
        assert!(object.references.iter().all(|reference| ids.contains(reference.id.as_str())));
    }
}

#[test]
fn taking_apart_never_makes_much_of_little() {
    let marks: Vec<String> =
        (0..4_000).map(|n| format!("marking-definition--00000000-0000-4000-8000-{n:012}")).collect();
    let objects = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|n| (n.to_string(), json!({"type": "mutex", "name": format!("{n}")}))).collect()
    };
    let with = |count, marks: &[String]| {
        let mut with = json!({"first_observed": AT, "last_observed": AT, "number_observed": 1, "objects": objects(count)});
        if !marks.is_empty() {
            with["object_marking_refs"] = json!(marks);
        }
        old("observed-data", with)
    };
    for (text, code) in
        [(with(5_001, &[]), "stix.limit.references"), (with(1_000, &marks), "stix.limit.object")]
    {
        let refused = stix::upgrade(one(&text), text.as_bytes()).unwrap_err();
        assert_eq!((refused.path.as_str(), refused.code.as_str()), ("objects", code));
    }
}

#[test]
fn very_many_parts_are_cut_at_once() {
    // Quadratic work would take minutes.
    let labels: Vec<String> = (0..20_000).map(|n| format!("{n}")).collect();
    let odd = |tlp: Tlp, odd: usize| {
        let selectors: Vec<String> = (odd..20_000).step_by(2).map(|n| format!("labels.[{n}]")).collect();
        json!({"marking_ref": tlp.marking_id(), "selectors": selectors})
    };
    let text = new(
        "tool",
        json!({"name": "t", "labels": labels, "granular_markings": [odd(Tlp::Red, 1), odd(Tlp::Green, 0)]}),
    );
    let left = cut(&text, Tlp::Amber).unwrap();
    assert_eq!((left["labels"].as_array().unwrap().len(), &left["labels"][9_999]), (10_000, &json!("19998")));
    assert_eq!(left["granular_markings"][0]["selectors"][9_999], "labels.[9999]");
}

#[test]
fn tlp_1_markings_become_tlp_2() {
    for (id, tlp) in TLP_1 {
        let text = new(
            "tool",
            json!({"name": "t", "object_marking_refs": [id, tlp.marking_id(), format!("marking-definition--{ID}")],
            "granular_markings": [{"marking_ref": id, "selectors": ["name"]}, {"lang": "fr", "selectors": ["name"]}]}),
        );
        let (object, value) = upgraded(&text).remove(0);
        assert_eq!(
            value["object_marking_refs"],
            json!([tlp.marking_id(), format!("marking-definition--{ID}")])
        );
        assert_eq!(value["granular_markings"][0]["marking_ref"], tlp.marking_id());
        assert_eq!((codes(&object), object.tlp), (vec!["stix.upgraded.tlp-1"], Some(tlp)));
    }
}

#[test]
fn hash_names_get_the_standards_spelling() {
    let sha = "ed01ebfbc9eb5bbea545af4d01bf5f1071661840480439c6e5babe8e080e41aa";
    let md5 = "84c82835a5d21bbcf75a61706d8ab549";
    for (hashes, after) in [
        (json!({"sha256": sha}), json!({"SHA-256": sha})),
        (json!({"SHA256": sha, "md5": md5}), json!({"SHA-256": sha, "MD5": md5})),
        (json!({"SHA_256": sha, "SHA-256": sha.to_uppercase()}), json!({"SHA-256": sha.to_uppercase()})),
        (json!({"ssdeep": "3:a:b"}), json!({"SSDEEP": "3:a:b"})),
        (
            json!({"sha512": "ab".repeat(64), "sha3_256": sha}),
            json!({"SHA-512": "ab".repeat(64), "SHA3-256": sha}),
        ),
        (
            json!({"Sha-1": "ab".repeat(20), "imphash": md5}),
            json!({"SHA-1": "ab".repeat(20), "imphash": md5}),
        ),
    ] {
        let file = object(
            "file",
            &json!({"name": "f", "hashes": hashes,
            "extensions": {"windows-pebinary-ext": {"pe_type": "exe", "sections": [{"name": ".text", "hashes": hashes}]}}}),
        );
        let (object, value) = upgraded(&file).remove(0);
        assert_eq!(value["hashes"], after);
        assert_eq!(value["extensions"]["windows-pebinary-ext"]["sections"][0]["hashes"], after);
        assert_eq!(codes(&object), ["stix.upgraded.hash-name"]);
        assert!(!object.outdated);
    }
    // What would not be a hash under the standard's name, and what would be a second one, stays as it was sent.
    for hashes in [json!({"sha256": "not one"}), json!({"sha256": sha, "SHA-256": "ab".repeat(32)})] {
        let file = object("file", &json!({"name": "f", "hashes": hashes}));
        let taken = stix::upgrade(one(&file), file.as_bytes()).unwrap();
        assert_eq!(&*taken[0].bytes, file.as_bytes());
    }
    let file = object(
        "file",
        &json!({"hashes": {"sha256": sha, "MD5": md5},
        "granular_markings": [{"marking_ref": Tlp::Red.marking_id(), "selectors": ["hashes.sha256"]}]}),
    );
    let (_, value) = upgraded(&file).remove(0);
    assert_eq!(value["granular_markings"][0]["selectors"], json!(["hashes.SHA-256"]));
}

fn marked(tlp: Tlp, selectors: &[&str]) -> Value {
    json!({"marking_ref": tlp.marking_id(), "selectors": selectors})
}

fn cut(text: &str, ceiling: Tlp) -> Option<Value> {
    let done = stix::cut(&one(text), text.as_bytes(), ceiling).unwrap()?;
    assert!(done.taken.object.parts_tlp.is_none_or(|tlp| tlp <= ceiling));
    Some(serde_json::from_slice(&done.taken.bytes).unwrap())
}

#[test]
fn what_is_marked_too_strictly_is_cut_and_the_rest_numbered_anew() {
    let with = |granular: Value| {
        new(
            "malware",
            json!({"name": "n", "is_family": true, "description": "secret source", "aliases": ["a", "b", "c"],
            "external_references": [{"source_name": "s", "url": "https://a.example", "description": "d"}, {"source_name": "t", "description": "u"}],
            "x_own": {"inner": {"only": 1.50}, "other": 2}, "labels": ["l"], "granular_markings": granular}),
        )
    };
    let text = with(json!([
        marked(Tlp::Red, &["description", "aliases.[0]", "external_references.[0].url", "x_own.inner.only", "labels.[0]"]),
        marked(Tlp::Green, &["aliases.[1]", "description", "aliases.[2]"]),
        {"lang": "fr", "selectors": ["description", "labels"]},
        {"lang": "de", "selectors": ["aliases.[2]", "external_references.[0].url", "external_references.[1].description"]},
    ]));
    assert_eq!(cut(&text, Tlp::Red), None, "nothing is stricter than RED");
    let left = cut(&text, Tlp::Amber).unwrap();
    assert_eq!((left.get("description"), left.get("labels")), (None, None));
    assert_eq!((&left["aliases"], &left["x_own"]), (&json!(["b", "c"]), &json!({"other": 2})));
    assert_eq!(left["external_references"][0], json!({"source_name": "s", "description": "d"}));
    assert_eq!(
        left["granular_markings"],
        json!([
            marked(Tlp::Green, &["aliases.[0]", "aliases.[1]"]),
            {"lang": "de", "selectors": ["aliases.[1]", "external_references.[1].description"]},
        ])
    );
    assert!(cut(&text, Tlp::Clear).unwrap().get("aliases").is_none(), "a lower ceiling cuts more");
    let all = cut(&with(json!([marked(Tlp::Red, &["aliases"])])), Tlp::Green).unwrap();
    assert_eq!((all.get("aliases"), all.get("granular_markings")), (None, None));
    let items =
        cut(&with(json!([marked(Tlp::Red, &["aliases.[0]", "aliases.[1]", "aliases.[2]"])])), Tlp::Green);
    assert_eq!(items.unwrap().get("aliases"), None, "a list may not be left empty");
    let spelled = with(json!([marked(Tlp::Red, &["description"])]));
    let done = stix::cut(&one(&spelled), spelled.as_bytes(), Tlp::Amber).unwrap().unwrap();
    assert!(std::str::from_utf8(&done.taken.bytes).unwrap().contains("1.5"));
    assert_eq!(done.selectors, ["description"]);
}

#[test]
fn a_part_the_object_cannot_go_without_refuses_it() {
    let kill_switch = json!({"name": "n", "pattern": "[domain-name:value = 'a.example']", "pattern_type": "stix", "valid_from": AT,
        "labels": ["kill-switch"]});
    for (kind, mut with, selector, path) in [
        ("malware", json!({"is_family": true, "name": "n"}), "name", "name"),
        ("malware", json!({"is_family": true, "name": "n"}), "is_family", "is_family"),
        ("malware", json!({"is_family": true, "name": "n"}), "modified", "modified"),
        ("malware", json!({"is_family": true, "name": "n"}), "id", "id"),
        ("malware", json!({"is_family": true, "name": "n", "revoked": true}), "revoked", "revoked"),
        (
            "tool",
            json!({"name": "n", "object_marking_refs": [Tlp::Green.marking_id()]}),
            "object_marking_refs.[0]",
            "object_marking_refs[0]",
        ),
        ("tool", json!({"name": "n"}), "granular_markings", "granular_markings"),
        (
            "tool",
            json!({"name": "n", "external_references": [{"source_name": "s", "description": "d"}]}),
            "external_references.[0].source_name",
            "external_references[0].source_name",
        ),
        ("location", json!({"country": "LU"}), "country", "country"),
        ("indicator", kill_switch, "labels.[0]", "labels[0]"),
    ] {
        with["granular_markings"] = json!([marked(Tlp::Red, &[selector])]);
        let text = new(kind, with);
        let problem = stix::cut(&one(&text), text.as_bytes(), Tlp::Amber).unwrap_err();
        assert_eq!((problem.path.as_str(), problem.code.as_str()), (path, "stix.marking.required_part"));
        assert!(problem.reason.contains(selector));
    }
}

#[test]
fn a_part_no_longer_marks_the_whole() {
    let text = new(
        "tool",
        json!({"name": "n", "description": "d", "object_marking_refs": [Tlp::Green.marking_id()],
        "granular_markings": [marked(Tlp::Red, &["description"])]}),
    );
    assert_eq!((one(&text).tlp, one(&text).parts_tlp), (Some(Tlp::Green), Some(Tlp::Red)));
}

#[test]
fn equal_content_is_the_same_in_other_letters() {
    let a = r#"{"a":1,"b":["ä",{"c":null}]}"#;
    for (other, same) in [
        (r#"{ "b":["\u00e4",{"c":null}], "a":1.0 }"#, true),
        (r#"{"a":1,"b":[{"c":null},"ä"]}"#, false),
        (r#"{"a":1,"b":["ä",{"c":"null"}]}"#, false),
        (r#"{"a":1,"b":["ä",{"c":null}],"d":1}"#, false),
        (r#"{"a":2,"b":["ä",{"c":null}]}"#, false),
        ("nonsense", false),
    ] {
        assert_eq!(stix::is_same(a.as_bytes(), other.as_bytes()), same, "{other}");
    }
    assert!(
        stix::is_same(br#"["2026-01-31T09:30:00Z"]"#, br#"["2026-01-31T09:30:00.000Z"]"#),
        "a time is a time"
    );
    let old = old("malware", json!({"name": "Old", "labels": ["worm"]}));
    let new = stix::upgrade(one(&old), old.as_bytes()).unwrap().remove(0).bytes.into_owned();
    assert!(stix::is_same(old.as_bytes(), &new), "what was kept as 2.0 is what comes in again");
}

/// Objects of every kind, as they are sent: both corpora and the samples.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let lines = include_str!("data/valid.jsonl").lines().chain(include_str!("data/invalid.jsonl").lines());
    let mut texts: Vec<String> =
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["object"].to_string()).collect();
    for bundle in [include_str!("data/sample-bundle.json"), include_str!("data/sample-2.0-bundle.json")] {
        let bundle: Value = serde_json::from_str(bundle).unwrap();
        texts.extend(bundle["objects"].as_array().unwrap().iter().map(Value::to_string));
    }
    texts.push(observed(TLP_1[3].0, &["objects.4", "number_observed"]));
    texts
});

/// What must hold of whatever is accepted, whoever sent it.
fn the_door_holds(text: &str, ceiling: Tlp) {
    let Ok(checked) = read_bundle(text.as_bytes()) else { return };
    for object in checked.accepted {
        let slice = object.slice(text.as_bytes()).to_vec();
        let (id, outdated) = (object.id.clone(), object.outdated);
        let Ok(taken) = stix::upgrade(object, &slice) else { continue };
        assert_eq!(taken[0].object.id, id, "an upgraded object keeps its id");
        if !outdated {
            assert!(taken.len() == 1 && *taken[0].bytes == *slice, "what is up to date keeps its bytes");
        }
        for Taken { object, bytes } in taken {
            let again = read_bundle(&bytes).unwrap();
            assert_eq!(again.accepted.len(), 1, "what comes out is read again: {:?}", again.refused);
            let twice = stix::upgrade(again.accepted[0].clone(), &bytes).unwrap();
            assert!(twice.len() == 1 && twice[0].bytes == bytes, "what was upgraded is not changed again");
            let Ok(Some(done)) = stix::cut(&object, &bytes, ceiling) else { continue };
            let again = read_bundle(&done.taken.bytes).unwrap();
            assert_eq!(again.accepted.len(), 1, "what was cut is read again: {:?}", again.refused);
            assert!(again.accepted[0].parts_tlp.is_none_or(|tlp| tlp <= ceiling));
            assert_eq!((&again.accepted[0].id, again.accepted[0].tlp), (&object.id, object.tlp));
            assert!(done.taken.bytes.len() < bytes.len());
            assert_eq!(stix::cut(&again.accepted[0], &done.taken.bytes, ceiling).unwrap(), None);
        }
    }
}

/// A selector of anything in the object.
fn selectors(value: &Value, path: &str, all: &mut Vec<String>) {
    if !path.is_empty() {
        all.push(path.to_owned());
    }
    let dot = if path.is_empty() { "" } else { "." };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(k, v)| selectors(v, &format!("{path}{dot}{k}"), all))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, v)| selectors(v, &format!("{path}{dot}[{n}]"), all));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_same_goes_in_and_out_whatever_is_marked(
        which in any::<prop::sample::Index>(),
        marks in prop::collection::vec((any::<prop::sample::Index>(), 0usize..9), 1..6),
        ceiling in 0usize..5,
        old in any::<bool>(),
    ) {
        let mut value: Value = serde_json::from_str(which.get::<String>(&CORPUS).as_str()).unwrap();
        if let Some(fields) = value.as_object_mut() {
            if old { fields.remove("spec_version"); }
            fields.remove("granular_markings");
            let mut all = Vec::new();
            selectors(&Value::Object(fields.clone()), "", &mut all);
            if !all.is_empty() {
                let markings: Vec<Value> = marks
                    .iter()
                    .map(|(index, tlp)| {
                        let id = TLP_1.get(*tlp).map_or_else(|| Tlp::ALL[tlp - 4].marking_id(), |(id, _)| id);
                        json!({"marking_ref": id, "selectors": [index.get(&all)]})
                    })
                    .collect();
                fields.insert("granular_markings".into(), json!(markings));
            }
        }
        the_door_holds(&value.to_string(), Tlp::ALL[ceiling]);
    }

    #[test]
    fn no_damage_makes_the_door_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
        ceiling in 0usize..5,
    ) {
        let mut bytes = which.get::<String>(&CORPUS).clone().into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(text) = String::from_utf8(bytes) { the_door_holds(&text, Tlp::ALL[ceiling]); }
    }
}
