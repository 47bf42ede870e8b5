//! Pages, filters and search: complete, stable while the hub writes, and never a row of another's group.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{World, open, open_at, start};
use proptest::prelude::*;
use shieldwall_ledger::reading::{
    EntryQuery, NewestCursor, ObjectQuery, SearchCursor, SearchQuery, StoredObject, VersionFilter,
};
use shieldwall_ledger::{Ledger, Positions};
use shieldwall_model::id::GroupId;
use shieldwall_model::time::{ManualClock, Timestamp};

fn id(kind: &str, number: u32) -> String {
    format!("{kind}--8e2e2d2b-17d4-4cbf-938f-{number:012}")
}

fn seconds(version: i64) -> Timestamp {
    Timestamp::from_micros(version * 1_000_000)
}

/// Ids and versions of a page, in its order.
fn versions(hub: &Ledger, world: &World, query: &ObjectQuery) -> Vec<(String, i64)> {
    let reading = hub.read().unwrap();
    let scope = world.scope(0);
    let page = reading.objects(&scope, query).unwrap().into_inner();
    let manifest = reading.manifest(&scope, query).unwrap().into_inner();
    assert_eq!(manifest.more, page.more);
    assert_eq!(page.rows.iter().map(|row| row.record.clone()).collect::<Vec<_>>(), manifest.rows);
    let mut bytes = Vec::new();
    let end =
        reading.object_bytes(&scope, query, |body| bytes.push(Some(body.to_vec()))).unwrap().into_inner();
    assert_eq!(bytes, page.rows.iter().map(|row| row.bytes.clone()).collect::<Vec<_>>());
    assert_eq!((end.objects, end.more), (page.rows.len(), page.more));
    let of = |row: Option<&StoredObject>| row.map(|row| (row.record.added, row.record.sequence));
    assert_eq!(end.first, of(page.rows.first()).map(|(added, _)| added));
    assert_eq!(end.last.zip(end.sequence), of(page.rows.last()));
    manifest.rows.into_iter().map(|row| (row.id, row.version.as_seconds())).collect()
}

#[test]
fn pages_are_complete_and_stable_while_the_hub_writes_and_its_clock_stands_still() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    // All entries get the same clock time, so that the order by time added must come from the rule alone.
    let hub = open_at(dir.path(), Arc::new(ManualClock::new(start())));
    let add = |from: u32| {
        let drafts = (from..from + 50).map(|n| world.object(0, world.pair, &id("indicator", n), 1, "x"));
        hub.append_blocking(drafts.collect()).unwrap();
    };
    add(0);
    add(50);
    let (mut after, mut seen, mut next) = (None, Vec::new(), 100);
    loop {
        let query = ObjectQuery { after, ..ObjectQuery::new(world.pair, 7) };
        let page = hub.read().unwrap().objects(&world.scope(0), &query).unwrap().into_inner();
        if next < 300 {
            add(next);
            next += 50;
        }
        after = page.rows.last().map(|row| row.record.sequence);
        seen.extend(page.rows.into_iter().map(|row| (row.record.added, row.record.id)));
        if !page.more {
            break;
        }
    }
    let ids: BTreeSet<&String> = seen.iter().map(|(_, id)| id).collect();
    assert_eq!((ids.len(), seen.len()), (300, 300));
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
    // By `added_after`, as TAXII clients page, the same comes out.
    let mut query = ObjectQuery::new(world.pair, 11);
    let mut again = Vec::new();
    loop {
        let page = hub.read().unwrap().manifest(&world.scope(0), &query).unwrap().into_inner();
        query.added_after = page.rows.last().map(|row| row.added).or(query.added_after);
        again.extend(page.rows.into_iter().map(|row| (row.added, row.id)));
        if !page.more {
            break;
        }
    }
    assert_eq!(again, seen);
}

