//! What members' tools send and get: lists, formats, indicators made from values, TAXII's queries and envelopes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails this way fails well"
)]

use proptest::prelude::*;
use shieldwall_exchange::entries::Recalled;
use shieldwall_exchange::format::{Format, FormatError, format_of};
use shieldwall_exchange::indicator::{self, ContextKind, IndicatorDraft, SightingDraft};
use shieldwall_exchange::list::{self, read_csv, read_plain};
use shieldwall_exchange::role::{EXTENSION_DEFINITION, EXTENSION_ID, IndicatorRole};
use shieldwall_exchange::stix::read_bundle;
use shieldwall_exchange::taxii::{
    Endpoint, EnvelopeWriter, ErrorResource, MEDIA_TYPE, Query, TaxiiError, VersionMatch, accepts,
    check_content_type, pieces,
};
use shieldwall_model::directory::{Member, MemberKind};
use shieldwall_model::id::MemberId;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::pattern;
use shieldwall_watch::value::{Kind, Value, detect, refang};

fn member() -> MemberId {
    "identity--0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

const VALUES: [(Kind, &str); 18] = [
    (Kind::Ipv4, "192.0.2.1"),
    (Kind::Ipv6, "2001:db8::1"),
    (Kind::Cidr4, "192.0.2.0/24"),
    (Kind::Cidr6, "2001:db8::/32"),
    (Kind::IpPort, "192.0.2.1:9001"),
    (Kind::IpPort, "[2001:db8::1]:443"),
    (Kind::Domain, "evil.example"),
    (Kind::Url, "http://evil.example/a'b\\c?d=e"),
    (Kind::Email, "o'hara@evil.example"),
    (Kind::Md5, "84c82835a5d21bbcf75a61706d8ab549"),
    (Kind::Sha1, "5ff465afaabcbf0150d1a3ab2c2e74f3a4426467"),
    (Kind::Sha256, "ed01ebfbc9eb5bbea545af4d01bf5f1071661840480439c6e5babe8e080e41aa"),
    (Kind::Ja3, "84c82835a5d21bbcf75a61706d8ab549"),
    (Kind::Ja4, "t13d1516h2_8daaf6152771_b186095e22b6"),
    (Kind::FileName, "c:\\windows\\it's\\tasksche.exe"),
    (Kind::FileName, "tasksche.exe"),
    (Kind::CryptoAddress, "13AM4VW2dhxYgXeQepoHkHSQuy6NgaEb94"),
    (Kind::CryptoAddress, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
];

#[test]
fn every_kind_of_value_goes_into_a_pattern_and_comes_back() {
    for (kind, text) in VALUES {
        let value = Value::new(kind, text).unwrap();
        let pattern = indicator::pattern(&value);
        assert_eq!(pattern::values(&pattern).unwrap(), [value], "{pattern}");
    }
}

fn draft(value: &Value, role: IndicatorRole) -> IndicatorDraft<'_> {
    IndicatorDraft {
        member: member(),
        value,
        role,
        name: None,
        created: at("2026-01-31T09:30:00.123456Z"),
        modified: at("2026-01-31T09:30:00.123456Z"),
        valid_from: at("2026-01-31T09:30:00Z"),
        valid_until: Some(at("2026-03-31T09:30:00Z")),
        confidence: Some(85),
        labels: &[],
        marking: Some(Tlp::Amber),
    }
}

#[test]
fn an_indicator_made_is_valid_says_its_role_and_keeps_its_id() {
    for (kind, text) in VALUES {
        for role in IndicatorRole::ALL {
            let value = Value::new(kind, text).unwrap();
            let draft = draft(&value, role);
            let json = draft.to_json();
            let checked = read_bundle(json.as_bytes()).unwrap();
            let object = checked.accepted.first().unwrap_or_else(|| panic!("{:?}", checked.refused));
            assert!(object.warnings.is_empty(), "{:?}", object.warnings);
            assert_eq!((object.role, object.tlp, &object.id), (Some(role), Some(Tlp::Amber), &draft.id()));
            assert_eq!(object.created_by.as_ref().unwrap().to_string(), member().to_string());
            let later = IndicatorDraft { modified: at("2027-01-01T00:00:00Z"), ..draft };
            assert_eq!(later.id(), object.id);
        }
    }
}

#[test]
fn an_indicator_is_written_like_this() {
    let value = Value::new(Kind::Domain, "iuqerfsodp9ifjaposdfjhgosurijfaewrwergwea.com").unwrap();
    let written = draft(&value, IndicatorRole::KillSwitch).to_json();
    assert_eq!(written, include_str!("data/indicator.json").trim_end());
    let other = MemberId::from_uuid(uuid::Uuid::from_u128(7));
    assert_ne!(
        IndicatorDraft { member: other, ..draft(&value, IndicatorRole::KillSwitch) }.id(),
        draft(&value, IndicatorRole::KillSwitch).id()
    );
}

#[test]
fn the_other_objects_made_are_valid_too() {
    let value = Value::new(Kind::Domain, "evil.example").unwrap();
    let (now, indicator) = (at("2026-01-31T09:30:00Z"), draft(&value, IndicatorRole::Malicious).id());
    let family = indicator::context_id(ContextKind::Malware, member(), " WannaCry ");
    assert_eq!(family, indicator::context_id(ContextKind::Malware, member(), "wannacry"));
    let nation = Member {
        id: member(),
        name: "Luxembourg".into(),
        kind: MemberKind::Nation,
        country: Some("LU".into()),
        sectors: vec!["government".into()],
    };
    let sighting = SightingDraft {
        id: &format!("sighting--{}", uuid::Uuid::from_u128(9)).parse().unwrap(),
        member: member(),
        named: true,
        of: &indicator,
        first_seen: now,
        last_seen: now.plus_seconds(60),
        count: u64::MAX,
        created: now,
        modified: now,
        marking: None,
    };
    let unnamed = SightingDraft { named: false, ..sighting.clone() }.to_json();
    assert!(!unnamed.contains(&member().to_string()), "{unnamed}");
    for json in [
        indicator::context(ContextKind::Malware, member(), "WannaCry", now, Some(Tlp::Green)),
        indicator::context(ContextKind::IntrusionSet, member(), "Lazarus", now, None),
        indicator::context(ContextKind::Campaign, member(), "May 2017", now, None),
        indicator::relationship(member(), &indicator, "indicates", &family, now, None),
        indicator::identity(&nation, now),
        sighting.to_json(),
        unnamed,
        EXTENSION_DEFINITION.to_owned(),
    ] {
        let checked = read_bundle(json.as_bytes()).unwrap();
        assert_eq!(checked.accepted.len(), 1, "{json}: {:?}", checked.refused);
        assert!(checked.accepted[0].warnings.is_empty(), "{json}: {:?}", checked.accepted[0].warnings);
    }
    assert!(EXTENSION_DEFINITION.contains(EXTENSION_ID));
}

fn role_of(properties: &str) -> Option<IndicatorRole> {
    let json = format!(
        r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","valid_from":"2026-01-31T09:30:00Z","pattern_type":"stix","pattern":"[url:value = 'http://a.example/']"{properties}}}"#
    );
    read_bundle(json.as_bytes()).unwrap().accepted[0].role
}

#[test]
fn a_role_is_read_with_the_least_harmful_reading_first() {
    let extension = |role: &str| {
        format!(
            r#","extensions":{{"{EXTENSION_ID}":{{"extension_type":"property-extension","role":"{role}"}}}}"#
        )
    };
    for (properties, role) in [
        (String::new(), IndicatorRole::Malicious),
        (extension("vaccine"), IndicatorRole::Vaccine),
        (extension("from-a-later-version"), IndicatorRole::Suspect),
        (format!(r#"{},"labels":["kill-switch"]"#, extension("malicious")), IndicatorRole::Malicious),
        (
            r#","labels":["Kill Switch"],"indicator_types":["malicious-activity"]"#.into(),
            IndicatorRole::KillSwitch,
        ),
        (r#","labels":["suspect","killswitch"]"#.into(), IndicatorRole::KillSwitch),
        (r#","labels":["do_not_block"]"#.into(), IndicatorRole::KillSwitch),
        (r#","labels":["no kill switch known"]"#.into(), IndicatorRole::Malicious),
        (r#","indicator_types":["benign"]"#.into(), IndicatorRole::Suspect),
        (r#","indicator_types":["benign","malicious-activity"]"#.into(), IndicatorRole::Malicious),
        (r#","indicator_types":["compromised"]"#.into(), IndicatorRole::VictimInfrastructure),
        (r#","indicator_types":["anonymization"]"#.into(), IndicatorRole::Suspect),
    ] {
        assert_eq!(role_of(&properties), Some(role), "{properties}");
    }
    assert!(IndicatorRole::ALL.iter().filter(|role| role.may_be_blocked()).eq([&IndicatorRole::Malicious]));
    assert_eq!("killswitch".parse::<IndicatorRole>().unwrap_err().code(), "model.indicator_role.unknown");
}

#[test]
fn a_plain_list_is_read_line_by_line() {
    let input = "\u{feff}# heading\r\n\r\nhxxp://evil[.]example/a#b\r\n192.0.2[.]1 # c2\r\n; note\r\n// note\r\nnot a value\r\nEVIL.example // parked\n84c82835a5d21bbcf75a61706d8ab549";
    let list = read_plain(input.as_bytes()).unwrap();
    let got: Vec<(usize, Kind, String)> =
        list.items.iter().map(|item| (item.line, item.value.kind(), item.value.to_string())).collect();
    let kinds: Vec<(usize, Kind)> = got.iter().map(|(line, kind, _)| (*line, *kind)).collect();
    assert_eq!(kinds, [(3, Kind::Url), (4, Kind::Ipv4), (8, Kind::Domain), (9, Kind::Md5)]);
    assert_eq!(got[2].2, "evil.example");
    assert_eq!(list.refused.len(), 1);
    assert_eq!((list.refused[0].line, list.refused[0].code), (7, "list.line.no-value"));
    assert!(list.refused[0].reason.contains("not a value"));
}

#[test]
fn bad_lines_cost_no_good_ones_their_place() {
    let mut input = b"192.0.2.1\n\xff\xfe\n".to_vec();
    input.extend(std::iter::repeat_n(b'a', 70_000));
    input.extend_from_slice(b"\n192.0.2.2\n");
    let list = read_plain(&input).unwrap();
    assert_eq!(list.items.len(), 2);
    let codes: Vec<(usize, &str)> = list.refused.iter().map(|refusal| (refusal.line, refusal.code)).collect();
    assert_eq!(codes, [(2, "list.line.utf8"), (3, "list.line.too-long")]);
}

#[test]
fn csv_columns_are_found() {
    let with_header = "type,value,family\ndomain-name,dharmi-yoga.example,android_fakeapp\nipv4-addr:port,192.0.2.24:58609,netsupport\nja3,84c82835a5d21bbcf75a61706d8ab549,x\nbad,???,y\n";
    let list = read_csv(with_header.as_bytes()).unwrap();
    let got: Vec<(usize, Kind, Option<&str>)> =
        list.items.iter().map(|item| (item.line, item.value.kind(), item.label.as_deref())).collect();
    assert_eq!(
        got,
        [
            (2, Kind::Domain, Some("android_fakeapp")),
            (3, Kind::IpPort, Some("netsupport")),
            (4, Kind::Ja3, Some("x"))
        ],
        "the column of kinds tells a JA3 from an MD5"
    );
    assert_eq!((list.refused.len(), list.refused[0].line), (1, 5));
    for (input, values) in [
        ("2026-01-31;192.0.2.1;scanner\n2026-02-01;192.0.2.2;scanner\n", 2),
        ("# comment\n\"evil.example\",\"a, b\"\n\"bad.example\",\"c\"\n", 2),
        ("first_seen\tindicator\tmalware\n2026\thxxps://evil[.]example/\tX\n", 1),
        ("\u{feff}indicator,label\r\nevil.example,\r\n", 1),
    ] {
        let list = read_csv(input.as_bytes()).unwrap();
        assert_eq!((list.items.len(), list.refused.len()), (values, 0), "{input:?} {:?}", list.refused);
    }
    assert_eq!(read_csv(b"a,b\nc,d\n").unwrap_err().code(), "list.no-value-column");
    assert_eq!(read_csv(b"").unwrap_err().code(), "list.no-value-column");
}

#[test]
fn a_file_is_told_by_its_content() {
    for (input, format) in [
        (&br#"{"type":"bundle","id":"b","objects":[]}"#[..], Format::Stix),
        (br#"{"objects":[]}"#, Format::Stix),
        (b"\xef\xbb\xbf  {\"type\": \"indicator\"}", Format::Stix),
        (br#"[{"type":"indicator"}]"#, Format::Stix),
        (br#"{"Event":{"uuid":"x"}}"#, Format::Misp),
        (br#"{"response":[{"Event":{}}]}"#, Format::Misp),
        (b"type,value,family\ndomain-name,evil.example,x\n", Format::Csv),
        (b"#c\n1;192.0.2.1\n2;192.0.2.2\n", Format::Csv),
        (b"evil.example\n192.0.2.1\n", Format::Plain),
        (b"# list, of things\nevil.example\nhxxp://a[.]example/x,y\nb.example\n", Format::Plain),
        (b"; a; b\nevil.example\n", Format::Plain),
        (b"[2001:db8::1]:443\n", Format::Plain),
    ] {
        assert_eq!(format_of(input), Ok(format), "{}", String::from_utf8_lossy(input));
    }
    for (input, error) in [
        (&b""[..], FormatError::Empty),
        (b" \n", FormatError::Empty),
        (b"\x1f\x8b\x08", FormatError::Compressed("gzip")),
        (b"\x28\xb5\x2f\xfd", FormatError::Compressed("zstd")),
        (b"PK\x03\x04", FormatError::Compressed("zip")),
        (br#"{"56bf399d-c46c-4fdb-a9cf-d9bb02de0b81":{"info":"x"}}"#, FormatError::Manifest),
        (b"<?xml version='1.0'?>", FormatError::Xml),
        (br#"{"a":1}"#, FormatError::OtherJson),
        (b"MZ\x00\x01", FormatError::Binary),
    ] {
        assert_eq!(format_of(input), Err(error));
    }
}

#[test]
fn real_misp_events_are_named_as_such() {
    let own = br#"{"Event":{"info":"sample","Attribute":[]}}"#.to_vec();
    let mut events = vec![own];
    if let Some(root) = std::env::var_os("SHIELDWALL_DATA") {
        for entry in std::fs::read_dir(std::path::Path::new(&root).join("misp")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "json") {
                events.push(std::fs::read(path).unwrap());
            }
        }
    }
    for event in events {
        let value: serde_json::Value = serde_json::from_slice(&event).unwrap();
        let is_event = value.get("Event").is_some() || value.get("response").is_some();
        let expected = if is_event { Ok(Format::Misp) } else { Err(FormatError::OtherJson) };
        assert_eq!(format_of(&event), expected);
    }
}

#[test]
fn media_types_are_negotiated() {
    for accept in [
        None,
        Some(""),
        Some(MEDIA_TYPE),
        Some("application/taxii+json; version=2.1"),
        Some("application/taxii+json"),
        Some("*/*"),
        Some("application/*;q=0.5"),
        Some("application/json"),
        Some("text/html, */*;q=0.1"),
        Some("APPLICATION/TAXII+JSON;VERSION=\"2.1\""),
        Some("application/taxii+json;version=2.0, application/taxii+json;version=2.1"),
    ] {
        assert_eq!(accepts(accept), Ok(()), "{accept:?}");
    }
    for accept in [
        "text/html",
        "application/taxii+json;version=2.0",
        "application/vnd.oasis.taxii+json",
        "*/*;q=0",
        "application/stix+json",
    ] {
        let error = accepts(Some(accept)).unwrap_err();
        assert_eq!(
            (error.http_status(), error.resource().http_status.as_deref()),
            (406, Some("406")),
            "{accept}"
        );
    }
    for content_type in [MEDIA_TYPE, "application/taxii+json", "application/json; charset=utf-8"] {
        assert_eq!(check_content_type(Some(content_type)), Ok(()));
    }
    for content_type in [None, Some("text/plain"), Some("application/taxii+json;version=2.0")] {
        assert_eq!(check_content_type(content_type), Err(TaxiiError::UnsupportedMediaType));
    }
}

#[test]
fn a_full_query_is_understood_and_each_endpoint_takes_its_own() {
    let pairs = [
        ("added_after", "2026-01-31T09:30:00Z"),
        ("limit", "5"),
        ("next", "abc"),
        ("match[id]", "a--1,b--2"),
        ("match[type]", "indicator,malware"),
        ("match[version]", "first,2026-01-31T09:30:00.123Z,last"),
        ("match[spec_version]", "2.0,2.1"),
        ("utm_source", "x"),
    ];
    let full = Query::parse(Endpoint::Objects, pairs).unwrap();
    assert_eq!(full.added_after, Some(at("2026-01-31T09:30:00.000000Z")));
    assert_eq!((full.limit, full.page_items(), full.next.as_deref()), (Some(5), 5, Some("abc")));
    let millis = VersionMatch::At(at("2026-01-31T09:30:00.123Z"));
    assert_eq!(full.versions, [VersionMatch::First, millis, VersionMatch::Last]);
    let refused = Query::parse(Endpoint::Objects, [("limit", "0")]).unwrap_err();
    assert!(refused.http_status() == 400 && refused.to_string().contains("limit"), "{refused}");
    for (endpoint, name, taken) in [
        (Endpoint::Object, "match[version]", true),
        (Endpoint::Versions, "match[spec_version]", true),
        (Endpoint::Delete, "match[version]", true),
        (Endpoint::Delete, "match[type]", false),
        (Endpoint::Manifest, "match[type]", true),
        (Endpoint::Manifest, "match[name]", false),
    ] {
        assert_eq!(Query::parse(endpoint, [(name, "all")]).is_ok(), taken, "{endpoint:?} {name}");
    }
    assert_eq!(
        Query::parse(Endpoint::Delete, [("limit", "0")]).unwrap(),
        Query::default(),
        "not a parameter there"
    );
}

#[test]
fn envelopes_are_copied_together() {
    let write = |objects: &[&str], next: Option<&str>| {
        let mut writer = EnvelopeWriter::new(Vec::new());
        for object in objects {
            writer.push(object.as_bytes()).unwrap();
        }
        String::from_utf8(writer.finish(next).unwrap()).unwrap()
    };
    assert_eq!(write(&[], None), "{}");
    assert_eq!(write(&["{\"a\": 1.50}"], None), r#"{"objects":[{"a": 1.50}],"more":false}"#);
    assert_eq!(write(&["{}", "{}"], Some("a\"b")), r#"{"objects":[{},{}],"more":true,"next":"a\"b"}"#);
    assert_eq!(write(&[], Some("n")), r#"{"more":true,"next":"n"}"#);
}

#[test]
fn an_error_resource_has_the_standards_names() {
    let error = ErrorResource::new("Parameter not understood", 400, "taxii.parameter", "do this");
    assert_eq!(
        serde_json::to_string(&error).unwrap(),
        r#"{"title":"Parameter not understood","description":"do this","error_code":"taxii.parameter","http_status":"400"}"#
    );
}

#[test]
fn recalls_go_to_the_log_and_back() {
    let recalled = Recalled {
        id: "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f".parse().unwrap(),
        reason: "false positive".into(),
        replaced_by: None,
    };
    assert_eq!(
        recalled.to_body(),
        br#"{"id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","reason":"false positive"}"#
    );
    assert_eq!(Recalled::from_body(&recalled.to_body()).unwrap(), recalled);
    assert_eq!(Recalled::from_body(b"{}").unwrap_err().code(), "exchange.entry.body");
}

proptest! {
    #[test]
    fn no_bytes_make_lists_or_formats_panic(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let (plain, csv) = (read_plain(&input), read_csv(&input));
        prop_assert!(plain.is_ok());
        for list in [plain.ok(), csv.ok()].into_iter().flatten() {
            prop_assert!(list.items.len() + list.refused.len() <= input.len() + 1);
        }
        prop_assert!(format_of(&input).map_or_else(|error| !error.code().is_empty(), |_| !input.is_empty()));
    }

    #[test]
    fn what_is_defanged_reads_back(host in "[a-z]{1,8}(\\.[a-z]{2,8}){0,2}\\.(com|example)", path in "(/[a-z0-9]{0,6}){0,3}", kind in 0usize..4) {
        let (kind, text) = match kind {
            0 => (Kind::Domain, host),
            1 => (Kind::Url, format!("https://{host}/x{path}")),
            2 => (Kind::Email, format!("a.b@{host}")),
            _ => (Kind::Ipv4, "192.0.2.77".to_owned()),
        };
        let value = Value::new(kind, &text).unwrap();
        let defanged = list::defanged(&value);
        prop_assert_eq!(refang(&defanged).into_owned(), value.to_string());
        prop_assert_eq!(detect(&defanged), Some(value));
    }

    #[test]
    fn any_file_name_survives_its_pattern(name in "[^\\x00-\\x1f]{1,40}") {
        if let Ok(value) = Value::new(Kind::FileName, &name) {
            let pattern = indicator::pattern(&value);
            prop_assert_eq!(pattern::values(&pattern).unwrap(), vec![value], "{}", pattern);
        }
    }

    #[test]
    fn pieces_hold_every_object_once_in_order(sizes in prop::collection::vec(0usize..40, 0..60), bytes_max in 20usize..200, objects_max in 1usize..8) {
        let objects: Vec<String> = sizes.iter().enumerate().map(|(n, size)| format!("\"{n}{}\"", "x".repeat(*size))).collect();
        let all = pieces(objects.iter().map(String::as_bytes), bytes_max, objects_max);
        let mut back: Vec<String> = Vec::new();
        for piece in &all {
            let value: serde_json::Value = serde_json::from_slice(piece).unwrap();
            let held = value["objects"].as_array().unwrap();
            prop_assert!(held.len() <= objects_max && (piece.len() <= bytes_max || held.len() == 1));
            back.extend(held.iter().map(|object| object.to_string()));
        }
        prop_assert_eq!(back, objects);
    }
}
