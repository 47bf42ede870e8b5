//! Lists of our own writing and in MISP's spelling, asked about values in every form.

use proptest::prelude::*;

use super::*;

fn value(text: &str) -> Value {
    let kind = match text {
        text if text.contains("://") => Kind::Url,
        text if text.contains('@') => Kind::Email,
        text if text.contains('/') || text.parse::<std::net::IpAddr>().is_ok() => Kind::Ipv4,
        text if text.parse::<std::net::SocketAddr>().is_ok() => Kind::IpPort,
        text if text.len() >= 32 && !text.contains('.') => return detect(text).unwrap(),
        _ => Kind::Domain,
    };
    Value::new(kind, text).unwrap()
}

fn list(json: serde_json::Value) -> Warninglist {
    Warninglist::read(json.to_string().as_bytes()).unwrap()
}

fn met(list: &Warninglist, text: &str) -> Option<(String, Met)> {
    list.check(&value(text)).map(|hit| (hit.entry, hit.met))
}

#[test]
fn every_shipped_list_is_read_whole() {
    let lists = Warninglists::shipped();
    assert_eq!(lists.iter().count(), SHIPPED.len());
    for list in lists.iter() {
        assert!(list.unread.is_empty() && list.entries > 0, "{}: {:?}", list.name, list.unread);
    }
}

#[test]
fn names_are_met_with_parents_and_subdomains_up_to_what_was_registered() {
    let list = list(serde_json::json!({
        "name": "names", "version": 3, "type": "hostname", "matching_attributes": ["domain", "hostname"],
        "list": ["Microsoft.com", ".github.io", "gc.ca", "www.agency.gov.uk", "10.1.2.3"]
    }));
    assert_eq!((list.version, list.unread.as_slice()), (3, &["10.1.2.3".to_owned()][..]));
    let is = |name: &str, how: Met| Some((name.to_owned(), how));
    for (text, wanted) in [
        ("microsoft.com", is("microsoft.com", Met::Exact)),
        ("MICROSOFT.com", is("microsoft.com", Met::Exact)),
        ("download.microsoft.com", is("microsoft.com", Met::Below)),
        ("a.b.download.microsoft.com", is("microsoft.com", Met::Below)),
        ("https://download.microsoft.com/a.exe", is("microsoft.com", Met::Below)),
        ("http://microsoft.com:8080/", is("microsoft.com", Met::Exact)),
        ("notmicrosoft.com", None),
        ("microsoft.com.evil.net", None),
        ("https://evil.net/microsoft.com", None),
        ("github.io", is("github.io", Met::Exact)),
        ("evil.github.io", None),
        ("tax.gc.ca", is("gc.ca", Met::Below)),
        ("agency.gov.uk", is("www.agency.gov.uk", Met::Above)),
        ("https://agency.gov.uk/", None),
        ("gov.uk", None),
        ("someone@microsoft.com", None),
        ("198.51.100.1", None),
    ] {
        assert_eq!(met(&list, text), wanted, "{text}");
    }
}

#[test]
fn networks_are_met_by_what_shares_an_address() {
    let list = list(serde_json::json!({
        "name": "nets", "version": "7", "type": "cidr", "matching_attributes": ["ip-dst"],
        "list": ["8.8.8.8", "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"]
    }));
    for (text, wanted) in [
        ("8.8.8.8", Some(("8.8.8.8", Met::Exact))),
        ("8.8.8.8:53", Some(("8.8.8.8", Met::Exact))),
        ("8.8.8.0/24", Some(("8.8.8.8", Met::Above))),
        ("0.0.0.0/0", Some(("10.1.0.0/16", Met::Above))),
        ("10.200.0.1", Some(("10.0.0.0/8", Met::Below))),
        ("10.1.0.0/24", Some(("10.1.0.0/16", Met::Below))),
        ("2001:db8:1::/48", Some(("2001:db8::/32", Met::Below))),
        ("::/0", Some(("2001:db8::/32", Met::Above))),
        ("::ffff:8.8.8.8", Some(("8.8.8.8", Met::Exact))),
        ("8.8.8.9", None),
        ("11.0.0.0", None),
        ("2001:db9::1", None),
    ] {
        let wanted = wanted.map(|(entry, met)| (entry.to_owned(), met));
        assert_eq!(met(&list, text), wanted, "{text}");
    }
    let named = Warninglists { lists: vec![list] };
    assert_eq!(named.check_text("hxxp://8.8.8[.]8/x").len(), 0, "the list is not for URLs");
    assert_eq!(named.check_text("8.8.8[.]8").len(), 1);
    assert_eq!(named.check_text("no value at all").len(), 0);
}

