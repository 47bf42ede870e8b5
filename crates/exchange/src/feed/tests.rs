//! Each format to the letter, and hostile values that try to break out of their line.

use proptest::prelude::*;

use super::*;

fn value(kind: Kind, text: &str) -> Value {
    Value::new(kind, text).unwrap()
}

fn item<'a>(value: &'a Value, name: &'a str) -> Item<'a> {
    Item {
        value,
        indicator: "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        name,
        group: "Alliance",
        marking: Some("GREEN"),
        confidence: Some(85),
        ends: Some(Timestamp::from_micros(1_800_000_000_000_000)),
    }
}

fn values() -> Vec<Value> {
    vec![
        value(Kind::Domain, "evil.example"),
        value(Kind::Ipv4, "203.0.113.9"),
        value(Kind::Ipv4, "203.0.112.0/20"),
        value(Kind::Ipv6, "2001:db8::5:0:0:1"),
        value(Kind::Ipv6, "2001:db8:7::/48"),
        value(Kind::IpPort, "203.0.113.9:8443"),
        value(Kind::IpPort, "[2001:db8::1]:443"),
        value(Kind::Url, "http://bad.example:8080/a%20b/c.exe?x=\"1\";y|2"),
        value(Kind::Email, "a,b@evil.example"),
        value(Kind::Md5, "24d004a104d4d54034dbcffc2a4b19a1"),
        value(Kind::Sha256, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        value(Kind::Ja3, "6734f37431670b3ab4292b8f60f29984"),
        value(Kind::FileName, "c:\\windows\\perfc.dat"),
    ]
}

fn feed(format: Format, values: &[Value]) -> (String, Summary) {
    let mut writer = Writer::new(format, None);
    let mut summary =
        Summary { changed: Timestamp::from_micros(1_700_000_000_000_000), ..Summary::default() };
    summary.leave_out(LeftOut::Expired);
    let mut body = Vec::new();
    for value in values {
        match writer.item(&item(value, "Grey \"Heron\"; x"), &mut body) {
            Ok(()) => summary.listed += 1,
            Err(why) => summary.leave_out(why),
        }
    }
    let mut all = writer.head(&summary, "6a3b3c0e-5a5e-4d0e-9a58-1e55f1d3f2aa");
    all.extend_from_slice(&body);
    all.extend_from_slice(writer.tail());
    (String::from_utf8(all).unwrap(), summary)
}

#[test]
fn plain_csv_and_hosts_are_written_to_the_letter() {
    let some = &[values()[0].clone(), values()[1].clone(), values()[8].clone()];
    assert_eq!(
        feed(Format::Plain, some).0,
        "# Shieldwall: what may be blocked, 3 values\n# left out, over: 1\nevil.example\n203.0.113.9\na,b@evil.example\n"
    );
    assert_eq!(
        feed(Format::Csv, some).0,
        "kind,value,indicator,name,group,marking,confidence,until\n\
         domain-name,evil.example,indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f,\"Grey \"\"Heron\"\"; x\",Alliance,GREEN,85,2027-01-15T08:00:00.000000Z\n\
         ipv4-addr,203.0.113.9,indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f,\"Grey \"\"Heron\"\"; x\",Alliance,GREEN,85,2027-01-15T08:00:00.000000Z\n\
         email-addr,\"a,b@evil.example\",indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f,\"Grey \"\"Heron\"\"; x\",Alliance,GREEN,85,2027-01-15T08:00:00.000000Z\n"
    );
    let (hosts, summary) = feed(Format::Hosts, &values());
    assert!(hosts.ends_with("\n0.0.0.0 evil.example\n"), "{hosts}");
    assert_eq!((summary.listed, summary.left_out[&LeftOut::NoPlace]), (1, 12));
    assert_eq!(summary.left_out_line(), "expired=1, no-place=12");
}

#[test]
fn a_zone_names_domains_with_what_is_below_and_addresses_from_the_back() {
    let (zone, summary) = feed(Format::Rpz, &values());
    assert_eq!(summary.listed, 5);
    assert_eq!(
        zone,
        "; Shieldwall: what may be blocked, 5 values\n; left out, over: 1\n; left out, of a kind this format has no place for: 8\n\
         $ORIGIN rpz.shieldwall.invalid.\n$TTL 300\n\
         @ SOA localhost. hostmaster.localhost. 1700000000 3600 600 604800 300\n@ NS localhost.\n\
         evil.example CNAME .\n*.evil.example CNAME .\n\
         32.9.113.0.203.rpz-ip CNAME .\n20.0.112.0.203.rpz-ip CNAME .\n\
         128.1.0.0.5.zz.db8.2001.rpz-ip CNAME .\n48.zz.7.db8.2001.rpz-ip CNAME .\n"
    );
    let mut writer = Writer::new(Format::Rpz, Some("Block.Corp.Example."));
    let mut out = Vec::new();
    assert!(writer.head(&Summary::default(), "").starts_with(b"; Shieldwall"));
    assert!(
        String::from_utf8(writer.head(&Summary::default(), ""))
            .unwrap()
            .contains("$ORIGIN block.corp.example.\n")
    );
    let long = value(
        Kind::Domain,
        &format!("{}.{}.{}.{}.example", "a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(50)),
    );
    assert_eq!(writer.item(&item(&long, ""), &mut out), Err(LeftOut::Unwritable));
    for bad in ["a b", "x.$INCLUDE", "x\n.y", "x..y", "", "nodot"] {
        let head = Writer::new(Format::Rpz, Some(bad)).head(&Summary::default(), "");
        assert!(String::from_utf8(head).unwrap().contains(ZONE_DEFAULT), "{bad:?}");
    }
}

#[test]
fn rules_have_their_own_numbers_that_stay() {
    let (rules, summary) = feed(Format::SuricataRules, &values());
    assert_eq!(summary.listed, 9);
    let id = "classtype:trojan-activity; metadata:indicator indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
    let domain = sid(&values()[0]);
    assert!(rules.contains(&format!(
        "alert dns $HOME_NET any -> any any (msg:\"Shieldwall Grey Heron x\"; dns.query; dotprefix; content:\".evil.example\"; nocase; endswith; {id}; sid:{domain}; rev:1;)\n"
    )), "{rules}");
    assert!(rules.contains("http.host; content:\"bad.example\"; startswith; endswith; http.uri; content:\"/a|25|20b/c.exe?x=|22|1|22||3b|y|7c|2\"; startswith;"), "{rules}");
    assert!(rules.contains("alert ip $HOME_NET any -> [2001:db8::1] 443 (msg:"), "{rules}");
    // Numbers once given stay given: this one may never change.
    assert_eq!(domain, 4_081_631_028);
    let mut reversed = values();
    reversed.reverse();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&rules), sorted(&feed(Format::SuricataRules, &reversed).0));
}

