//! Scan against exact reader, stream handling, figures.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::mapping::Mappings;
use crate::value::{Kind, Value, detect};
use crate::watchlist::{Builder, Change, LiveWatchlist};

type Seen = (u32, String, String, Vec<u8>, Option<String>, u64);

fn run(
    watchlist: &Arc<Watchlist>,
    mapping: &Arc<Mapping>,
    mode: Mode,
    blocks: &[&[u8]],
) -> (Vec<Seen>, Stats) {
    let mut matcher = Matcher::new(Arc::clone(watchlist), Arc::clone(mapping)).with_mode(mode);
    let mut seen = Vec::new();
    let mut sink = |hit: &Hit<'_>| {
        seen.push((
            hit.indicator,
            hit.field.to_owned(),
            hit.value.to_string(),
            hit.observed.to_vec(),
            hit.observed_time.map(str::to_owned),
            hit.offset,
        ));
    };
    for block in blocks {
        matcher.feed(block, &mut sink);
    }
    let stats = matcher.finish(&mut sink);
    (seen, stats)
}

pub(super) fn mapping(name: &str) -> Arc<Mapping> {
    Mappings::built_in().unwrap().get(name).unwrap()
}

pub(super) fn watchlist_of(values: &[&str]) -> Arc<Watchlist> {
    let mut builder = Builder::new(1);
    for (index, text) in values.iter().enumerate() {
        builder.add(&detect(text).unwrap_or_else(|| panic!("{text}")), index as u32).unwrap();
    }
    Arc::new(builder.build().unwrap())
}

/// (indicator, field, observed) of each hit.
fn hits(watchlist: &Arc<Watchlist>, format: &str, text: &str) -> Vec<(u32, String, String)> {
    let (seen, _) = run(watchlist, &mapping(format), Mode::Scan, &[text.as_bytes()]);
    let (exact, _) = run(watchlist, &mapping(format), Mode::Exact, &[text.as_bytes()]);
    assert_eq!(seen, exact, "scan and exact reader differ on {text}");
    seen.into_iter()
        .map(|(id, field, _, observed, ..)| (id, field, String::from_utf8(observed).unwrap()))
        .collect()
}

const LISTED: [&str; 14] = [
    "evil.example",
    "192.0.2.7",
    "2001:db8::7",
    "198.51.100.0/24",
    "203.0.113.9:9001",
    "http://bad.example/a",
    "bad.example/b?c=d",
    "mallory@evil.test",
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "mssecsvc.exe",
    "2001:db8:ff::/48",
    "http://port.example:8080/a",
    "xn--tda.deep.example",
];

/// The list of [`LISTED`], with a JA3 as well.
fn listed() -> Arc<Watchlist> {
    let mut builder = Builder::new(3);
    for (index, text) in LISTED.iter().enumerate() {
        builder.add(&detect(text).unwrap(), index as u32).unwrap();
    }
    builder.add(&Value::new(Kind::Ja3, "0123456789abcdef0123456789abcdef").unwrap(), 90).unwrap();
    Arc::new(builder.build().unwrap())
}

