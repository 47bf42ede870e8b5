//! Postings: what is found by what objects hold, as long as they hold it, and never through another's group.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::net::IpAddr;

use common::{World, key, open};
use proptest::prelude::*;
use shieldwall_ledger::Ledger;
use shieldwall_ledger::reading::{Condition, Prefix, SearchQuery, Test};
use shieldwall_ledger::views::Key;
use shieldwall_model::id::GroupId;
use shieldwall_model::realm::Realm;

fn id(number: u32) -> String {
    format!("indicator--8e2e2d2b-17d4-4cbf-938f-{number:012}")
}

/// Shares a version of an object that holds these keys.
fn hold(hub: &Ledger, world: &World, member: usize, group: GroupId, number: u32, version: i64, keys: &str) {
    let body = format!("indicator|{}|{version}|2.1|name||{keys}", id(number));
    hub.append_blocking(vec![world.draft(member, group, "object", &body)]).unwrap();
}

fn sharing(hub: &Ledger, world: &World, member: usize, text: &str) -> Vec<String> {
    let reading = hub.read().unwrap();
    let scope = world.scope(member);
    let found = reading.sharing(&scope, &key(text), 100).unwrap().into_inner();
    let count = reading.sharing_counts(&scope, &[key(text)]).unwrap().into_inner();
    assert_eq!(count, [found.len()]);
    let query = SearchQuery {
        conditions: vec![Condition { not: false, test: Test::Holds(vec![key(text)]) }],
        limit: 100,
        ..SearchQuery::default()
    };
    let searched = reading.search(&scope, &query).unwrap().into_inner();
    let ids = |rows: Vec<shieldwall_ledger::views::ObjectRecord>| {
        let mut ids: Vec<String> =
            rows.into_iter().map(|row| row.id[row.id.len() - 2..].to_owned()).collect();
        ids.sort();
        ids
    };
    let found = ids(found);
    assert_eq!(ids(searched.rows), found, "search and correlation find the same");
    found
}

#[test]
fn objects_are_found_by_what_their_version_in_use_holds() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    hold(&hub, &world, 0, world.pair, 1, 1, "a b");
    hold(&hub, &world, 0, world.pair, 2, 1, "a");
    assert_eq!(sharing(&hub, &world, 0, "a"), ["01", "02"]);
    hold(&hub, &world, 0, world.pair, 1, 2, "b c");
    assert_eq!(sharing(&hub, &world, 0, "a"), ["02"], "a later version has let go of it");
    assert_eq!(sharing(&hub, &world, 0, "c"), ["01"]);
    hub.append_blocking(vec![world.draft(0, world.pair, "withdraw", &id(1))]).unwrap();
    assert_eq!(sharing(&hub, &world, 0, "c"), [""; 0], "what was taken back is gone");
    hold(&hub, &world, 0, world.pair, 1, 3, "c");
    assert_eq!(sharing(&hub, &world, 0, "c"), ["01"], "a later version brings it back");
}

#[test]
fn nothing_of_another_group_is_found_or_counted() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    hold(&hub, &world, 0, world.pair, 1, 1, "a 192.0.2.1");
    hold(&hub, &world, 2, world.other, 2, 1, "a 192.0.2.2 192.0.0.0/16");
    assert_eq!(sharing(&hub, &world, 0, "a"), ["01"]);
    assert_eq!(sharing(&hub, &world, 1, "a"), ["01", "02"]);
    assert_eq!(sharing(&hub, &world, 2, "a"), ["02"]);
    let reading = hub.read().unwrap();
    let net: IpAddr = "192.0.2.0".parse().unwrap();
    assert_eq!(*reading.inside_count(&world.scope(0), net, 24, 10).unwrap(), 1);
    assert_eq!(*reading.inside_count(&world.scope(1), net, 24, 10).unwrap(), 2);
    assert_eq!(*reading.prefixes(&world.scope(0)).unwrap(), []);
    assert_eq!(*reading.prefixes(&world.scope(2)).unwrap(), [Prefix { v6: false, length: 16 }]);
}

