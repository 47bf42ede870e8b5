//! Mapping files: what they read, how they fail, what is detected.

use std::collections::BTreeSet;

use super::*;
use crate::generate::{Generator, Telemetry};

#[test]
fn the_built_in_mappings_hold_what_the_formats_have() {
    let all = Mappings::built_in().unwrap();
    let names: Vec<&str> = all.iter().map(|mapping| mapping.name()).collect();
    assert_eq!(
        names,
        [
            "suricata", "zeek", "sysmon", "ecs", "ocsf", "zeek-tsv", "cef", "bind", "unbound", "postfix",
            "squid", "combined", "syslog", "text"
        ]
    );
    for (name, path, reading) in [
        ("suricata", "dest_ip", Reading::Ip),
        ("suricata", "dns.answers.rdata", Reading::Host),
        ("suricata", "dns.queries.rrname", Reading::Host),
        ("suricata", "tls.ja3.hash", Reading::Ja3),
        ("zeek", "id.orig_h", Reading::Ip),
        ("zeek", "answers", Reading::Host),
        ("ecs", "tls.client.server_name", Reading::Host),
        ("ecs", "file.hash.sha256", Reading::Hash),
        ("ecs", "email.from.address", Reading::Email),
        ("sysmon", "Event.EventData.Hashes", Reading::Hashes),
        ("sysmon", "winlog.event_data.QueryName", Reading::Host),
        ("sysmon", "TargetFilename", Reading::File),
    ] {
        let mapping = all.get(name).unwrap();
        assert!(mapping.fields().contains(&Field { path: path.into(), reading }), "{name} {path}");
    }
}

#[test]
fn paths_nest_or_are_dotted() {
    let mapping = Mapping::parse("x", "name='x'\nformat='json'\n[fields]\n'a.b.c'='ip'").unwrap();
    let walk = |keys: &[&str]| {
        keys.iter().try_fold(0, |node, key| mapping.child(node, key)).map(|node| mapping.actions(node).len())
    };
    for keys in [&["a", "b", "c"][..], &["a.b", "c"], &["a", "b.c"], &["a.b.c"]] {
        assert_eq!(walk(keys), Some(1), "{keys:?}");
    }
    assert_eq!(walk(&["a", "b"]), Some(0));
    for keys in [&["a.c"][..], &["b"], &["a..b"], &[""], &["a", "b", "c", "d"]] {
        assert_eq!(walk(keys), None, "{keys:?}");
    }
}

#[test]
fn keys_are_recognised_by_their_end() {
    let mapping = Mapping::parse("x", "name='x'\nformat='json'\n[fields]\n'q.ip'='ip'\n'very_long_name'='host'\n'A'='ip'\n[[url]]\nhost='h'\npath='ip'").unwrap();
    let flags = |key: &str| {
        let spelled = format!("????????\"{key}");
        mapping.keys().flags(u64::from_le_bytes(*spelled.as_bytes().last_chunk::<8>().unwrap()))
    };
    // The last step is all a key is known by, so what any path makes of it counts.
    assert_eq!(flags("ip"), Reading::Ip.flag() | URL_PATH);
    assert_eq!(flags("q.ip"), Reading::Ip.flag() | URL_PATH);
    assert_eq!(flags("very_long_name"), Reading::Host.flag());
    assert_eq!(flags("A"), Reading::Ip.flag());
    assert_eq!(flags("h"), URL_HOST);
    for key in ["xip", "p", "AA", "long_nam", "name", ""] {
        assert_eq!(flags(key), 0, "{key}");
    }
    assert!(mapping.keys().spells(b'.') && mapping.keys().spells(b'v') && !mapping.keys().spells(b'<'));
}

