//! Lookups and change.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::value::detect;

fn value(text: &str) -> Value {
    detect(text).unwrap_or_else(|| panic!("{text}"))
}

fn list(values: &[&str]) -> Watchlist {
    let mut builder = Builder::new(4);
    for (index, text) in values.iter().enumerate() {
        builder.add(&value(text), index as u32).unwrap();
    }
    builder.build().unwrap()
}

fn ips(list: &Watchlist, ip: &str, port: Option<u16>) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    list.find_ip(ip.parse().unwrap(), port, &mut |value, id| {
        assert!(found.insert((id, value.to_string())), "twice")
    });
    found.into_iter().map(|(id, _)| id).collect()
}

fn names(list: &Watchlist, name: &str) -> Vec<u32> {
    let mut found = Vec::new();
    list.find_domain(name.as_bytes(), &mut |_, id| found.push(id));
    found
}

fn urls(list: &Watchlist, url: &str) -> Vec<u32> {
    let mut found = Vec::new();
    let url = Value::new(Kind::Url, url).unwrap();
    list.find_url(url.bytes(), &mut |_, id| found.push(id));
    found
}

#[test]
fn networks_of_every_length() {
    let list = list(&[
        "0.0.0.0/0",
        "128.0.0.0/1",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.0/24",
        "10.1.2.128/25",
        "10.1.2.130",
        "2001:db8::/32",
        "::/0",
    ]);
    assert_eq!(ips(&list, "10.1.2.130", None), BTreeSet::from([0, 2, 3, 4, 5, 6]));
    assert_eq!(ips(&list, "10.1.2.1", None), BTreeSet::from([0, 2, 3, 4]));
    assert_eq!(ips(&list, "200.1.2.1", None), BTreeSet::from([0, 1]));
    assert_eq!(ips(&list, "2001:db8:1::1", None), BTreeSet::from([7, 8]));
    assert_eq!(ips(&list, "2002:db8:1::1", None), BTreeSet::from([8]));
}

#[test]
fn an_address_and_port_are_one_value() {
    let list = list(&["192.0.2.1:80", "192.0.2.1:443", "192.0.2.1"]);
    assert_eq!(ips(&list, "192.0.2.1", Some(443)), BTreeSet::from([1, 2]));
    assert_eq!(ips(&list, "192.0.2.1", None), BTreeSet::from([2]));
}

#[test]
fn names_match_from_the_listed_one_down() {
    let list = list(&["evil.example", "b.evil.example", "co.example"]);
    assert_eq!(names(&list, "evil.example"), [0]);
    assert_eq!(names(&list, "a.b.evil.example"), [0, 1]);
    for stranger in ["notevil.example", "example", "evil.example.test", "l.example", ""] {
        assert_eq!(names(&list, stranger), [0u32; 0], "{stranger}");
    }
    // The hash folds these two onto each other; the comparison does not.
    assert_eq!(names(&list, "evil\u{e}example"), [0u32; 0]);
    // One label is matched only if it is listed itself.
    let mut builder = Builder::new(4);
    builder.add(&Value::new(Kind::Domain, "onion").unwrap(), 7).unwrap();
    let whole = builder.build().unwrap();
    assert_eq!(names(&whole, "abc.onion"), [7]);
    assert_eq!(names(&whole, "onion"), [7]);
    assert_eq!(names(&whole, "xonion"), [0u32; 0]);
}

#[test]
fn a_url_without_a_scheme_stands_for_any() {
    let list = list(&["http://a.example/x", "b.example/x", "https://a.example/x"]);
    assert_eq!(urls(&list, "http://a.example/x"), [0]);
    assert_eq!(urls(&list, "https://a.example/x"), [2]);
    assert_eq!(urls(&list, "//a.example/x"), [0, 2]);
    assert_eq!(urls(&list, "ftp://b.example/x"), [1]);
    assert_eq!(urls(&list, "http://b.example/X"), [0u32; 0]);
}

#[test]
fn who_lists_what_can_be_asked() {
    let list = list(&["evil.example", "192.0.2.1"]);
    assert_eq!(list.indicators_of(&value("192.0.2.1")), [1]);
    assert_eq!(list.indicators_of(&value("192.0.2.2")), [0u32; 0]);
    assert_eq!(list.values(), 2);
}

fn pairs_of(list: &Watchlist) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    list.for_each(|value, id| assert!(found.insert((value.to_string(), id)), "{value} {id} twice"));
    found
}

proptest! {
    /// A live watchlist holds what a plain map under the same changes holds, merged or not.
    #[test]
    fn changes_are_those_of_a_map(
        start in proptest::collection::vec((0u32..12, 0usize..9), 0..20),
        steps in proptest::collection::vec(proptest::collection::vec((0u32..12, proptest::option::of(proptest::collection::vec(0usize..9, 0..3))), 1..4), 0..8),
        merge_at in 0usize..10,
    ) {
        let texts = ["a.example", "b.a.example", "192.0.2.1", "192.0.2.0/24", "198.51.100.0/28", "192.0.2.1:80", "http://a.example/x", "2001:db8::/32", "x.exe"];
        let mut model: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        let mut builder = Builder::new(1);
        for (id, text) in &start {
            builder.add(&value(texts[*text]), *id).unwrap();
            model.entry(*id).or_default().insert(*text);
        }
        let live = LiveWatchlist::new(builder.build().unwrap());
        for (number, step) in steps.iter().enumerate() {
            let changes = step.iter().map(|(indicator, put)| match put {
                Some(values) => Change::Put { indicator: *indicator, values: values.iter().map(|at| value(texts[*at])).collect() },
                None => Change::Remove { indicator: *indicator },
            });
            prop_assert_eq!(live.apply(changes), Ok(number as u64 + 1));
            for (indicator, put) in step {
                model.remove(indicator);
                if let Some(values) = put {
                    model.insert(*indicator, values.iter().copied().collect());
                }
            }
            if number == merge_at {
                live.merge().unwrap();
            }
            let wanted: BTreeSet<(String, u32)> =
                model.iter().flat_map(|(id, all)| all.iter().map(|at| (value(texts[*at]).to_string(), *id))).collect();
            let now = live.current();
            prop_assert_eq!(pairs_of(&now), wanted.clone());
            let has = |text: &str| wanted.iter().filter(|(listed, _)| listed == text).map(|(_, id)| *id).collect::<BTreeSet<u32>>();
            let address: BTreeSet<u32> = has("192.0.2.1").into_iter().chain(has("192.0.2.0/24")).chain(has("192.0.2.1:80")).collect();
            prop_assert_eq!(ips(&now, "192.0.2.1", Some(80)), address);
            prop_assert_eq!(names(&now, "c.b.a.example").into_iter().collect::<BTreeSet<u32>>(), has("a.example").into_iter().chain(has("b.a.example")).collect());
        }
    }
}

#[test]
fn a_large_delta_is_merged_by_itself() {
    let live = LiveWatchlist::new(list(&["evil.example"]));
    let many = (0..100_001u32).map(|number| Change::Put {
        indicator: number + 1,
        values: vec![Value::from_ip(std::net::IpAddr::V4(number.into()))],
    });
    assert_eq!(live.apply(many), Ok(1));
    let now = live.current();
    assert!(now.delta.is_none() && now.dropped.is_empty());
    assert_eq!((now.values(), now.version()), (100_002, 1));
    assert_eq!(ips(&now, "0.0.0.9", None), BTreeSet::from([10]));
}