#[test]
fn two_values_never_share_a_number() {
    let mut taken = BTreeSet::new();
    let one = value(Kind::Domain, "evil.example");
    taken.insert(sid(&one));
    let mut out = String::new();
    suricata::rule(&item(&one, ""), &mut taken, &mut out).unwrap();
    assert!(out.contains(&format!("sid:{};", sid(&one) + 1)), "{out}");
    assert_eq!(taken.len(), 2);
}

#[test]
fn datasets_hold_one_kind_each_and_zeek_has_its_types() {
    assert_eq!(feed(Format::SuricataDomains, &values()).0, "ZXZpbC5leGFtcGxl\n");
    assert_eq!(feed(Format::SuricataIps, &values()).0, "203.0.113.9\n2001:db8::5:0:0:1\n");
    assert_eq!(feed(Format::SuricataJa3, &values()).1.listed, 1);
    let rules = feed(Format::SuricataDatasets, &values()).0;
    for format in [Format::SuricataDomains, Format::SuricataIps, Format::SuricataJa3] {
        assert!(rules.contains(&format!("load {};", format.file_name())), "{rules}");
    }
    let (zeek, summary) = feed(Format::Zeek, &values());
    assert_eq!((summary.listed, summary.left_out[&LeftOut::NoPlace]), (10, 3));
    let rows: Vec<&str> = zeek.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rows[0], "evil.example\tIntel::DOMAIN\tShieldwall\tGrey \"Heron\"; x");
    assert_eq!(
        rows[5],
        "bad.example:8080/a%20b/c.exe?x=\"1\";y|2\tIntel::URL\tShieldwall\tGrey \"Heron\"; x"
    );
    assert_eq!(rows[9], "c:\\x5cwindows\\x5cperfc.dat\tIntel::FILE_NAME\tShieldwall\tGrey \"Heron\"; x");
    assert_eq!(zeek.lines().next(), Some("#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc"));
}

