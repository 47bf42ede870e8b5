//! What patterns give, and where bad ones are bad.

use proptest::prelude::*;

use super::*;

fn got(pattern: &str) -> Vec<String> {
    values(pattern)
        .unwrap_or_else(|error| panic!("{pattern}: {error}"))
        .iter()
        .map(|v| format!("{} {v}", v.kind()))
        .collect()
}

fn refused(pattern: &str) -> (&'static str, usize) {
    let error = values(pattern).err().unwrap_or_else(|| panic!("{pattern} was taken"));
    (error.code(), error.at())
}

#[test]
fn equality_joined_by_or() {
    for (pattern, wanted) in [
        ("[domain-name:value='automatedrelax.org']", &["domain-name automatedrelax.org"][..]),
        (
            "[ipv4-addr:value = '192.0.2.1' OR ipv6-addr:value = '2001:db8::1']",
            &["ipv4-addr 192.0.2.1", "ipv6-addr 2001:db8::1"],
        ),
        ("[ipv4-addr:value = '198.51.100.0/24']", &["ipv4-cidr 198.51.100.0/24"]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", &["ipv4-cidr 198.51.100.0/24"]),
        (
            "[url:value IN ('http://a.example/', 'http://b.example/x')]",
            &["url http://a.example/", "url http://b.example/x"],
        ),
        (
            "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e'] OR [file:name = 'A.exe']",
            &["md5 d41d8cd98f00b204e9800998ecf8427e", "file-name a.exe"],
        ),
        ("([email-addr:value = 'a@b.example'])", &["email-addr a@b.example"]),
        (
            "[(domain-name:value = 'a.example' OR (domain-name:value = 'b.example'))]",
            &["domain-name a.example", "domain-name b.example"],
        ),
        ("[domain-name:value = 'a.example' OR domain-name:value = 'A.EXAMPLE']", &["domain-name a.example"]),
        ("[network-traffic:dst_ref.value = '192.0.2.1']", &["ipv4-addr 192.0.2.1"]),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 9001]",
            &["ip-port 192.0.2.1:9001"],
        ),
        (
            "[network-traffic:dst_port = 443 AND ipv6-addr:value = '2001:db8::1']",
            &["ip-port [2001:db8::1]:443"],
        ),
        (
            "[network-traffic:extensions.'x-tls-ext'.ja3 = '0123456789abcdef0123456789abcdef']",
            &["ja3 0123456789abcdef0123456789abcdef"],
        ),
        (
            "[x-tls:x_ja4 = 't13d1516h2_8daaf6152771_e5627efa2ab1']",
            &["ja4 t13d1516h2_8daaf6152771_e5627efa2ab1"],
        ),
        (
            "[cryptocurrency-wallet:address = '12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw']",
            &["crypto-address 12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw"],
        ),
        ("[domain-name:resolves_to_refs[*].value = '192.0.2.1']", &["ipv4-addr 192.0.2.1"]),
        ("/* why */ [ domain-name:value == 'a.example' ] // end", &["domain-name a.example"]),
        ("[file:name = 'it\\'s.exe']", &["file-name it's.exe"]),
    ] {
        assert_eq!(got(pattern), wanted, "{pattern}");
    }
    for name in ["'SHA-256'", "sha256", "SHA256", "'SHA256'"] {
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(got(&format!("[file:hashes.{name} = '{digest}']")), [format!("sha256 {digest}")]);
    }
}

#[test]
fn valid_but_not_yet() {
    for (pattern, operator, at) in [
        ("[domain-name:value != 'a.example']", "NOT =", 1),
        ("[domain-name:value NOT = 'a.example']", "NOT =", 1),
        ("[domain-name:value LIKE '%.example']", "LIKE", 1),
        ("[domain-name:value MATCHES '^a']", "MATCHES", 1),
        ("[ipv4-addr:value ISSUPERSET '1.2.3.4/32']", "ISSUPERSET", 1),
        ("[process:name = 'x']", "the object path process:name", 1),
        ("[file:size > 10]", "the object path file:size", 1),
        ("[domain-name:value > 'a']", ">", 1),
        ("[EXISTS domain-name:value]", "EXISTS", 1),
        ("[domain-name:value = 'a.example' AND url:value = 'http://a/']", "AND", 1),
        ("[network-traffic:dst_ref.value = '1.2.3.4' AND network-traffic:src_port = 1]", "AND", 1),
        ("[domain-name:value = 'a.example'] AND [url:value = 'http://a/']", "AND between observations", 1),
        ("[domain-name:value = 'a.example'] FOLLOWEDBY [url:value = 'http://a/']", "FOLLOWEDBY", 1),
        ("[domain-name:value = 'a.example'] WITHIN 5.5 SECONDS", "WITHIN", 34),
        ("[domain-name:value = 'a.example'] REPEATS 3 TIMES", "REPEATS", 34),
        (
            "[domain-name:value = 'a.example'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00.5Z'",
            "START … STOP",
            34,
        ),
        ("[domain-name:value = 'a.example' OR process:name = 'x']", "the object path process:name", 36),
        ("[file:hashes.MD5 = h'00']", "a literal that is not a string", 19),
    ] {
        let error = values(pattern).unwrap_err();
        assert_eq!(error, PatternError::Unsupported { at, operator: operator.into() }, "{pattern}");
        assert_eq!(error.code(), "watch.pattern.unsupported");
    }
    // What can be had of a partly supported pattern is there for who asks.
    let partly = parse("[domain-name:value = 'a.example' OR process:name = 'x']").unwrap().exact().unwrap();
    assert_eq!((partly.values.len(), partly.unsupported.len()), (1, 1));
}