#[test]
fn suricata_fields() {
    let list = listed();
    let one = |text: &str| hits(&list, "suricata", text);
    let hit = |id: u32, field: &str, observed: &str| (id, field.to_owned(), observed.to_owned());
    assert_eq!(one(r#"{"src_ip":"10.0.0.1","dest_ip":"192.0.2.7"}"#), [hit(1, "dest_ip", "192.0.2.7")]);
    assert_eq!(one(r#"{"dest_ip":"198.51.100.200"}"#), [hit(3, "dest_ip", "198.51.100.200")]);
    assert_eq!(one(r#"{"dest_ip":"2001:0db8:00ff::1"}"#), [hit(11, "dest_ip", "2001:0db8:00ff::1")]);
    assert_eq!(one(r#"{"dest_ip":"::ffff:192.0.2.7"}"#), [hit(1, "dest_ip", "::ffff:192.0.2.7")]);
    assert_eq!(one(r#"{"dns":{"rrname":"A.Evil.Example."}}"#), [hit(0, "dns.rrname", "A.Evil.Example.")]);
    assert_eq!(one(r#"{"dns":{"rrname":"notevil.example"}}"#), []);
    assert_eq!(one(r#"{"dns":{"rrname":"example"}}"#), []);
    assert_eq!(
        one(
            r#"{"dns":{"answers":[{"rdata":"1.2.3.4"},{"rdata":"192.0.2.7"}],"grouped":{"A":["1.2.3.4","192.0.2.7"]}}}"#
        ),
        [hit(1, "dns.answers.rdata", "192.0.2.7"), hit(1, "dns.grouped.A", "192.0.2.7")]
    );
    assert_eq!(one(r#"{"tls":{"ja3":{"hash":"0123456789ABCDEF0123456789abcdef"}}}"#).len(), 1);
    assert_eq!(one(r#"{"tls":{"hash":"0123456789abcdef0123456789abcdef"}}"#), []);
    assert_eq!(one(r#"{"email":{"from":"M <mallory@EVIL.test>"}}"#).len(), 1);
    assert_eq!(
        one(r#"{"fileinfo":{"filename":"/x/MSSECSVC.EXE","md5":"D41D8CD98F00B204E9800998ECF8427E"}}"#).len(),
        2
    );
    // A value in a field that is not mapped is none.
    assert_eq!(one(r#"{"other":{"value":"192.0.2.7"},"src":{"src_ip":"192.0.2.7"}}"#), []);
}

#[test]
fn an_address_with_a_port_needs_both_in_one_endpoint() {
    let list = listed();
    let one = |text: &str| hits(&list, "suricata", text).len();
    assert_eq!(one(r#"{"dest_ip":"203.0.113.9","dest_port":9001}"#), 1);
    assert_eq!(one(r#"{"dest_port":"9001","dest_ip":"203.0.113.9"}"#), 1);
    assert_eq!(one(r#"{"dest_ip":"203.0.113.9","dest_port":443}"#), 0);
    assert_eq!(one(r#"{"dest_ip":"203.0.113.9","src_port":9001}"#), 0);
    assert_eq!(one(r#"{"dest_ip":"203.0.113.9"}"#), 0);
    assert_eq!(hits(&list, "text", "to 203.0.113.9:9001 now").len(), 1);
    assert_eq!(hits(&list, "text", "to 203.0.113.9:90011 now").len(), 0);
}

#[test]
fn urls_from_parts() {
    let list = listed();
    let one = |text: &str| hits(&list, "suricata", text).into_iter().map(|hit| hit.0).collect::<Vec<_>>();
    assert_eq!(one(r#"{"http":{"hostname":"BAD.example","url":"/a"}}"#), [5]);
    assert_eq!(one(r#"{"http":{"url":"\/b?c=d","hostname":"bad.example"}}"#), [6]);
    assert_eq!(one(r#"{"http":{"hostname":"bad.example","url":"/A"}}"#), [0u32; 0]);
    assert_eq!(one(r#"{"http":{"hostname":"proxy.test","url":"http://bad.example:80/a#x"}}"#), [5]);
    assert_eq!(one(r#"{"http":{"hostname":"\u0042ad.example","url":"/a"}}"#), [5]);
    // Which of several parts belong together only the exact reader knows.
    assert_eq!(
        one(r#"{"http":{"hostname":"bad.example","url":"/a"},"x":{"hostname":"y.test","url":"/z"}}"#),
        [5]
    );
    assert_eq!(one(r#"{"x":{"hostname":"bad.example"},"http":{"hostname":"y.test","url":"/a"}}"#), [0u32; 0]);
    // A port of the event that is the scheme's own is no part of the URL; another one is.
    assert_eq!(one(r#"{"http":{"http_port":8080,"hostname":"port.example","url":"/a"}}"#), [12]);
    assert_eq!(one(r#"{"http":{"http_port":8080,"hostname":"bad.example","url":"/a"}}"#), [0u32; 0]);
    assert_eq!(one(r#"{"http":{"hostname":"bad.example","http_port":80,"url":"/a"}}"#), [5]);
}

#[test]
fn other_formats() {
    let list = listed();
    let ids =
        |format: &str, text: &str| hits(&list, format, text).into_iter().map(|hit| hit.0).collect::<Vec<_>>();
    assert_eq!(
        ids("zeek", r#"{"ts":1.5,"id.orig_h":"10.0.0.1","id.resp_h":"203.0.113.9","id.resp_p":9001}"#),
        [4]
    );
    assert_eq!(
        ids("zeek", r#"{"ts":1.5,"answers":["x.test","192.0.2.7"],"query":"q.evil.example"}"#),
        [1, 0]
    );
    assert_eq!(ids("zeek", r#"{"ts":1.5,"host":"bad.example","uri":"/a"}"#), [5]);
    assert_eq!(ids("ecs", r#"{"source":{"ip":"192.0.2.7"},"url.full":"https://bad.example/b?c=d"}"#), [1, 6]);
    assert_eq!(ids("ecs", r#"{"destination.ip":"203.0.113.9","destination":{"port":9001}}"#), [4]);
    assert_eq!(ids("ecs", r#"{"message":"saw \"evil.example\"\tand 192.0.2.7,"}"#), [0, 1]);
    let sha = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
    for nest in [
        r#"{"Event":{"EventData":{"Hashes":"X"}}}"#,
        r#"{"EventData":{"Hashes":"X"}}"#,
        r#"{"winlog":{"event_data":{"Hashes":"X"}}}"#,
        r#"{"winlog.event_data.Hashes":"X"}"#,
        r#"{"Hashes":"X"}"#,
    ] {
        let text =
            nest.replace('X', &format!("SHA1=00,SHA256={sha},IMPHASH=D41D8CD98F00B204E9800998ECF8427E"));
        assert_eq!(ids("sysmon", &text), [9], "{text}");
    }
    assert_eq!(ids("sysmon", r#"{"Image":"C:\\Windows\\MSSECSVC.exe"}"#), [10]);
    assert_eq!(ids("sysmon", r#"{"QueryResults":"type:  5 a.test;::ffff:192.0.2.7;"}"#), [1]);
}

#[test]
fn time_offset_and_line_come_along() {
    let list = listed();
    let text =
        "{\"ts\":1500000000.25,\"query\":\"x.test\"}\n{\"query\":\"evil.example\",\"ts\":1500000001.5}\n";
    let mut matcher = Matcher::new(list, mapping("zeek"));
    let mut seen = 0;
    matcher.feed(text.as_bytes(), &mut |hit| {
        seen += 1;
        assert_eq!(hit.observed_time, Some("1500000001.5"));
        assert_eq!(hit.offset, 38);
        assert_eq!(hit.line, &text.as_bytes()[38..text.len() - 1]);
    });
    assert_eq!(seen, 1);
    assert_eq!(matcher.consumed(), text.len() as u64);
}

#[test]
fn spellings_that_hide_a_key_or_a_value_are_seen() {
    let list = listed();
    for text in [
        r#"{"dest_ip" : "192.0.2.7"}"#,
        "{\"dest_ip\"\t:\t\"192.0.2.7\"}",
        r#"{"dest_ip":   "192.0.2.7"   }"#,
        r#"{"dest\u005fip":"192.0.2.7"}"#,
        r#"{"dest_ip":"\u0031\u0039\u0032.0.2.7"}"#,
        r#"{"dest_ip":"1.1.1.1","dest_ip":"192.0.2.7"}"#,
        r#"{"dest_ip":"192.0.2.7","dest_ip":"1.1.1.1"}"#,
        r#"{"dest_ip":["1.1.1.1", "192.0.2.7"]}"#,
        r#"{"dest_ip":[["192.0.2.7"]]}"#,
        r#"{"x":"\\","dest_ip":"192.0.2.7"}"#,
        r#"{"x":"\\\"","dest_ip":"192.0.2.7"}"#,
        "\u{feff}{\"dest_ip\":\"192.0.2.7\"}",
        "  {\"dest_ip\":\"192.0.2.7\"}\r",
        r#"{"dns":{"rrname":"evil\u002eexample"}}"#,
        r#"{"dns":{"rrname":"ｅvil.example"}}"#,
        r#"{"dns":{"rrname":"a。evil.example"}}"#,
        r#"{"dns":{"rrname":"ü.evil.example"}}"#,
        r#"{"dns":{"rrname":"ü.deep.example"}}"#,
    ] {
        assert_eq!(hits(&list, "suricata", text).len(), 1, "{text}");
    }
    // Text that only looks like a key is none.
    assert_eq!(hits(&list, "suricata", r#"{"x":"\"dest_ip\":\"192.0.2.7\""}"#).len(), 0);
}

#[test]
fn figures_are_right() {
    let list = listed();
    let long = format!("{{\"dest_ip\":\"192.0.2.7\",\"x\":\"{}\"}}", "y".repeat(EVENT_BYTES_MAX));
    let text = format!(
        "{{\"dest_ip\":\"192.0.2.7\"}}\n\n   \n{{\"dest_ip\":\"1.1.1.1\"}}\nno json\n{{\"dest_ip\":\"192.0.2.7\"\n{long}\n[1]\n{{\"dest_ip\":\"192.0.2.7\"}}"
    );
    for size in [7, 4096, usize::MAX] {
        let blocks: Vec<&[u8]> = text.as_bytes().chunks(size.min(text.len())).collect();
        let (seen, stats) = run(&list, &mapping("suricata"), Mode::Scan, &blocks);
        assert_eq!(seen.len(), 2, "{size}");
        let slow = stats.slow_lines;
        let wanted = Stats {
            events: 7,
            bytes: text.len() as u64,
            matches: 2,
            events_matched: 2,
            bad_lines: 3,
            long_lines: 1,
            slow_lines: slow,
        };
        assert_eq!(stats, wanted, "{size}");
    }
}

#[test]
fn several_indicators_on_one_value_all_hit() {
    let mut builder = Builder::new(5);
    let value = detect("evil.example").unwrap();
    for id in [3, 1, 2, 2] {
        builder.add(&value, id).unwrap();
    }
    builder.add(&detect("b.evil.example").unwrap(), 9).unwrap();
    let list = Arc::new(builder.build().unwrap());
    let ids: Vec<u32> = hits(&list, "suricata", r#"{"tls":{"sni":"a.b.evil.example"}}"#)
        .into_iter()
        .map(|hit| hit.0)
        .collect();
    assert_eq!(ids, [1, 2, 3, 9]);
}

#[test]
fn changes_take_effect_from_the_next_block() {
    let live =
        LiveWatchlist::new(Arc::try_unwrap(watchlist_of(&["evil.example", "192.0.2.7"])).ok().unwrap());
    let line = b"{\"tls\":{\"sni\":\"evil.example\"},\"dest_ip\":\"198.51.100.1\"}\n";
    let mut matcher = Matcher::new(live.current(), mapping("suricata"));
    let mut ask = |live: &LiveWatchlist| {
        matcher.set_watchlist(live.current());
        let mut ids = Vec::new();
        matcher.feed(line, &mut |hit| ids.push(hit.indicator));
        ids
    };
    assert_eq!(ask(&live), [0]);
    live.apply([Change::Remove { indicator: 0 }]).unwrap();
    assert_eq!(ask(&live), Vec::<u32>::new());
    let network = vec![detect("198.51.100.0/24").unwrap()];
    live.apply([
        Change::Put { indicator: 5, values: network },
        Change::Put {
            indicator: 0,
            values: vec![detect("example").unwrap_or_else(|| Value::new(Kind::Domain, "example").unwrap())],
        },
    ])
    .unwrap();
    let mut ids = ask(&live);
    ids.sort_unstable();
    assert_eq!(ids, [0, 5]);
    live.merge().unwrap();
    let mut ids = ask(&live);
    ids.sort_unstable();
    assert_eq!(ids, [0, 5]);
    assert_eq!(live.version(), 2);
}

// ---- The scan against the exact reader, on lines made to mislead it.

/// Texts that are listed, nearly listed, or trouble.
fn interesting() -> impl Strategy<Value = String> {
    let listed: Vec<String> = LISTED.iter().map(|text| (*text).to_owned()).collect();
    prop_oneof![
        4 => proptest::sample::select(listed),
        2 => proptest::sample::select(vec![
            "a.b.evil.example", "EVIL.example.", "notevil.example", "evil.example:8080", "ｅvil.example", "xn--bcher-kva.example",
            "198.51.100.77", "::ffff:198.51.100.1", "203.0.113.9", "[203.0.113.9]:9001", "http://evil.example:80", "HTTPS://BAD.example/b?c=d#f",
            "<mallory@evil.test>", "MD5=D41D8CD98F00B204E9800998ECF8427E,SHA256=00", "C:\\x\\MSSECSVC.EXE", "/tmp/mssecsvc.exe",
            "text with evil.example, 192.0.2.7 and http://bad.example/a.", "0123456789abcdef0123456789abcdef", "bad.example", "/a", "/b?c=d", "9001",
            "", ".", "..", "\"", "\\", "\":\"", "\"dest_ip\":\"192.0.2.7\"", "é", "\u{1F600}", " evil.example", "evil.example\t", "a\nb",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

const KEYS: [&str; 34] = [
    "timestamp",
    "src_ip",
    "dest_ip",
    "src_port",
    "dest_port",
    "dns",
    "rrname",
    "answers",
    "rdata",
    "grouped",
    "A",
    "tls",
    "sni",
    "ja3",
    "hash",
    "http",
    "hostname",
    "url",
    "http_port",
    "fileinfo",
    "filename",
    "md5",
    "sha256",
    "email",
    "from",
    "to",
    "x",
    "ip",
    "source",
    "source.ip",
    "url.full",
    "message",
    "id.resp_h",
    "id.resp_p",
];

/// A JSON text, spelled in odd ways: blanks anywhere, escapes at random, keys twice.
fn json(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        6 => string(interesting().boxed()),
        1 => proptest::sample::select(vec!["null", "true", "9001", "443", "-1.5e3", "1500000000.25"]).prop_map(str::to_owned),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = json(depth - 1);
    let key = string(proptest::sample::select(KEYS.to_vec()).prop_map(str::to_owned).boxed());
    let member = (key, blanks(), blanks(), inner.clone())
        .prop_map(|(key, before, after, value)| format!("{key}{before}:{after}{value}"));
    let members = proptest::collection::vec((member, blanks()), 0..6);
    let object = members.prop_map(|all| {
        let all: Vec<String> =
            all.into_iter().map(|(member, blank)| format!("{blank}{member}{blank}")).collect();
        format!("{{{}}}", all.join(","))
    });
    let array = proptest::collection::vec((inner, blanks()), 0..4).prop_map(|all| {
        let all: Vec<String> = all.into_iter().map(|(one, blank)| format!("{blank}{one}")).collect();
        format!("[{}]", all.join(","))
    });
    prop_oneof![3 => leaf, 4 => object, 2 => array].boxed()
}

/// An object with a text at the end of some mapped path, nested or with dotted keys, beside other members.
fn event() -> BoxedStrategy<String> {
    let paths: Vec<String> = ["suricata", "zeek", "ecs", "sysmon"]
        .into_iter()
        .flat_map(|name| mapping(name).fields().iter().map(|field| field.path.clone()).collect::<Vec<_>>())
        .collect();
    let member = (
        proptest::sample::select(paths),
        any::<u16>(),
        string(interesting().boxed()),
        0u8..6,
        blanks(),
        blanks(),
    )
        .prop_map(|(path, dots, value, form, before, after)| {
            let value = match form {
                0 => format!("[{value}]"),
                1 => format!("[\"x\",{before}{value}{after}]"),
                _ => value,
            };
            let (mut open, mut close) = (String::from("\""), String::new());
            for (index, step) in path.split('.').enumerate() {
                if index > 0 && dots >> index & 3 == 3 {
                    open.push('.');
                } else if index > 0 {
                    open.push_str("\":{\"");
                    close.push('}');
                }
                open.push_str(step);
            }
            format!("{open}\"{before}:{after}{value}{close}")
        });
    let part = (
        proptest::sample::select(vec!["hostname", "url", "http_port", "host", "uri"]),
        string(interesting().boxed()),
    );
    let parts = proptest::collection::vec(part, 0..4).prop_map(|parts| {
        let parts: Vec<String> = parts.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("\"http\":{{{}}}", parts.join(","))
    });
    (
        proptest::collection::vec(member, 1..4),
        proptest::option::of(json(1)),
        proptest::collection::vec(parts, 0..3),
    )
        .prop_map(|(mut members, other, parts)| {
            members.extend(parts);
            members.extend(other.map(|json| format!("\"other\":{json}")));
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

fn blanks() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 2 => Just(" "), 1 => Just("\t "), 1 => Just("\r"), 1 => Just("  \t ")]
}

/// A JSON string of a text, each character escaped in one of the ways JSON has.
fn string(text: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (text, 0u8..8, any::<u64>())
        .prop_map(|(text, style, dice)| {
            let mut out = String::from("\"");
            for (index, character) in text.chars().enumerate() {
                let escape = style == 0 && dice >> (index % 64) & 1 == 1;
                match character {
                    '"' | '\\' => out.extend(['\\', character]),
                    '/' if style == 1 => out.push_str("\\/"),
                    control if control < ' ' || escape => {
                        for unit in control.encode_utf16(&mut [0; 2]) {
                            write!(out, "\\u{unit:04X}").unwrap();
                        }
                    }
                    other => out.push(other),
                }
            }
            out.push('"');
            out
        })
        .boxed()
}

/// Lines: good ones, cut ones, and ones with a byte changed.
pub(super) fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line =
        (prop_oneof![1 => json(3), 2 => event()], 0u8..12, any::<proptest::sample::Index>(), any::<u8>())
            .prop_map(|(text, harm, at, byte)| {
                let mut line = text.into_bytes();
                match harm {
                    0 => line.truncate(at.index(line.len() + 1)),
                    1 if !line.is_empty() => {
                        let at = at.index(line.len());
                        line[at] = byte;
                    }
                    2 => line.splice(0..0, *b" ").for_each(drop),
                    _ => {}
                }
                line
            });
    proptest::collection::vec(line, 1..80).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever the line, the scan reports what the exact reader reports, and never calls a good line bad.
    #[test]
    fn the_scan_agrees_with_the_exact_reader(text in lines(), cut in 1usize..300, format in 0usize..5) {
        let list = listed();
        let mapping = mapping(["suricata", "zeek", "ecs", "sysmon", "text"][format]);
        let whole = [text.as_slice()];
        let (exact, exact_stats) = run(&list, &mapping, Mode::Exact, &whole);
        let (scan, stats) = run(&list, &mapping, Mode::Scan, &whole);
        prop_assert_eq!(&scan, &exact);
        prop_assert_eq!(stats.events, exact_stats.events);
        prop_assert_eq!(stats.matches, exact_stats.matches);
        prop_assert!(stats.bad_lines <= exact_stats.bad_lines);
        prop_assert_eq!(exact_stats.slow_lines, exact_stats.events);
        // With other instructions, nothing changes.
        for instructions in [Instructions::Baseline, Instructions::Portable] {
            let mut matcher =
                Matcher::new(Arc::clone(&list), Arc::clone(&mapping)).with_instructions(instructions);
            let mut found = Vec::new();
            matcher.feed(&text, &mut |hit| found.push((hit.indicator, hit.offset)));
            matcher.finish(&mut |hit| found.push((hit.indicator, hit.offset)));
            let wanted: Vec<(u32, u64)> = exact.iter().map(|seen| (seen.0, seen.5)).collect();
            prop_assert_eq!(found, wanted, "{:?}", instructions);
        }
        // Cut into blocks anywhere, nothing changes.
        let blocks: Vec<&[u8]> = text.chunks(cut).collect();
        let (blocked, blocked_stats) = run(&list, &mapping, Mode::Scan, &blocks);
        prop_assert_eq!(&blocked, &exact);
        prop_assert_eq!(blocked_stats.events, exact_stats.events);
        prop_assert_eq!(blocked_stats.bytes, text.len() as u64);
    }
}
