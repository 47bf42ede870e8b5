//! Reading whole inputs: containers, exact bytes, descriptions, limits; real data where it is at hand.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails this way fails well"
)]

use std::path::PathBuf;

use proptest::prelude::*;
use shieldwall_exchange::role::IndicatorRole;
use shieldwall_exchange::stix::{
    Checked, Container, SpecVersion, StixError, UNVERSIONED, read_bundle, read_envelope, upgrade,
};
use shieldwall_model::limits::{
    ENVELOPE_OBJECTS_MAX, JSON_DEPTH_MAX, OBJECT_BYTES_MAX, PATTERN_BYTES_MAX, REFERENCES_MAX,
    STRING_BYTES_MAX,
};
use shieldwall_model::marking::Tlp;

const SAMPLE: &[u8] = include_bytes!("data/sample-bundle.json");
const SAMPLE_2_0: &[u8] = include_bytes!("data/sample-2.0-bundle.json");
const ID: &str = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

/// The big public data sets where the machine has them, and our own sample always.
fn data_sets() -> Vec<(String, Vec<u8>)> {
    let mut sets = vec![("sample".to_owned(), SAMPLE.to_vec())];
    let Some(root) = std::env::var_os("SHIELDWALL_DATA").map(PathBuf::from) else { return sets };
    for folder in ["attack", "stix"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "json") {
                sets.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    assert!(sets.len() >= 7, "SHIELDWALL_DATA is set but holds {} bundles", sets.len() - 1);
    sets
}

/// What must hold of every input, whatever its objects are.
fn consistent(input: &[u8], checked: &Checked) {
    let mut end = 0;
    for object in &checked.accepted {
        assert!(object.bytes.start >= end && object.bytes.end <= input.len());
        end = object.bytes.end;
        let slice = object.slice(input);
        let value: serde_json::Value = serde_json::from_slice(slice).unwrap();
        assert_eq!(value["id"], object.id.as_str());
        assert_eq!(value["type"], object.object_type());
    }
    let mut indexes: Vec<usize> = checked.accepted.iter().map(|object| object.index).collect();
    indexes.extend(checked.refused.iter().map(|refusal| refusal.index));
    indexes.sort_unstable();
    assert!(indexes.iter().copied().eq(0..indexes.len()), "every object is accepted or refused, once");
}

#[test]
fn public_data_is_accepted_whole_and_byte_for_byte() {
    for (name, input) in data_sets() {
        let checked = read_bundle(&input).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&input).unwrap();
        let objects = value["objects"].as_array().unwrap();
        assert!(checked.refused.is_empty(), "{name}: {:?}", checked.refused.first());
        assert_eq!(checked.accepted.len(), objects.len(), "{name}");
        consistent(&input, &checked);
        for object in &checked.accepted {
            let slice = object.slice(&input);
            let taken =
                upgrade(object.clone(), slice).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            assert!(
                object.outdated || *taken[0].bytes == *slice,
                "{name}: what is up to date keeps its bytes"
            );
        }
        for (object, value) in checked.accepted.iter().zip(objects) {
            assert_eq!(serde_json::from_slice::<serde_json::Value>(object.slice(&input)).unwrap(), *value);
            if let Some(title) = value["name"].as_str() {
                assert!(title.starts_with(object.title.as_str()) || title.len() > 200, "{name} {title}");
            }
            if object.object_type() == "relationship" {
                let relationship = object.relationship.as_ref().unwrap();
                assert_eq!(value["source_ref"], relationship.source.as_str());
                assert_eq!(value["target_ref"], relationship.target.as_str());
            }
            assert_eq!(object.indicator.is_some(), object.object_type() == "indicator");
        }
    }
}