#[test]
fn invalid_patterns_name_the_place() {
    for (pattern, at) in [
        ("", 0),
        ("domain-name:value = 'a'", 0),
        ("[domain-name:value = 'a'", 24),
        ("[domain-name:value = 'a]", 21),
        ("[domain-name:value 'a']", 19),
        ("[domain-name = 'a']", 13),
        ("[domain-name:value = ]", 21),
        ("[domain-name:value = 'a'] OR", 28),
        ("[domain-name:value = 'a'] [url:value = 'b']", 26),
        ("[domain-name:value IN ('a' 'b')]", 27),
        ("[file:hashes.SHA-256 = 'a']", 13),
        ("[a:b = 'x\\n']", 9),
        ("[a:b = 1] WITHIN 0 SECONDS", 10),
        ("[a:b = 1] REPEATS 1.5 TIMES", 10),
        ("[a:b = 1] START t'2026-01-01T00:00:00Z'", 39),
        ("[a:b = 1] REPEATS 2 TIMES REPEATS 2 TIMES", 26),
        ("[a:b = 007]", 7),
        ("[a:b > true]", 7),
        ("[NOT a:b = 1]", 5),
        ("[a:IN = 1]", 3),
        ("[true:a = 1]", 1),
        ("[a:b = t'2026-02-30T00:00:00Z']", 7),
        ("/*/ [a:b = 1]", 0),
        ("[a:b = t'2026-13-01T00:00:00Z']", 7),
        ("[a:b = h'0']", 7),
        ("[a:b LIKE 5]", 10),
        ("[a:b = 99999999999999999999]", 7),
        ("[a:b = 1 ; c:d = 2]", 9),
        ("/* [a:b = 1]", 0),
    ] {
        assert_eq!(
            refused(pattern),
            ("watch.pattern.invalid", at),
            "{pattern}: {}",
            values(pattern).unwrap_err()
        );
    }
}

#[test]
fn limits_hold() {
    let long = format!("[domain-name:value = '{}']", "a".repeat(10 * 1024));
    assert_eq!(refused(&long), ("watch.pattern.too_large", 10 * 1024));
    let many = vec!["a:b=1"; 300].join(" OR ");
    assert_eq!(refused(&format!("[{many}]")).0, "watch.pattern.too_large");
    let deep = format!("{}[a:b = 1]{}", "(".repeat(65), ")".repeat(65));
    assert_eq!(refused(&deep).0, "watch.pattern.too_large");
    let fits = vec!["domain-name:value='a.example'"; 250].join(" OR ");
    assert_eq!(got(&format!("[{fits}]")), ["domain-name a.example"]);
}

#[test]
fn a_literal_that_is_no_value_of_its_kind_is_named() {
    assert_eq!(refused("[file:hashes.MD5 = 'xyz']"), ("watch.pattern.value", 19));
    assert_eq!(refused("[ipv4-addr:value = '1.2.3']"), ("watch.pattern.value", 19));
}

#[test]
fn paths_are_shown_as_written() {
    for path in ["file:hashes.'SHA-256'", "domain-name:resolves_to_refs[*].value", "a:b[0].c"] {
        let pattern = parse(&format!("[{path} = 'x']")).unwrap();
        let Observation::Test(Comparison::Test(test)) = pattern.root else { panic!("not one test") };
        assert_eq!(test.path.to_string(), path);
    }
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_stumble(pattern in prop_oneof![
        "\\PC{0,60}",
        "[\\[\\]()'= a-z:.,*\\\\0-9-]{0,60}",
        proptest::collection::vec(proptest::sample::select(vec!["[", "]", "(", ")", "domain-name:value", "=", "'a.example'", "AND", "OR", "NOT", "IN", ",", "FOLLOWEDBY",
            "WITHIN", "5", "SECONDS", "REPEATS", "TIMES", "START", "STOP", "t'2026-01-01T00:00:00Z'", "EXISTS", "LIKE", "h'00'", "true", "[*]", ".", "é"]), 0..20).prop_map(|all| all.join(" ")),
    ]) {
        if let Err(error) = values(&pattern) {
            prop_assert!(error.at() <= pattern.len());
            prop_assert!(error.code().starts_with("watch.pattern."));
        }
    }
}
