//! Appending, reading, following and reopening, as the hub does it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::sync::Arc;

use common::{World, open, open_at, start};
use shieldwall_ledger::reading::{EntryQuery, ObjectQuery};
use shieldwall_ledger::{AppendError, Draft, Positions};
use shieldwall_model::access::{Action, Principal, Reader, Role};
use shieldwall_model::id::SensorId;
use shieldwall_model::realm::Realm;
use shieldwall_model::time::ManualClock;

const ID: &str = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

#[test]
fn what_is_appended_is_read_at_once_and_after_reopening() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let ledger = open(dir.path());
    let receipts = ledger
        .append_blocking(vec![
            world.object(0, world.pair, ID, 1, "one"),
            world.draft(0, world.pair, "note", "x"),
        ])
        .unwrap();
    assert_eq!(receipts.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1, 2]);
    assert!(receipts[0].time < receipts[1].time && receipts[0].time >= start());
    let check = |ledger: &shieldwall_ledger::Ledger| {
        let reading = ledger.read().unwrap();
        let scope = world.scope(0);
        let page = reading.objects(&scope, &ObjectQuery::new(world.pair, 10)).unwrap();
        assert_eq!(page.rows.len(), 1);
        assert_eq!(page.rows[0].bytes.as_deref(), Some(format!("indicator|{ID}|1|2.1|one|").as_bytes()));
        assert_eq!(page.rows[0].record.owner, Some(world.members[0]));
        let entries = reading.entries(&scope, &EntryQuery { limit: 10, ..EntryQuery::default() }).unwrap();
        assert_eq!(entries.rows.len(), 2);
        assert_eq!(ledger.positions(&scope).into_inner(), Positions::from([(world.pair, 2)]));
        assert!(ledger.positions(&world.scope(2)).is_empty());
    };
    check(&ledger);
    ledger.close().unwrap();
    check(&open(dir.path()));
}

#[test]
fn a_call_lands_whole_or_not_at_all() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let ledger = open(dir.path());
    let permit = world.permit(0, world.pair);
    let bad = Draft::new(&permit, world.other, "note", "x");
    let refused = ledger.append_blocking(vec![world.draft(0, world.pair, "note", "x"), bad]);
    assert_eq!(refused, Err(AppendError::Group));
    let large = Draft::new(&permit, world.pair, "note", vec![0; 1024 * 1024 + 1]);
    let refused = ledger.append_blocking(vec![world.draft(0, world.pair, "note", "x"), large]);
    assert_eq!(refused.unwrap_err().code(), "ledger.append.too_large");
    let kind = Draft::new(&permit, world.pair, "No Kind", "");
    assert_eq!(ledger.append_blocking(vec![kind]).unwrap_err().code(), "ledger.append.kind");
    assert!(ledger.positions(&world.scope(0)).is_empty());
    assert_eq!(ledger.append_blocking(vec![]).unwrap(), []);
}

#[test]
fn a_key_makes_an_append_repeatable_for_its_author_and_log_alone() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let ledger = open(dir.path());
    let keyed = |member, group| world.draft(member, group, "note", "x").idempotency("k");
    let first = ledger.append_blocking(vec![keyed(1, world.pair), keyed(1, world.pair)]).unwrap();
    assert!(!first[0].repeated && first[1].repeated);
    assert_eq!((first[0].sequence, first[1].sequence), (1, 1));
    let again = ledger
        .append_blocking(vec![keyed(1, world.pair), keyed(0, world.pair), keyed(1, world.other)])
        .unwrap();
    assert_eq!(again.iter().map(|r| r.repeated).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(again[0].time, first[0].time);
    // Nor do two who act for one member.
    let sensor = Principal::Sensor(SensorId::new(start(), &*common::entropy(5)));
    let sensor = Reader::new(Realm::Real, sensor, world.members[1], Role::Sensor, &world.directory)
        .permit_in(Action::ReportSighting, world.pair)
        .unwrap();
    let theirs = Draft::new(&sensor, world.pair, "note", "x").idempotency("k");
    assert!(!ledger.append_blocking(vec![theirs]).unwrap()[0].repeated);
    // Two reporters whose names are kept out of the log do not share their keys either.
    let quiet = |member| {
        Draft::on_behalf(&world.permit(member, world.pair), world.pair, "note", "x").idempotency("q")
    };
    let quiet = ledger.append_blocking(vec![quiet(0), quiet(1), quiet(0)]).unwrap();
    assert_eq!(quiet.iter().map(|r| r.repeated).collect::<Vec<_>>(), [false, false, true]);
    drop(ledger);
    assert!(open(dir.path()).append_blocking(vec![keyed(1, world.pair)]).unwrap()[0].repeated);
}

#[test]
fn time_rises_strictly_whatever_the_clock_does() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let clock = Arc::new(ManualClock::new(start()));
    let (mut times, mut highest) = (Vec::new(), start());
    for step in [0, 3_600, -86_400, -86_400, 7_200, 0, 30 * 86_400, -30 * 86_400] {
        clock.set(start().plus_seconds(step));
        highest = highest.max(start().plus_seconds(step));
        // Reopened each time: the rule must not live in memory alone.
        let ledger = open_at(dir.path(), Arc::clone(&clock));
        let drafts = (0..3).map(|_| world.draft(0, world.pair, "note", "")).collect();
        times.extend(ledger.append_blocking(drafts).unwrap().into_iter().map(|r| r.time));
        let other = ledger.append_blocking(vec![world.draft(1, world.other, "note", "")]).unwrap();
        assert!(other[0].time >= highest, "no log goes back behind what the clock has shown");
    }
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert_eq!(times.len(), 24);
}

#[test]
fn a_second_writer_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let second = shieldwall_ledger::Ledger::open(
        common::options(dir.path()),
        Arc::new(ManualClock::new(start())),
        common::entropy(1),
        Box::new(common::TestFold::default()),
    );
    assert_eq!(second.err().unwrap().code(), "ledger.files.locked");
    ledger.close().unwrap();
    open(dir.path());
}

#[tokio::test]
async fn a_follower_gets_what_is_there_and_then_what_comes() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let ledger = open(dir.path());
    let note = |n: u64| world.draft(1, world.pair, "note", &n.to_string());
    let hidden = || world.draft(2, world.other, "note", "hidden");
    ledger.append(vec![note(1), hidden(), note(2)]).await.unwrap();
    let mut follow = ledger.follow(&world.scope(0), Positions::new());
    for n in 1..=2 {
        assert_eq!(follow.next().await.unwrap().unwrap().sequence, n);
    }
    ledger.append(vec![hidden()]).await.unwrap();
    ledger.append(vec![note(3)]).await.unwrap();
    assert_eq!(follow.next().await.unwrap().unwrap().body.as_deref(), Some(&b"3"[..]));
    let resumed = follow.positions().clone();
    assert_eq!(resumed, Positions::from([(world.pair, 3)]));
    let stale = Positions::from([(world.pair, 99)]);
    let error = ledger.follow(&world.scope(0), stale).next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "ledger.follow.stale");
    let waiting = tokio::spawn(async move { follow.next().await.is_none() });
    tokio::task::spawn_blocking(move || ledger.close().unwrap()).await.unwrap();
    assert!(waiting.await.unwrap());
}