#[test]
fn counts_stop_at_their_limit() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    for number in 0..30 {
        hold(&hub, &world, 0, world.pair, number, 1, &format!("a 192.0.2.{number}"));
    }
    let reading = hub.read().unwrap();
    let net: IpAddr = "192.0.2.0".parse().unwrap();
    assert_eq!(*reading.inside_count(&world.scope(0), net, 24, 10).unwrap(), 11);
    assert_eq!(reading.inside(&world.scope(0), net, 24, 7).unwrap().len(), 7);
    assert_eq!(reading.sharing(&world.scope(0), &key("a"), 7).unwrap().len(), 7);
}

#[test]
fn a_rebuilt_view_finds_the_same() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let dump = || {
        let mut lines = Vec::new();
        shieldwall_ledger::dump::dump_views(dir.path(), &Realm::Real, &mut lines).unwrap();
        String::from_utf8(lines).unwrap()
    };
    let hub = open(dir.path());
    for number in 0..40 {
        hold(&hub, &world, 0, world.pair, number, 1, "a 192.0.2.1 198.51.100.0/24");
        if number % 3 == 0 {
            hold(&hub, &world, 0, world.pair, number, 2, "b");
        }
    }
    hub.close().unwrap();
    let before = dump();
    assert_eq!(before.lines().filter(|line| line.starts_with("key ")).count(), 26 * 3 + 14);
    shieldwall_ledger::rebuild(
        dir.path(),
        Realm::Real,
        Box::new(common::TestFold::default()),
        &mut |_, _| {},
    )
    .unwrap();
    assert_eq!(dump(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Containment both ways, against the definition: the bits of the prefix are equal.
    #[test]
    fn networks_and_addresses_find_each_other(
        addresses in proptest::collection::vec(0u32..64, 1..12),
        nets in proptest::collection::vec((0u32..64, 26u8..=32), 1..8),
    ) {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
        let hub = open(dir.path());
        let base = u32::from_be_bytes([192, 0, 2, 0]);
        let ip = |low: u32| IpAddr::V4((base | low).into());
        for (number, low) in (0..).zip(&addresses) {
            hold(&hub, &world, 0, world.pair, number, 1, &ip(*low).to_string());
        }
        for (number, (low, length)) in (50..).zip(&nets) {
            let Some(Key::Network(net, length)) = Key::around(ip(*low), *length) else { panic!() };
            hold(&hub, &world, 0, world.pair, number, 1, &format!("{net}/{length}"));
        }
        let reading = hub.read().unwrap();
        let scope = world.scope(0);
        let lengths = reading.prefixes(&scope).unwrap().into_inner();
        let inside = |low: u32, net: u32, length: u8| low >> (32 - u32::from(length)) == net >> (32 - u32::from(length));
        for low in &addresses {
            let mut around = 0;
            for prefix in lengths.iter().filter(|prefix| prefix.suits(ip(*low))) {
                let Some(key) = Key::around(ip(*low), prefix.length) else { continue };
                around += reading.sharing(&scope, &key, 100).unwrap().len();
            }
            let expected = nets.iter().filter(|(net, length)| inside(base | *low, base | *net, *length)).count();
            prop_assert_eq!(around, expected);
        }
        for (low, length) in &nets {
            let Some(Key::Network(net, length)) = Key::around(ip(*low), *length) else { panic!() };
            let found = reading.inside(&scope, net, length, 1_000).unwrap();
            let addresses = addresses.iter().filter(|one| inside(base | **one, base | *low, length)).count();
            let within = nets.iter().filter(|(other, longer)| *longer >= length && inside(base | *other, base | *low, length)).count();
            prop_assert_eq!(found.len(), addresses + within);
        }
    }
}