#[test]
fn versions_mean_what_taxii_says_also_together() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let (a, b) = (id("indicator", 1), id("malware", 2));
    let put = |id: &str, version: i64, spec: &str| {
        let kind = id.split("--").next().unwrap();
        let body = format!("{kind}|{id}|{version}|{spec}|words|");
        hub.append_blocking(vec![world.draft(0, world.pair, "object", &body)]).unwrap()[0].time
    };
    put(&a, 2, "2.0");
    put(&b, 5, "2.1");
    let third = put(&a, 3, "2.1");
    // A version older than all before comes last; a version twice changes nothing.
    put(&a, 1, "2.0");
    put(&a, 3, "2.1");
    let all = ObjectQuery::new(world.pair, 100);
    let with = |change: &dyn Fn(&mut ObjectQuery)| {
        let mut query = all.clone();
        change(&mut query);
        versions(&hub, &world, &query)
    };
    let only = |first, last, at: &[i64]| VersionFilter {
        first,
        last,
        all: false,
        at: at.iter().map(|version| seconds(*version)).collect(),
    };
    let (a_of, b_of) = (|version| (a.clone(), version), |version| (b.clone(), version));
    assert_eq!(with(&|_| {}), [b_of(5), a_of(3)]);
    assert_eq!(with(&|q| q.versions = VersionFilter::every()), [a_of(2), b_of(5), a_of(3), a_of(1)]);
    assert_eq!(with(&|q| q.versions = only(true, false, &[])), [b_of(5), a_of(1)]);
    assert_eq!(with(&|q| q.versions = only(true, true, &[])), [b_of(5), a_of(3), a_of(1)]);
    assert_eq!(with(&|q| q.versions = only(false, false, &[2])), [a_of(2)]);
    assert_eq!(with(&|q| q.versions = only(false, true, &[2])), [a_of(2), b_of(5), a_of(3)]);
    assert_eq!(with(&|q| q.versions = only(false, false, &[])), []);
    assert_eq!(with(&|q| q.spec_versions = vec!["2.0".into()]), [a_of(2)], "the last of that specification");
    assert_eq!(with(&|q| q.spec_versions = vec!["2.0".into(), "2.1".into()]), [b_of(5), a_of(3)]);
    let first_of_21 = with(&|q| {
        q.spec_versions = vec!["2.1".into()];
        q.versions = only(true, false, &[]);
    });
    assert_eq!(first_of_21, [b_of(5), a_of(3)]);
    // The last version of `a` was added at `third`: nothing after it is last.
    assert_eq!(with(&|q| q.added_after = Some(third)), []);
    assert_eq!(with(&|q| q.added_after = Some(third.plus_micros(-1))), [a_of(3)]);
    assert_eq!(with(&|q| q.types = vec!["malware".into()]), [b_of(5)]);
    assert_eq!(with(&|q| q.types = vec!["malware".into(), "indicator".into()]), [b_of(5), a_of(3)]);
    assert_eq!(with(&|q| q.ids = vec![a.clone(), "x' OR 1=1".into()]), [a_of(3)]);
    let both = with(&|q| {
        q.ids = vec![a.clone()];
        q.types = vec!["malware".into()];
    });
    assert_eq!(both, []);
}

#[test]
fn what_is_withdrawn_is_gone_until_a_new_version_comes() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let a = id("indicator", 1);
    let put = |version| {
        hub.append_blocking(vec![world.object(0, world.pair, &a, version, "kerberos")]).unwrap();
    };
    let last = || versions(&hub, &world, &ObjectQuery::new(world.pair, 9));
    let found = || {
        let query = SearchQuery { text: "kerb".into(), limit: 9, ..SearchQuery::default() };
        hub.read().unwrap().search(&world.scope(0), &query).unwrap().rows.len()
    };
    put(1);
    put(2);
    assert_eq!((last(), found()), (vec![(a.clone(), 2)], 1));
    hub.append_blocking(vec![world.draft(0, world.pair, "withdraw", &a)]).unwrap();
    assert_eq!((last(), found()), (vec![], 0));
    let with = ObjectQuery { include_withdrawn: true, ..ObjectQuery::new(world.pair, 9) };
    assert_eq!(versions(&hub, &world, &with), [(a.clone(), 2)]);
    assert_eq!(hub.read().unwrap().counts(&world.scope(0)).unwrap().by_type(), BTreeMap::new());
    put(3);
    assert_eq!((last(), found()), (vec![(a.clone(), 3)], 1));
    assert_eq!(versions(&hub, &world, &with), [(a.clone(), 3)]);
    let first = VersionFilter { first: true, last: false, all: false, at: vec![] };
    let first = ObjectQuery { versions: first, ..ObjectQuery::new(world.pair, 9) };
    assert_eq!(versions(&hub, &world, &first), [(a.clone(), 3)]);
    let all = hub.read().unwrap().object(&world.scope(0), &a).unwrap().into_inner();
    let flags: Vec<_> = all.iter().map(|o| (o.record.withdrawn, o.record.latest)).collect();
    assert_eq!(flags, [(true, false), (true, false), (false, true)]);
    hub.append_blocking(vec![world.draft(0, world.pair, "revoke", &a)]).unwrap();
    let latest = hub.read().unwrap().latest_object(&world.scope(0), world.pair, &a).unwrap().unwrap();
    assert!(latest.revoked && !latest.withdrawn);
}

