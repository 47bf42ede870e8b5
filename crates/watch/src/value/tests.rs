//! Normal forms, detection and re-fanging.

use proptest::prelude::*;

use super::*;

fn shown(kind: Kind, text: &str) -> Result<(Kind, String), &'static str> {
    match Value::new(kind, text) {
        Ok(value) => Ok((value.kind(), value.to_string())),
        Err(ValueError::Text { why, .. }) => Err(why),
        Err(ValueError::Kind { .. }) => Err("kind"),
    }
}

#[test]
fn normal_forms() {
    use Kind::*;
    for (kind, text, wanted_kind, wanted) in [
        (Ipv4, "192.0.2.1", Ipv4, "192.0.2.1"),
        (Ipv4, " 192.0.2.1 ", Ipv4, "192.0.2.1"),
        (Ipv6, "::ffff:192.0.2.1", Ipv4, "192.0.2.1"),
        (Ipv4, "2001:DB8:0:0::1", Ipv6, "2001:db8::1"),
        (Ipv6, "fe80::1%eth0", Ipv6, "fe80::1"),
        (Ipv4, "198.51.100.77/24", Cidr4, "198.51.100.0/24"),
        (Cidr4, "198.51.100.77/32", Ipv4, "198.51.100.77"),
        (Cidr4, "0.0.0.0/0", Cidr4, "0.0.0.0/0"),
        (Cidr6, "2001:db8:1:2::/48", Cidr6, "2001:db8:1::/48"),
        (Cidr6, "2001:db8::1/128", Ipv6, "2001:db8::1"),
        (Cidr6, "::ffff:192.0.2.9/120", Cidr4, "192.0.2.0/24"),
        (IpPort, "192.0.2.1:9001", IpPort, "192.0.2.1:9001"),
        (IpPort, "[2001:db8::1]:443", IpPort, "[2001:db8::1]:443"),
        (Domain, "WWW.Example.COM.", Domain, "www.example.com"),
        (Domain, "bücher.example", Domain, "xn--bcher-kva.example"),
        (Domain, "_dmarc.a_b.example", Domain, "_dmarc.a_b.example"),
        (Url, "HTTP://User@EXAMPLE.com:80/A?b#c", Url, "http://User@example.com/A?b"),
        (Url, "https://example.com:8443", Url, "https://example.com:8443/"),
        (Url, "https://example.com?x", Url, "https://example.com/?x"),
        (Url, "example.com/A", Url, "//example.com/A"),
        (Url, "example.com:443/A", Url, "https://example.com/A"),
        (Url, "//example.com:8080/", Url, "//example.com:8080/"),
        (Url, "http://[2001:DB8::1]:80/x", Url, "http://[2001:db8::1]/x"),
        (Url, "http://192.000.002.001/x", Url, "http://192.0.2.1/x"),
        (Url, "http://bücher.example/ü", Url, "http://xn--bcher-kva.example/ü"),
        (Email, "Bob <Bob@EXAMPLE.com>", Email, "Bob@example.com"),
        (Md5, "D41D8CD98F00B204E9800998ECF8427E", Md5, "d41d8cd98f00b204e9800998ecf8427e"),
        (Ja4, "T13D1516H2_8DAAF6152771_e5627efa2ab1", Ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1"),
        (FileName, "MSSECSVC.exe", FileName, "mssecsvc.exe"),
        (
            CryptoAddress,
            "13AM4VW2dhxYgXeQepoHkHSQuy6NgaEb94",
            CryptoAddress,
            "13AM4VW2dhxYgXeQepoHkHSQuy6NgaEb94",
        ),
        (
            CryptoAddress,
            "BC1QAR0SRRR7XFKVY5L643LYDNW9RE59GTZZWF5MDQ",
            CryptoAddress,
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        ),
    ] {
        assert_eq!(shown(kind, text), Ok((wanted_kind, wanted.to_owned())), "{text}");
        assert_eq!(
            shown(wanted_kind, wanted),
            Ok((wanted_kind, wanted.to_owned())),
            "{wanted} is not its own normal form"
        );
    }
}

#[test]
fn what_is_refused() {
    use Kind::*;
    let long = format!("{}.example", "a".repeat(64));
    for (kind, text) in [
        (Ipv4, "256.1.1.1"),
        (Ipv4, "1.2.3"),
        (Ipv4, "1.2.3.4.5"),
        (Ipv4, ""),
        (Ipv4, "1.2.3.4/33"),
        (Ipv6, "2001:db8::/129"),
        (Ipv6, ":::"),
        (IpPort, "1.2.3.4"),
        (IpPort, "1.2.3.4:65536"),
        (IpPort, "2001:db8::1"),
        (Domain, ""),
        (Domain, "."),
        (Domain, "a..b"),
        (Domain, "a b.example"),
        (Domain, "1.2.3.4"),
        (Domain, "x.1234"),
        (Domain, &long),
        (Url, "http://"),
        (Url, "http://a b/"),
        (Url, "http:///x"),
        (Url, "http://example.com/a b"),
        (Email, "no-at.example"),
        (Email, "@example.com"),
        (Md5, "d41d8cd98f00b204e9800998ecf8427"),
        (Md5, "g41d8cd98f00b204e9800998ecf8427e"),
        (Ja4, "t13d1516h2_8daaf6152771"),
        (FileName, ""),
        (CryptoAddress, "1short"),
    ] {
        let refused = Value::new(kind, text);
        assert_eq!(refused.map_err(|error| error.code()), Err("watch.value.malformed"), "{text}");
    }
    assert!(Value::new(Kind::Domain, &"a.".repeat(5000)).is_err());
    assert_eq!("nonsense".parse::<Kind>().map_err(|error| error.code()), Err("watch.value.unknown_kind"));
}

#[test]
fn detection() {
    use Kind::*;
    for (text, wanted) in [
        ("192.0.2.1", Some((Ipv4, "192.0.2.1"))),
        ("192[.]0[.]2[.]1", Some((Ipv4, "192.0.2.1"))),
        ("[2001:db8::1]", Some((Ipv6, "2001:db8::1"))),
        ("10.0.0.0/8", Some((Cidr4, "10.0.0.0/8"))),
        ("1.2.3.4:9001", Some((IpPort, "1.2.3.4:9001"))),
        ("1.2.3.4[:]9001", Some((IpPort, "1.2.3.4:9001"))),
        ("evil.example", Some((Domain, "evil.example"))),
        ("\"evil[dot]example\",", Some((Domain, "evil.example"))),
        ("evil(.)co{.}example", Some((Domain, "evil.co.example"))),
        ("evil\\.example", Some((Domain, "evil.example"))),
        ("evil.example:8443", Some((Domain, "evil.example"))),
        ("gx7ekbenv2riucmf.onion", Some((Domain, "gx7ekbenv2riucmf.onion"))),
        ("hxxps://evil[.]example/a(1)", Some((Url, "https://evil.example/a(1)"))),
        ("hXXp[://]evil.example", Some((Url, "http://evil.example/"))),
        ("fxp://evil.example/a", Some((Url, "ftp://evil.example/a"))),
        ("evil.example/a/b.php", Some((Url, "//evil.example/a/b.php"))),
        ("evil.example/x.exe", Some((Url, "//evil.example/x.exe"))),
        ("1.2.3.4/a", Some((Url, "//1.2.3.4/a"))),
        ("mallory[at]evil[.]example", Some((Email, "mallory@evil.example"))),
        ("<mallory[@]evil.example>", Some((Email, "mallory@evil.example"))),
        ("d41d8cd98f00b204e9800998ecf8427e", Some((Md5, "d41d8cd98f00b204e9800998ecf8427e"))),
        (
            "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
            Some((Sha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709")),
        ),
        ("t13d1516h2_8daaf6152771_e5627efa2ab1", Some((Ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1"))),
        ("mssecsvc.exe", Some((FileName, "mssecsvc.exe"))),
        ("@Please_Read_Me@.txt", Some((FileName, "@please_read_me@.txt"))),
        ("C:\\Windows\\tasksche.exe", Some((FileName, "c:\\windows\\tasksche.exe"))),
        ("12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw", Some((CryptoAddress, "12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw"))),
        ("", None),
        ("# comment", None),
        ("word", None),
        ("two words", None),
        ("1.2.3.4.5", None),
        ("2026-01-01", None),
        ("v1.2", None),
        ("example.com evil", None),
    ] {
        let found = detect(text);
        assert_eq!(
            found.as_ref().map(|value| (value.kind(), value.to_string())),
            wanted.map(|(k, v)| (k, v.to_owned())),
            "{text}"
        );
    }
}

#[test]
fn every_kind_has_a_name_that_reads_back() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse::<Kind>(), Ok(kind));
        assert_eq!(Kind::from_number(kind as u8), Some(kind));
    }
    assert_eq!(Kind::from_number(16), None);
}

proptest! {
    /// A normal form is its own normal form, and nothing written makes the reader stumble.
    #[test]
    fn normal_forms_are_fixed(kind in proptest::sample::select(Kind::ALL.to_vec()), text in prop_oneof![
        "\\PC{0,40}", "[a-zA-Z0-9.:/@%?#_\\[\\]-]{0,40}", "(https?://)?[a-zA-Z0-9.-]{1,20}(:[0-9]{1,5})?(/[a-z?#]{0,9})?",
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2}|:[0-9]{1,5})?", "[0-9a-f:]{2,39}(/[0-9]{1,3})?",
    ]) {
        if let Ok(value) = Value::new(kind, &text) {
            let again = Value::new(value.kind(), &value.to_string());
            prop_assert_eq!(again.as_ref(), Ok(&value));
        }
        if let Some(value) = detect(&text) {
            prop_assert_eq!(Value::new(value.kind(), &value.to_string()), Ok(value));
        }
        prop_assert!(refang(&refang(&text)).len() <= text.len() + 1);
    }

    /// The fast IPv4 reader takes what the standard library takes (and leading zeros besides).
    #[test]
    fn ipv4_agrees_with_std(text in "[0-9.]{5,17}|[0-9]{7,15}|[0-9]{1,3}(\\.[0-9]{1,3}){3}") {
        let ours = normal::ipv4(text.as_bytes());
        if let Ok(theirs) = text.parse::<std::net::Ipv4Addr>() {
            prop_assert_eq!(ours, Some(u32::from(theirs)));
        } else if let Some(ours) = ours {
            let plain = std::net::Ipv4Addr::from(ours);
            prop_assert!(text.split('.').zip(plain.octets()).all(|(part, octet)| part.parse() == Ok(octet)));
            prop_assert!(text.split('.').any(|part| part.len() > 1 && part.starts_with('0')));
        }
    }
}