#[test]
fn formats_are_named_as_they_are_read() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
    }
    assert_eq!("exe".parse::<Format>().unwrap_err().code(), "exchange.feed.format");
}

/// Texts that mean something to one reader or another.
fn hostile() -> impl Strategy<Value = String> {
    const PIECES: [&str; 34] = [
        "\n",
        "\r",
        "\t",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "\"",
        "'",
        ";",
        "|",
        "\\",
        ",",
        "#",
        " ",
        "=",
        "@",
        "+",
        "-",
        "$ORIGIN x.",
        "*.",
        "..",
        ")",
        "(",
        "sid:1;",
        "pass ip any any -> any any",
        "0.0.0.0 google.com",
        "google.com",
        "CNAME rpz-passthru.",
        "://",
        "/",
        "a",
        "evil.example",
        "\u{e9}",
        "=HYPERLINK(1)",
    ];
    proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..8)
        .prop_map(|pieces| pieces.concat())
}

fn any_value() -> impl Strategy<Value = Value> {
    (proptest::sample::select(Kind::ALL.to_vec()), hostile(), 0u8..4).prop_filter_map(
        "a value",
        |(kind, text, dress)| {
            let text = match dress {
                0 => text,
                1 => format!("http://{text}evil.example/{text}"),
                2 => format!("{text}@evil.example"),
                _ => format!("{text}.evil.example"),
            };
            Value::new(kind, &text).ok()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn no_value_breaks_out_of_its_place(value in any_value(), name in hostile()) {
        for format in Format::ALL {
            let mut writer = Writer::new(format, None);
            let mut out = Vec::new();
            if writer.item(&item(&value, &name), &mut out).is_err() {
                prop_assert!(out.is_empty());
                continue;
            }
            let text = String::from_utf8(out).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            prop_assert!(text.ends_with('\n') && !text.contains(['\r', '\u{0}', '\u{85}', '\u{2028}']), "{text:?}");
            prop_assert_eq!(text.matches('\n').count(), if format == Format::Rpz && value.kind() == Kind::Domain { 2 } else { 1 });
            let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            match format {
                Format::Plain => prop_assert!(lines[0] == value.to_string() && !lines[0].starts_with('#')),
                Format::Csv => {
                    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
                    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
                    prop_assert_eq!(rows.len(), 1);
                    prop_assert_eq!(rows[0].len(), 8);
                    prop_assert_eq!(&rows[0][1], &value.to_string());
                    prop_assert!(rows[0].iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
                }
                Format::Hosts => prop_assert!(lines[0].strip_prefix("0.0.0.0 ").is_some_and(plain)),
                Format::Rpz => for line in lines {
                    let owner = line.strip_suffix(" CNAME .").map(|owner| owner.trim_start_matches("*."));
                    prop_assert!(owner.is_some_and(plain), "{line:?}");
                }
                Format::SuricataRules => {
                    // Outside of quotes a rule holds no quote of ours, and only the options we wrote.
                    let quotes = lines[0].matches('"').count();
                    prop_assert!(quotes.is_multiple_of(2) && quotes <= 6 && !lines[0].contains('\\'), "{}", lines[0]);
                    let bare: String = lines[0].split('"').step_by(2).collect();
                    prop_assert_eq!(bare.matches("sid:").count(), 1, "{}", bare);
                    prop_assert!(lines[0].starts_with("alert ") && bare.ends_with("rev:1;)"));
                    let inside: Vec<&str> = lines[0].split('"').skip(1).step_by(2).collect();
                    prop_assert!(inside.iter().all(|text| !text.contains(';')), "{}", lines[0]);
                }
                Format::SuricataDomains | Format::SuricataJa3 => prop_assert!(lines[0].bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))),
                Format::SuricataIps => prop_assert!(lines[0].parse::<std::net::IpAddr>().is_ok()),
                Format::Zeek => {
                    let cells: Vec<&str> = lines[0].split('\t').collect();
                    prop_assert_eq!(cells.len(), 4);
                    prop_assert!(!cells[0].starts_with('#') && cells[1].starts_with("Intel::") && cells[2] == "Shieldwall");
                }
                Format::SuricataDatasets | Format::Stix => prop_assert!(false, "writes no lines"),
            }
        }
    }
}