#[test]
fn a_revocation_is_told_to_those_who_ask_for_it_alone() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let (a, b) = (id("indicator", 1), id("indicator", 2));
    let put = |id: &str, version| {
        hub.append_blocking(vec![world.object(0, world.pair, id, version, "kerberos")]).unwrap()[0].sequence
    };
    let revoke = |version: i64| {
        let body = format!("indicator|{a}|{version}|2.1|kerberos|");
        let drafts =
            vec![world.draft(0, world.pair, "withdraw", &a), world.draft(0, world.pair, "revocation", &body)];
        hub.append_blocking(drafts).unwrap()[1].sequence
    };
    put(&a, 1);
    let before = put(&b, 1);
    let at = revoke(2);
    let used = ObjectQuery::new(world.pair, 9);
    let told = |since| ObjectQuery { revocations_after: Some(since), ..ObjectQuery::new(world.pair, 9) };
    assert_eq!(versions(&hub, &world, &used), [(b.clone(), 1)]);
    assert_eq!(versions(&hub, &world, &told(before)), [(a.clone(), 2)]);
    assert!(versions(&hub, &world, &told(at)).is_empty());
    let until = ObjectQuery { until: Some(at - 1), ..told(0) };
    assert!(versions(&hub, &world, &until).is_empty());
    let latest = hub.read().unwrap().latest_object(&world.scope(0), world.pair, &a).unwrap().unwrap();
    assert!(latest.withdrawn && latest.revoked && latest.version == seconds(2), "what is known of it now");
    // Shared again, it is in use again, alone, and was still revoked once.
    put(&a, 3);
    assert_eq!(versions(&hub, &world, &used), [(b, 1), (a.clone(), 3)]);
    assert!(versions(&hub, &world, &told(before)).is_empty(), "no longer its last version");
    let all = ObjectQuery { versions: VersionFilter::every(), ..told(before) };
    assert_eq!(versions(&hub, &world, &all), [(a, 2)]);
}

#[test]
fn what_was_withdrawn_comes_back_as_of_the_entry_that_shares_it_again() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let a = id("indicator", 1);
    let put = |version| {
        hub.append_blocking(vec![world.object(0, world.pair, &a, version, "kerberos")]).unwrap()[0].sequence
    };
    for version in 1..=3 {
        put(version);
    }
    let gone = |versions: &str| {
        let body = format!("{a}|{versions}");
        hub.append_blocking(vec![world.draft(0, world.pair, "withdraw-versions", &body)]).unwrap();
    };
    let of = |versions_of| {
        let query = ObjectQuery { versions: versions_of, ..ObjectQuery::new(world.pair, 9) };
        versions(&hub, &world, &query).into_iter().map(|(_, version)| version).collect::<Vec<_>>()
    };
    let first = || VersionFilter { first: true, last: false, all: false, at: vec![] };
    gone("1");
    assert_eq!((of(first()), of(VersionFilter::default())), (vec![2], vec![3]));
    // The last version goes, and the one before it comes back as the last.
    gone("3|2");
    assert_eq!(of(VersionFilter::every()), Vec::<i64>::new());
    let again = put(2);
    assert_eq!(
        (of(first()), of(VersionFilter::default()), of(VersionFilter::every())),
        (vec![2], vec![2], vec![2])
    );
    let latest = hub.read().unwrap().latest_object(&world.scope(0), world.pair, &a).unwrap().unwrap();
    assert_eq!((latest.sequence, latest.withdrawn, latest.first), (again, false, true));
    put(4);
    gone("4|9");
    assert_eq!((of(first()), of(VersionFilter::default())), (vec![2], vec![2]), "none of another object's");
}