#[test]
fn whole_texts_parts_and_expressions_are_compared_as_their_type_says() {
    let hashes = list(serde_json::json!({
        "name": "h", "version": 1, "type": "string", "list": ["D41D8CD98F00B204E9800998ECF8427E"]
    }));
    assert!(met(&hashes, "d41d8cd98f00b204e9800998ecf8427e").is_some());
    let names = list(serde_json::json!({
        "name": "n", "version": 1, "type": "string", "matching_attributes": ["domain", "url"],
        "list": ["crl.example.org", ".below.example.org", "https://a.example.org/x"]
    }));
    assert_eq!(met(&names, "x.crl.example.org"), None, "a list of whole values says nothing of subdomains");
    assert_eq!(met(&names, "example.org").map(|hit| hit.1), Some(Met::Above));
    assert_eq!(met(&names, "x.below.example.org").map(|hit| hit.1), Some(Met::Below));
    assert_eq!(met(&names, "https://a.example.org/x").map(|hit| hit.1), Some(Met::Exact));
    let parts = list(serde_json::json!({
        "name": "p", "type": "substring", "matching_attributes": ["email-src"], "list": ["@trash."]
    }));
    assert_eq!(met(&parts, "a@trash.example").map(|hit| hit.1), Some(Met::Part));
    let expressions = list(serde_json::json!({
        "name": "e", "type": "regex", "matching_attributes": ["email-dst"],
        "list": ["/^(security|noc|soc|abuse)\\@.*\\..*$/i", "(unclosed", "(?<=look)behind"]
    }));
    assert_eq!(expressions.unread, ["(unclosed", "(?<=look)behind"]);
    assert!(met(&expressions, "SOC@example.org").is_some());
    assert_eq!(met(&expressions, "someone@example.org"), None);
}

#[test]
fn a_category_says_what_a_hit_means_and_what_is_no_list_is_refused() {
    for (category, wanted) in [
        (serde_json::json!(null), Category::FalsePositive),
        (serde_json::json!("false_positive"), Category::FalsePositive),
        (serde_json::json!("known"), Category::Known),
        (serde_json::json!("shared-hosting"), Category::SharedHosting),
        (serde_json::json!("something new"), Category::Known),
    ] {
        let mut file = serde_json::json!({"name": "c", "type": "string", "list": []});
        if !category.is_null() {
            file["category"] = category;
        }
        assert_eq!(list(file).category, wanted);
    }
    let error = Warninglist::read(b"[1]").unwrap_err();
    assert_eq!(error.code(), "exchange.warninglist.json");
    let many = vec!["a"; WARNINGLIST_REGEXES_MAX + 1];
    let file = serde_json::json!({"name": "c", "type": "regex", "list": many}).to_string();
    assert_eq!(
        Warninglist::read(file.as_bytes()).unwrap_err().code(),
        "exchange.warninglist.too_many_expressions"
    );
}

proptest! {
    /// What a list holds is found in it, with everything below, and nothing else is.
    #[test]
    fn a_list_finds_its_own(names in proptest::collection::btree_set("[a-d]{1,2}\\.[a-d]{1,2}\\.com", 1..20), asked in "[a-d]{1,2}\\.[a-d]{1,2}\\.com") {
        let list = list(serde_json::json!({"name": "x", "type": "hostname", "list": names}));
        for name in &names {
            prop_assert_eq!(met(&list, name).map(|hit| hit.1), Some(Met::Exact));
            prop_assert_eq!(met(&list, &format!("sub.{name}")).map(|hit| hit.1), Some(Met::Below));
        }
        prop_assert_eq!(met(&list, &asked).is_some(), names.contains(&asked));
    }

    /// The quick search over networks agrees with asking each.
    #[test]
    fn networks_agree_with_a_plain_search(nets in proptest::collection::vec((any::<u32>(), 4u8..=32), 1..20), ask in any::<u32>(), length in 4u8..=32) {
        let text = |net: u32, length: u8| format!("{}/{length}", std::net::Ipv4Addr::from(net));
        let all: Vec<String> = nets.iter().map(|(net, length)| text(*net, *length)).collect();
        let list = list(serde_json::json!({"name": "x", "type": "cidr", "list": all}));
        let range = |text: &str| reach::addresses(&Value::new(Kind::Ipv4, text).unwrap()).unwrap();
        let asked = text(ask, length);
        let plain = all.iter().any(|net| range(net).overlaps(&range(&asked)));
        prop_assert_eq!(met(&list, &asked).is_some(), plain);
    }
}