#[test]
fn an_object_is_described_as_the_product_asks() {
    let checked = read_bundle(SAMPLE).unwrap();
    let by_type = |wanted: &str| {
        checked.accepted.iter().filter(|object| object.object_type() == wanted).collect::<Vec<_>>()
    };
    let indicators = by_type("indicator");
    let stop = indicators[0];
    assert_eq!(
        (stop.title.as_str(), stop.role, stop.tlp),
        ("stop switch", Some(IndicatorRole::KillSwitch), Some(Tlp::Amber))
    );
    assert_eq!(stop.indicator.as_ref().unwrap().pattern, "[domain-name:value = 'stop.example']");
    assert_eq!(stop.created_by.as_ref().unwrap().object_type(), "identity");
    let hash = indicators[1];
    assert_eq!(hash.parts_tlp, Some(Tlp::Red), "a marking on a part, TLP 1 too");
    assert!(hash.tlp < Some(Tlp::Red), "counts for the part alone");
    assert_eq!(hash.marking_ids.len(), 2);
    assert_eq!(hash.role, Some(IndicatorRole::Malicious));
    assert_eq!(
        hash.indicator.as_ref().unwrap().valid_until.unwrap().to_string(),
        "2027-01-31T09:30:00.000000Z"
    );
    assert!(hash.title.starts_with("[file:hashes"));
    let technique = by_type("attack-pattern")[0];
    assert_eq!(
        technique.text.lines().collect::<Vec<_>>(),
        [
            "Exploitation of Remote Services",
            "A worm uses a flaw in a file service.",
            "“Quoted” → 🛡",
            "sample",
            "lateral-movement",
            "sample",
            "S1210",
            "Windows",
            "1.10"
        ]
    );
    let bytes = std::str::from_utf8(technique.slice(SAMPLE)).unwrap();
    assert!(bytes.contains("1.50"), "numbers keep their spelling");
    let tactic = by_type("x-sample-tactic")[0];
    let held: Vec<&str> = tactic.references.iter().map(|reference| &*reference.property).collect();
    assert_eq!(held, ["created_by_ref", "x_sample_order_refs"]);
    let indicates = by_type("relationship")[1].relationship.as_ref().unwrap();
    assert_eq!((indicates.label.as_str(), &indicates.source), ("indicates", &stop.id));
}

#[test]
fn stix_2_0_is_taken_as_it_is() {
    let checked = read_bundle(SAMPLE_2_0).unwrap();
    assert_eq!(checked.accepted.len(), 3, "{:?}", checked.refused);
    for object in &checked.accepted {
        assert_eq!(object.spec_version, SpecVersion::V20);
        assert!(object.warnings.is_empty(), "the bundle says 2.0: {:?}", object.warnings);
    }
    assert_eq!(checked.accepted[0].indicator.as_ref().unwrap().pattern_type, "stix");
}

#[test]
fn deterministic_ids_are_those_other_tools_make() {
    // Ids as the OASIS reference library (stix2 3.0.2) makes them.
    for object in [
        r#"{"type":"file","id":"file--d1e837f5-10d9-58d8-91c9-eba3d1a95193","hashes":{"SHA-256":"ed01ebfbc9eb5bbea545af4d01bf5f1071661840480439c6e5babe8e080e41aa"},"name":"tasksche.exe","size":7}"#,
        r#"{"type":"domain-name","id":"domain-name--c995bf24-b06e-536d-833f-11a6560eff15","value":"ex\u00e4mple.com\"\\"}"#,
        r#"{"type":"network-traffic","id":"network-traffic--6cd6f0ef-c0fe-5953-8216-e72074b2c20f","start":"2026-01-31T09:30:00Z","dst_ref":"ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd","dst_port":445,"protocols":["ipv4","tcp"]}"#,
        r#"{"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"}"#,
        r#"{"type":"file","id":"file--4cad39e0-58c4-51eb-9767-c7e91f7f5d00","name":"a","extensions":{"windows-pebinary-ext":{"pe_type":"exe","sections":[{"name":".text","entropy":6.5}]}}}"#,
        r#"{"type":"windows-registry-key","id":"windows-registry-key--6ee75dab-6d42-55b1-bdbd-3a199dac74c8","key":"HKEY_LOCAL_MACHINE\\System","values":[{"name":"Foo","data_type":"REG_SZ","data":"q"}]}"#,
    ] {
        let checked = read_bundle(object.as_bytes()).unwrap();
        assert!(checked.accepted[0].warnings.is_empty(), "{:?}", checked.accepted[0].warnings);
        let digit = object.find("--").unwrap() + 2;
        let mut other = object.to_owned();
        other.replace_range(digit..=digit, "0");
        let checked = read_bundle(other.as_bytes()).unwrap();
        assert_eq!(checked.accepted[0].warnings[0].code.as_str(), "stix.id.not-deterministic");
    }
}