#[test]
fn what_was_added_after_a_time_is_found_whatever_lies_between() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let mut added = Vec::new();
    for number in 0..40 {
        // Sequences of objects have gaps, and so have their times.
        let other = world.draft(0, world.pair, "note", "");
        let mut drafts = vec![other; number as usize % 4];
        drafts.push(world.object(0, world.pair, &id("indicator", number), 1, "x"));
        added.push(hub.append_blocking(drafts).unwrap().last().unwrap().time);
    }
    for (at, time) in added.iter().enumerate() {
        for (time, left) in [(*time, 39 - at), (time.plus_micros(-1), 40 - at)] {
            let query = ObjectQuery { added_after: Some(time), ..ObjectQuery::new(world.pair, 100) };
            assert_eq!(versions(&hub, &world, &query).len(), left, "after {time}");
        }
    }
    let nothing = ObjectQuery { added_after: Some(start()), ..ObjectQuery::new(world.other, 100) };
    assert_eq!(hub.read().unwrap().objects(&world.scope(1), &nothing).unwrap().rows.len(), 0);
}

#[test]
fn the_full_text_index_goes_on_where_it_was_and_is_made_anew_when_it_is_gone_or_of_another_ledger() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let add = |hub: &Ledger, number| {
        hub.append_blocking(vec![world.object(0, world.pair, &id("indicator", number), 1, "beacon")])
            .unwrap();
    };
    let found = |hub: &Ledger| {
        let query = SearchQuery { text: "beacon".into(), limit: 100, ..SearchQuery::default() };
        hub.read().unwrap().search(&world.scope(0), &query).unwrap().rows.len()
    };
    let texts = dir.path().join("real/texts.db");
    let hub = open(dir.path());
    add(&hub, 0);
    hub.close().unwrap();
    let one = std::fs::read(&texts).unwrap();
    let hub = open(dir.path());
    assert_eq!(found(&hub), 1);
    add(&hub, 1);
    assert_eq!(found(&hub), 2, "whoever has shared finds it");
    hub.close().unwrap();
    std::fs::write(&texts, &one).unwrap();
    let hub = open(dir.path());
    assert_eq!(found(&hub), 2, "an older state goes on");
    hub.close().unwrap();
    for broken in [None, Some("no database at all, but long enough to look at as if it were one")] {
        std::fs::remove_file(&texts).unwrap();
        broken.into_iter().for_each(|text| std::fs::write(&texts, text).unwrap());
        let hub = open(dir.path());
        assert_eq!(found(&hub), 2, "made anew");
        assert_eq!(hub.texts_behind(), 0);
        hub.close().unwrap();
    }
    let other = tempfile::tempdir().unwrap();
    let own = Arc::new(shieldwall_model::id::RepeatableEntropy::new(99));
    let clock = Arc::new(ManualClock::new(start()));
    let hub =
        Ledger::open(common::options(other.path()), clock, own, Box::<common::TestFold>::default()).unwrap();
    add(&hub, 7);
    assert_eq!(found(&hub), 1);
    hub.close().unwrap();
    std::fs::copy(other.path().join("real/texts.db"), &texts).unwrap();
    assert_eq!(found(&open(dir.path())), 2, "another ledger's");
}