#[test]
fn errors_name_file_line_and_key() {
    for (text, code, line, part) in [
        ("name = 'x'\nformat = 'json'\n[fields]\n'a..b' = 'ip'", "watch.mapping.bad_path", 4, "a..b"),
        ("name = 'x'\nformat = 'json'\n[fields]\n'a/b' = 'ip'", "watch.mapping.bad_path", 4, "a/b"),
        (
            "name = 'x'\nformat = 'json'\n\n[fields]\na = 'ip'\nb = 'ipp'",
            "watch.mapping.bad_reading",
            6,
            "ipp",
        ),
        ("name = 'x'\nformat = 'xml'", "watch.mapping.malformed", 2, "xml"),
        ("name = 'x'\nformat = 'json'\nfeilds = 1", "watch.mapping.malformed", 3, "feilds"),
        ("name = 'x'\nformat = ", "watch.mapping.malformed", 2, ""),
        ("name = 'a b'\nformat = 'json'", "watch.mapping.malformed", 1, "letters"),
        ("name = 'x'\nformat = 'json'", "watch.mapping.malformed", 1, "at least one field"),
        ("name = 'x'\nformat = 'text'\n[fields]\na = 'ip'", "watch.mapping.malformed", 1, "no fields"),
        (
            "name = 'x'\nformat = 'json'\n[fields]\na = 'ip'\n[[endpoint]]\nip = 'b'\nport = 'c'",
            "watch.mapping.malformed",
            6,
            "no field",
        ),
        (
            "name = 'x'\nformat = 'json'\n[fields]\na = 'ip'\n[[url]]\nhost = 'b'",
            "watch.mapping.malformed",
            5,
            "path",
        ),
    ] {
        let error = Mapping::parse("my.toml", text).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
        let shown = error.to_string();
        assert!(
            shown.contains("my.toml") && shown.contains(&format!("line {line}")) && shown.contains(part),
            "{text}: {shown}"
        );
    }
    let many: String = (0..5000).map(|number| format!("k{number} = 'ip'\n")).collect();
    assert!(
        Mapping::parse("x", &format!("name='x'\nformat='json'\n[fields]\n{many}"))
            .unwrap_err()
            .to_string()
            .contains("4096")
    );
}

#[test]
fn files_and_directories_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("b.toml", "name='proxy'\nformat='json'\n[detect]\nall=['client']\n[fields]\nclient='ip'");
    write("a.toml", "name='zeek'\nformat='json'\n[detect]\nall=['mine']\n[fields]\nmine='ip'");
    write("notes.md", "no mapping");
    let mut all = Mappings::built_in().unwrap();
    all.load(folder.path()).unwrap();
    let names: Vec<&str> = all.iter().map(|mapping| mapping.name()).collect();
    assert_eq!(
        names.get(..5).unwrap(),
        ["zeek", "proxy", "suricata", "sysmon", "ecs"],
        "one of the same name takes the place of a built-in one"
    );
    assert_eq!(all.detect(b"{\"client\":\"1.2.3.4\"}").mapping.name(), "proxy");
    write("c.toml", "name='proxy'\nformat='text'");
    assert_eq!(all.load(folder.path()).unwrap_err().code(), "watch.mapping.twice");
    assert_eq!(all.load(&folder.path().join("none.toml")).unwrap_err().code(), "watch.mapping.unreadable");
    let unknown = all.get("nope").unwrap_err();
    assert_eq!(unknown.code(), "watch.mapping.unknown");
    assert!(unknown.to_string().contains("suricata"));
}

#[test]
fn formats_are_told_apart() {
    let all = Mappings::built_in().unwrap();
    for format in Telemetry::ALL {
        let mut generator = Generator::new(5);
        let sample: String =
            (0..40).map(|number| generator.line(format, number * 1_000_000, None) + "\n").collect();
        let verdict = all.detect(sample.as_bytes());
        assert_eq!(verdict.mapping.name(), format.mapping(), "{}", verdict.why);
        // A sample cut in the middle of its last line is as good.
        assert_eq!(
            all.detect(sample.get(..sample.len() - 20).unwrap().as_bytes()).mapping.name(),
            format.mapping()
        );
    }
    for (line, name) in [
        (
            r#"{"@timestamp":"x","winlog":{"event_data":{"Image":"a"}},"host":{"name":"h"},"ecs":{"version":"8"}}"#,
            "sysmon",
        ),
        (r#"{"@timestamp":"x","source.ip":"1.2.3.4"}"#, "ecs"),
        (r#"{"ts":1.5,"id":{"orig_h":"1.2.3.4"}}"#, "zeek"),
        (r#"{"some":"json"}"#, "text"),
        ("May 12 07:24:00 host app: message", "syslog"),
        ("", "text"),
    ] {
        let verdict = all.detect(line.as_bytes());
        assert_eq!(verdict.mapping.name(), name, "{line}: {}", verdict.why);
        assert!(!verdict.why.is_empty());
    }
}

#[test]
fn every_reading_has_a_word() {
    let words: BTreeSet<&str> = Reading::WORDS.iter().map(|(word, _)| *word).collect();
    assert_eq!(words.len(), Reading::WORDS.len());
    for (index, (word, reading)) in Reading::WORDS.into_iter().enumerate() {
        assert_eq!(reading.as_str(), word);
        assert_eq!(reading.flag(), 1 << index, "the scan takes readings by their place in the list");
    }
}