fn mutex(name: &str) -> String {
    format!(r#"{{"type":"mutex","id":"mutex--{ID}","name":"{name}"}}"#)
}

#[test]
fn every_container_is_read_and_named() {
    let one = mutex("m");
    let bundle = format!(r#"{{"objects":[{one}],"id":"bundle--{ID}","type":"bundle"}}"#);
    let cases = [
        (bundle, Container::Bundle, 1),
        (format!(r#"{{"type":"bundle","id":"bundle--{ID}"}}"#), Container::Bundle, 0),
        (
            format!(r#"{{"more":true,"next":"7","objects":[{one}]}}"#),
            Container::Envelope { more: true, next: Some("7".into()) },
            1,
        ),
        ("{}".into(), Container::Envelope { more: false, next: None }, 0),
        (one.clone(), Container::Single, 1),
        (format!("\u{feff} {one}\r\n"), Container::Single, 1),
        (format!("[{one},{one}]"), Container::Array, 2),
        ("[]".into(), Container::Array, 0),
    ];
    for (input, container, count) in cases {
        let checked = read_bundle(input.as_bytes()).unwrap();
        assert_eq!((&checked.container, checked.accepted.len()), (&container, count), "{input}");
        assert!(checked.warnings.is_empty());
        consistent(input.as_bytes(), &checked);
    }
    assert_eq!(read_bundle(one.as_bytes()).unwrap().accepted[0].version, UNVERSIONED);
}

#[test]
fn paths_begin_where_the_object_stands() {
    let bad = format!(r#"{{"type":"mutex","id":"mutex--{ID}","name":7,"x-y":1}}"#);
    for (input, path, also) in [
        (bad.clone(), "name", "x-y"),
        (format!("[{},{bad}]", mutex("m")), "[1].name", "[1].x-y"),
        (format!(r#"{{"objects":[{},{bad}]}}"#, mutex("m")), "objects[1].name", "objects[1].x-y"),
    ] {
        let checked = read_bundle(input.as_bytes()).unwrap();
        let refusal = &checked.refused[0];
        assert_eq!((refusal.path.as_str(), refusal.also[0].path.as_str()), (path, also));
        assert_eq!(refusal.id.as_deref(), Some(format!("mutex--{ID}").as_str()));
    }
}

#[test]
fn a_bundle_without_an_id_is_taken_with_a_warning() {
    let input = format!(r#"{{"type":"bundle","objects":[{}]}}"#, mutex("m"));
    let checked = read_bundle(input.as_bytes()).unwrap();
    assert_eq!(checked.accepted.len(), 1);
    assert_eq!(checked.warnings[0].code.as_str(), "stix.container");
}

#[test]
fn one_bad_object_costs_no_good_one_its_place() {
    let input = format!(
        r#"{{"objects":[{},7,{{"type":"mutex","type":"mutex"}},[],null,{{"a":"\ud800"}},{{"a":1e999}},{}]}}"#,
        mutex("a"),
        mutex("b")
    );
    let checked = read_bundle(input.as_bytes()).unwrap();
    let codes: Vec<&str> = checked.refused.iter().map(|refusal| refusal.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "stix.object.form",
            "stix.json.duplicate-key",
            "stix.object.form",
            "stix.object.form",
            "stix.json",
            "stix.json"
        ]
    );
    assert_eq!(checked.refused[1].path, "objects[2].type");
    assert_eq!(checked.refused[4].path, "objects[5].a");
    assert_eq!(checked.accepted.iter().map(|object| object.index).collect::<Vec<_>>(), [0, 7]);
    consistent(input.as_bytes(), &checked);
}

#[test]
fn limits_refuse_by_name() {
    let own = |body: String| format!(r#"{{"type":"x-own","id":"x-own--{ID}",{body}}}"#);
    let deep = |levels: usize| own(format!(r#""x_a":{}1{}"#, "[".repeat(levels), "]".repeat(levels)));
    let wide = (0..40).map(|n| format!(r#""k{n:03}":1"#)).collect::<Vec<_>>().join(",");
    let refs =
        |count: usize| own(format!(r#""x_refs":[{}]"#, vec![format!(r#""x-own--{ID}""#); count].join(",")));
    let indicator = |pattern: usize| {
        format!(
            r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--{ID}","created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","valid_from":"2026-01-31T09:30:00.000Z","pattern_type":"stix","pattern":"[file:name = '{}']"}}"#,
            "a".repeat(pattern - 16)
        )
    };
    let text = |bytes: usize| own(format!(r#""x_a":"{}""#, "a".repeat(bytes)));
    let large = |bytes: usize| {
        let object = own(format!(r#""x_a":[{}"x"]"#, format!(r#""{}","#, "a".repeat(60_000)).repeat(20)));
        object.chars().take(bytes).collect::<String>()
    };
    for (input, expected) in [
        (deep(JSON_DEPTH_MAX - 1), None),
        (deep(JSON_DEPTH_MAX), Some("stix.limit.depth")),
        (deep(100_000), Some("stix.limit.depth")),
        (text(STRING_BYTES_MAX), None),
        (text(STRING_BYTES_MAX + 1), Some("stix.limit.string")),
        (refs(REFERENCES_MAX), None),
        (refs(REFERENCES_MAX + 1), Some("stix.limit.references")),
        (indicator(PATTERN_BYTES_MAX), None),
        (indicator(PATTERN_BYTES_MAX + 1), Some("stix.limit.pattern")),
        (own(wide.clone()), None),
        (own(format!(r#"{wide},"k007":2"#)), Some("stix.json.duplicate-key")),
    ] {
        let checked = read_bundle(format!("[{input}]").as_bytes()).unwrap();
        let code = checked.refused.first().map(|refusal| refusal.code.as_str());
        assert_eq!(code, expected, "{}", input.chars().take(120).collect::<String>());
    }
    let marked = format!(
        r#""object_marking_refs":[{}]"#,
        vec![format!(r#""marking-definition--{ID}""#); 9_000].join(",")
    );
    let checked = read_bundle(own(marked).as_bytes()).unwrap();
    assert_eq!(checked.refused[0].code.as_str(), "stix.limit.references");
    let huge = large(usize::MAX);
    assert!(huge.len() > OBJECT_BYTES_MAX);
    let checked = read_bundle(format!("[{huge}]").as_bytes()).unwrap();
    assert_eq!(checked.refused[0].code.as_str(), "stix.limit.object");
    let many = format!("[{}]", vec!["1"; ENVELOPE_OBJECTS_MAX + 1].join(","));
    assert!(matches!(read_envelope(many.as_bytes()), Err(StixError::TooMany)));
    assert_eq!(read_bundle(many.as_bytes()).unwrap().refused.len(), ENVELOPE_OBJECTS_MAX + 1);
}

#[test]
fn an_object_of_very_many_properties_is_still_looked_up_at_once() {
    // As wide as an object may be, every property unknown and selected: quadratic work would take minutes.
    let fields: Vec<String> = (0..30_000).map(|n| format!(r#""p{n:05}":1"#)).collect();
    let selectors: Vec<String> = (0..30_000).map(|n| format!(r#""p{n:05}""#)).collect();
    let object = format!(
        r#"{{"type":"tool","spec_version":"2.1","id":"tool--{ID}","created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","name":"t",{},"granular_markings":[{{"lang":"fr","selectors":[{}]}}]}}"#,
        fields.join(","),
        selectors.join(",")
    );
    assert!(object.len() < OBJECT_BYTES_MAX);
    let checked = read_bundle(object.as_bytes()).unwrap();
    assert_eq!(checked.accepted.len(), 1, "{:?}", checked.refused);
    assert_eq!(checked.accepted[0].warnings.len(), 16, "warnings are bounded");
}

#[test]
fn what_cannot_be_read_says_why() {
    for (input, code) in [
        (&b"\xff{}"[..], "stix.input.utf8"),
        (b"{", "stix.input.json"),
        (b"", "stix.input.json"),
        (b"{} {}", "stix.input.json"),
        (b"7", "stix.input.shape"),
        (b"\"x\"", "stix.input.shape"),
        (br#"{"objects":[],"objects":[]}"#, "stix.input.json"),
    ] {
        let error = read_bundle(input).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().len() > 20);
    }
}

/// JSON-like text that gets past the first brace more often than random bytes do.
fn json_like() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        "[a-zA-Z0-9 _-]{0,12}".prop_map(|s| format!("{s:?}")),
        Just(format!("\"indicator--{ID}\"")),
        Just("\"2026-01-31T09:30:00.000Z\"".to_owned()),
        Just("\"indicator\"".to_owned()),
    ];
    let key = prop_oneof![
        Just("type"),
        Just("id"),
        Just("objects"),
        Just("extensions"),
        Just("granular_markings"),
        Just("selectors"),
        Just("object_refs"),
        Just("hashes"),
        Just("name"),
        Just("pattern"),
        Just("created"),
        Just("labels"),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(checked) = read_bundle(&input) { consistent(&input, &checked); }
    }

    #[test]
    fn no_json_makes_it_panic(input in json_like()) {
        let wrapped = format!("{{\"objects\":[{input}]}}");
        for text in [input, wrapped] {
            if let Ok(checked) = read_bundle(text.as_bytes()) { consistent(text.as_bytes(), &checked); }
        }
    }

    #[test]
    fn a_damaged_bundle_never_gives_damaged_objects(at in 0usize..SAMPLE.len(), byte in any::<u8>()) {
        let mut input = SAMPLE.to_vec();
        input[at] = byte;
        if let Ok(checked) = read_bundle(&input) { consistent(&input, &checked); }
    }
}