#[test]
fn search_finds_words_in_the_latest_version_and_pages_newest_first() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let mut drafts: Vec<_> =
        (0..9).map(|n| world.object(1, world.pair, &id("indicator", n), 1, "évil.example beacon")).collect();
    drafts.extend((0..9).map(|n| world.object(1, world.other, &id("malware", n), 1, "evil loader")));
    hub.append_blocking(drafts).unwrap();
    hub.append_blocking(vec![world.object(1, world.pair, &id("indicator", 3), 2, "harmless")]).unwrap();
    let all = |text: &str, change: &dyn Fn(&mut SearchQuery)| {
        let mut query = SearchQuery { text: text.into(), limit: 4, ..SearchQuery::default() };
        change(&mut query);
        let mut hits = Vec::new();
        loop {
            let page = hub.read().unwrap().search(&world.scope(1), &query).unwrap().into_inner();
            hits.extend(page.rows);
            query.after = page.next;
            if page.next.is_none() {
                return hits;
            }
        }
    };
    assert_eq!(all("evil", &|_| {}).len(), 17);
    assert_eq!(all("EVIL exam", &|_| {}).len(), 8, "words of any case, the last one open");
    assert_eq!(all("evil.example", &|_| {}).len(), 8);
    assert_eq!(all("harmless", &|_| {}).len(), 1);
    assert_eq!(all("evil NOT loader", &|_| {}).len(), 0, "no query language");
    assert_eq!(all("\"); DROP TABLE texts; --", &|_| {}).len(), 0);
    assert_eq!(all("evil", &|q| q.types = vec!["malware".into()]).len(), 9);
    assert_eq!(all("evil", &|q| q.group = Some(world.pair)).len(), 8);
    assert_eq!(all("", &|q| q.owner = Some(world.members[0])).len(), 0);
    assert_eq!(all("", &|q| q.owner = Some(world.members[1])).len(), 18);
    assert_eq!(all("", &|q| q.marking = Some(shieldwall_model::marking::Tlp::Red)).len(), 0);
    let everything = all("", &|_| {});
    assert_eq!(everything.iter().map(|hit| (&hit.group, &hit.id)).collect::<BTreeSet<_>>().len(), 18);
    assert!(everything.is_sorted_by(|a, b| (a.added, a.group, a.sequence) > (b.added, b.group, b.sequence)));
    let cursor = SearchCursor { added: start(), group: world.pair, sequence: 0 };
    assert_eq!(all("", &|q| q.after = Some(cursor)).len(), 0);
}

#[test]
fn documents_come_by_what_changed_without_tearing_ties_apart() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    for kind in ["a", "b", "c", "a", "d"] {
        let drafts = vec![world.draft(1, world.pair, kind, "x"), world.draft(1, world.other, kind, "x")];
        hub.append_blocking(drafts).unwrap();
    }
    let reading = hub.read().unwrap();
    let keys = |after: &Positions, limit| {
        let page = reading.documents(&world.scope(1), "count", after, limit).unwrap().into_inner();
        (page.rows.iter().map(|d| (d.group, d.key.clone())).collect::<Vec<_>>(), page.reached, page.more)
    };
    let (mut seen, mut after) = (Vec::new(), Positions::new());
    loop {
        let (rows, reached, more) = keys(&after, 3);
        seen.extend(rows);
        after = reached;
        if !more {
            break;
        }
    }
    let of =
        |group| seen.iter().filter(|(g, _)| *g == group).map(|(_, key)| key.as_str()).collect::<Vec<_>>();
    assert_eq!(of(world.pair), ["b", "c", "a", "d"]);
    assert_eq!(of(world.other), ["b", "c", "a", "d"]);
    assert_eq!(after, Positions::from([(world.pair, 5), (world.other, 5)]));
    assert_eq!(keys(&after, 3).0, []);
    let (mut newest, mut before) = (Vec::new(), None);
    loop {
        let page =
            reading.documents_newest(&world.scope(1), "count", before.as_ref(), 3).unwrap().into_inner();
        let Some(last) = page.last() else { break };
        before = Some(NewestCursor::of(last));
        newest.extend(page);
    }
    assert_eq!(newest.len(), 8);
    assert!(newest.is_sorted_by(|a, b| NewestCursor::of(a) > NewestCursor::of(b)));
    assert_eq!(newest[0].key, "d");
    assert_eq!(reading.documents_by_key(&world.scope(1), "count", "a").unwrap().len(), 2);
    assert_eq!(reading.document(&world.scope(1), "count", world.pair, "a").unwrap().unwrap().body, b"2");
    assert_eq!(reading.document(&world.scope(1), "other", world.pair, "a").unwrap(), None);
}

#[test]
fn a_page_of_documents_ends_between_entries_and_never_within_one() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    for _ in 0..4 {
        hub.append_blocking(vec![world.draft(0, world.pair, "many", "x")]).unwrap();
    }
    let reading = hub.read().unwrap();
    for limit in 1..13 {
        let (mut after, mut keys) = (Positions::new(), BTreeSet::new());
        loop {
            let page = reading.documents(&world.scope(0), "tied", &after, limit).unwrap().into_inner();
            assert_eq!(page.rows.len() % 3, 0);
            keys.extend(page.rows.into_iter().map(|document| document.key));
            after = page.reached;
            if !page.more {
                break;
            }
        }
        assert_eq!(keys.len(), 12, "by pages of {limit}");
    }
}

#[test]
fn entries_come_in_both_directions_and_by_kind_and_author() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    for n in 0..12 {
        let kind = if n % 3 == 0 { "three" } else { "note" };
        hub.append_blocking(vec![
            world.draft(n % 2, world.pair, kind, "x"),
            world.draft(1, world.other, "o", "x"),
        ])
        .unwrap();
    }
    let reading = hub.read().unwrap();
    let ask = |change: &dyn Fn(&mut EntryQuery)| {
        let mut query = EntryQuery { limit: 100, ..EntryQuery::default() };
        change(&mut query);
        reading.entries(&world.scope(1), &query).unwrap().into_inner()
    };
    let all = ask(&|_| {});
    assert_eq!((all.rows.len(), all.more), (24, false));
    assert!(all.rows.is_sorted_by(|a, b| (a.time, a.group) < (b.time, b.group)));
    let mut newest = ask(&|q| q.newest_first = true).rows;
    newest.reverse();
    assert_eq!(newest, all.rows);
    let sequences = |page: shieldwall_ledger::reading::EntryPage| {
        page.rows.iter().map(|entry| entry.sequence).collect::<Vec<_>>()
    };
    assert_eq!(sequences(ask(&|q| q.kinds = vec!["three".into()])), [1, 4, 7, 10]);
    assert_eq!(sequences(ask(&|q| q.author = Some(world.members[0]))), [1, 3, 5, 7, 9, 11]);
    let page = ask(&|q| {
        q.group = Some(world.pair);
        q.after = [(world.pair, 2)].into();
        q.before = [(world.pair, 9)].into();
        q.limit = 4;
    });
    assert!(page.more);
    assert_eq!(sequences(page), [3, 4, 5, 6]);
}

#[test]
fn proofs_hold_against_signed_checkpoints() {
    use base64::Engine as _;
    use tlog_tiles::{Checkpoint, Hash, check_record, check_tree};
    let hash = |text: &str| {
        Hash(base64::engine::general_purpose::STANDARD.decode(text).unwrap().try_into().unwrap())
    };
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    let append = |count: usize| {
        hub.append_blocking((0..count).map(|_| world.draft(0, world.pair, "note", "x")).collect()).unwrap();
        hub.checkpoint_now().unwrap()
    };
    assert_eq!((append(5), append(600), hub.checkpoint_now().unwrap()), (1, 1, 0), "only when it grew");
    let (reading, scope) = (hub.read().unwrap(), world.scope(0));
    let signed = reading.checkpoints(&scope, world.pair, None, 10).unwrap().into_inner();
    assert_eq!(signed.iter().map(|c| c.size).collect::<Vec<_>>(), [605, 5]);
    assert_eq!(reading.checkpoint(&scope, world.pair).unwrap().unwrap().into_inner(), signed[0]);
    for checkpoint in &signed {
        // As a stranger would: with the published verifier key and nothing of ours.
        let verifier = signed_note::StandardVerifier::new(&checkpoint.verifier_key).unwrap();
        let note = signed_note::Note::from_bytes(checkpoint.note.as_bytes()).unwrap();
        note.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)])).unwrap();
        let text = Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((text.size(), *text.hash()), (checkpoint.size, hash(&checkpoint.root)));
    }
    let proof = reading.consistency_proof(&scope, world.pair, 5, 605).unwrap().into_inner();
    let path = proof.hashes.iter().map(|h| hash(h)).collect();
    check_tree(&path, 605, hash(&signed[0].root), 5, hash(&signed[1].root)).unwrap();
    for sequence in [1, 5, 256, 257, 605] {
        let proof = reading.inclusion_proof(&scope, world.pair, sequence, 605).unwrap().into_inner();
        let path = proof.hashes.iter().map(|h| hash(h)).collect();
        check_record(&path, 605, hash(&signed[0].root), sequence - 1, hash(&proof.leaf)).unwrap();
    }
    for (sequence, size) in [(0, 605), (606, 605), (1, 606), (1, 0)] {
        assert_eq!(
            reading.inclusion_proof(&scope, world.pair, sequence, size).unwrap_err().code(),
            "ledger.tree.range"
        );
    }
    assert_eq!(reading.consistency_proof(&scope, world.pair, 0, 5).unwrap_err().code(), "ledger.tree.range");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Whatever is written, by whom, into which group: no read under a scope brings a row of a group outside it, and what
    /// it brings is the same as if the other groups had never been written to.
    #[test]
    fn no_read_tells_of_another_group(steps in prop::collection::vec((0u8..3, 0u32..4, 1i64..4), 1..40)) {
        let world = World::new();
        let (dir, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (hub, quiet) = (open(dir.path()), open(alone.path()));
        for (step, object, version) in steps {
            let (member, group) = [(0, world.pair), (2, world.other), (1, GroupId::home_of(world.members[1]))][usize::from(step)];
            let draft = || {
                let body = format!("indicator|{}|{version}|2.1|evil {step}|{}", id("indicator", object), id("malware", object));
                world.draft(member, group, "object", &body)
            };
            hub.append_blocking(vec![draft()]).unwrap();
            if world.scope(0).covers(group) {
                quiet.append_blocking(vec![draft()]).unwrap();
            }
        }
        let scope = world.scope(0);
        let told = |hub: &Ledger| {
            let reading = hub.read().unwrap();
            let mut told = vec![
                format!("{:?}", reading.positions(&scope)),
                format!("{:?}", reading.counts(&scope).unwrap()),
                format!("{:?}", reading.documents(&scope, "count", &Positions::new(), 100).unwrap()),
                format!("{:?}", reading.documents_newest(&scope, "count", None, 100).unwrap()),
                format!("{:?}", reading.documents_by_key(&scope, "count", "object").unwrap()),
            ];
            for text in ["", "evil"] {
                let query = SearchQuery { text: text.into(), limit: 100, ..SearchQuery::default() };
                told.push(format!("{:?}", reading.search(&scope, &query).unwrap()));
            }
            let entries = reading.entries(&scope, &EntryQuery { limit: 100, ..EntryQuery::default() }).unwrap();
            assert!(entries.rows.iter().all(|entry| scope.covers(entry.group)));
            told.extend(entries.rows.iter().map(|e| format!("{:?}", (e.group, e.sequence, e.time, &e.body))));
            for object in 0..4 {
                told.push(format!("{:?}", reading.object(&scope, &id("indicator", object)).unwrap()));
                for end in ["indicator", "malware"] {
                    told.push(format!("{:?}", reading.edges(&scope, &id(end, object), 100).unwrap()));
                }
            }
            for group in [world.pair, world.other] {
                told.push(format!("{:?}", reading.objects(&scope, &ObjectQuery::new(group, 100))));
                told.push(format!("{:?}", reading.latest_object(&scope, group, &id("indicator", 1))));
                told.push(format!("{:?}", reading.checkpoint(&scope, group)));
                told.push(format!("{:?}", reading.document(&scope, "count", group, "object")));
            }
            told.push(format!("{:?}", reading.inclusion_proof(&scope, world.other, 1, 1)));
            told.push(format!("{:?}", reading.consistency_proof(&scope, world.other, 1, 1)));
            told.push(format!("{:?}", reading.entries(&scope, &EntryQuery { group: Some(world.other), ..EntryQuery::default() })));
            told
        };
        prop_assert_eq!(told(&hub), told(&quiet));
        let hidden = hub.read().unwrap().objects(&scope, &ObjectQuery::new(world.other, 1)).unwrap_err();
        prop_assert_eq!(hidden.code(), "access.hidden");
    }
}
