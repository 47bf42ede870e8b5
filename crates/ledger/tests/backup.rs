//! Backups taken while the hub writes, and put back; views rebuilt to the same content.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{TestFold, World, open};
use proptest::prelude::*;
use shieldwall_ledger::accounts::Accounts;
use shieldwall_ledger::backup::{backup, restore};
use shieldwall_ledger::dump::{DumpReport, dump_views};
use shieldwall_ledger::reading::EntryQuery;
use shieldwall_ledger::verify::verify;
use shieldwall_ledger::{Ledger, rebuild};
use shieldwall_model::realm::Realm;

fn dump(dir: &Path) -> (DumpReport, String) {
    let mut lines = Vec::new();
    let report = dump_views(dir, &Realm::Real, &mut lines).unwrap();
    (report, String::from_utf8(lines).unwrap())
}

fn sound(dir: &Path, against: &[String]) -> u64 {
    let report = verify(dir, &Realm::Real, against, &mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    report.entries
}

/// Ends the writing thread also when an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_backup_taken_under_writes_is_a_moment_of_the_log_and_comes_back_whole() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let (to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hub = open(dir.path());
    Accounts::open(dir.path()).unwrap();
    let body = "x".repeat(2_000);
    for _ in 0..20 {
        hub.append_blocking((0..50).map(|_| world.draft(0, world.pair, "note", &body)).collect()).unwrap();
    }
    let (acknowledged, stop, order) = (AtomicU64::new(1_000), AtomicBool::new(false), Ordering::SeqCst);
    let (manifest, before) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(order) {
                let receipt = hub.append_blocking(vec![world.draft(0, world.pair, "note", &body)]).unwrap();
                acknowledged.store(receipt[0].sequence, order);
            }
        });
        let _stop = Stop(&stop);
        // The writer is at work before, while and after the copy is taken.
        while acknowledged.load(order) < 1_010 {
            std::thread::yield_now();
        }
        let before = acknowledged.load(order);
        let mut seen = Vec::new();
        let manifest = backup(dir.path(), to.path(), &mut |done, all| seen.push((done, all))).unwrap();
        let (done, all) = *seen.last().unwrap();
        assert!(seen.len() > 1 && done <= all && all > 2_000_000, "{seen:?}");
        while acknowledged.load(order) < before + 10 {
            std::thread::yield_now();
        }
        (manifest, before)
    });
    assert!(manifest.logs[0].size >= before, "what was acknowledged before is in it");
    assert!(manifest.files.iter().any(|file| file.path == "accounts.db"));
    assert!(!to.path().join("hub.key").exists(), "a backup holds no secret");

    restore(to.path(), back.path(), &mut |_, _| {}).unwrap();
    assert_eq!(sound(back.path(), &[]), manifest.logs[0].size);
    let restored = open(back.path());
    assert_eq!(restored.positions(&world.scope(0))[&world.pair], manifest.logs[0].size);
    let query = EntryQuery { limit: 5, newest_first: true, ..EntryQuery::default() };
    let (old, new) = (hub.read().unwrap(), restored.read().unwrap());
    let wanted = EntryQuery { before: [(world.pair, manifest.logs[0].size + 1)].into(), ..query.clone() };
    assert_eq!(new.entries(&world.scope(0), &query).unwrap(), old.entries(&world.scope(0), &wanted).unwrap());
}

/// R15.
#[test]
fn a_restored_hub_never_signs_under_the_name_that_signed_more() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let (to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let note = |hub: &Ledger| hub.append_blocking(vec![world.draft(0, world.pair, "note", "x")]).unwrap();
    let last = |hub: &Ledger| {
        hub.checkpoint_now().unwrap();
        hub.read().unwrap().checkpoint(&world.scope(0), world.pair).unwrap().unwrap().into_inner()
    };
    let hub = open(dir.path());
    note(&hub);
    let early = last(&hub);
    backup(dir.path(), to.path(), &mut |_, _| {}).unwrap();
    for _ in 0..5 {
        note(&hub);
    }
    let late = last(&hub);
    drop(hub);
    restore(to.path(), back.path(), &mut |_, _| {}).unwrap();
    let hub = open_with_own_entropy(back.path());
    note(&hub);
    let restored = last(&hub);
    assert_eq!((early.size, late.size, restored.size), (1, 6, 2));
    assert_ne!(restored.verifier_key, late.verifier_key);
    assert_ne!(restored.note.lines().next(), late.note.lines().next(), "another origin");
    assert!(restored.note.contains("/key-"), "{}", restored.note);
    drop(hub);
    // What was signed before the backup still holds; what was signed after it is missed.
    sound(back.path(), &[early.note]);
    let report = verify(back.path(), &Realm::Real, &[late.note], &mut |_, _| {}).unwrap();
    assert_eq!(report.problems[0].kind.code(), "verify.rolled_back");
}

fn open_with_own_entropy(dir: &Path) -> Ledger {
    let clock = std::sync::Arc::new(shieldwall_model::time::ManualClock::new(common::start()));
    Ledger::open(common::options(dir), clock, common::entropy(1234), Box::new(TestFold::default())).unwrap()
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_written() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let (to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hub = open(dir.path());
    hub.append_blocking(vec![world.draft(0, world.pair, "note", "x")]).unwrap();
    backup(dir.path(), to.path(), &mut |_, _| {}).unwrap();
    assert_eq!(backup(dir.path(), to.path(), &mut |_, _| {}).unwrap_err().code(), "ledger.backup.not_empty");
    assert_eq!(restore(to.path(), dir.path(), &mut |_, _| {}).unwrap_err().code(), "ledger.backup.not_empty");
    assert_eq!(
        backup(back.path(), &back.path().join("x"), &mut |_, _| {}).unwrap_err().code(),
        "ledger.backup.nothing"
    );
    let path = to.path().join("real/ledger.db");
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&path, flipped).unwrap();
    assert_eq!(restore(to.path(), back.path(), &mut |_, _| {}).unwrap_err().code(), "ledger.backup.damaged");
    fs::write(&path, &whole).unwrap();
    let manifest = to.path().join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"size\": 1", "\"size\": 2")).unwrap();
    assert_eq!(restore(to.path(), back.path(), &mut |_, _| {}).unwrap_err().code(), "ledger.backup.damaged");
    fs::write(&manifest, text.replace("real/ledger.db", "../../ledger.db")).unwrap();
    assert_eq!(restore(to.path(), back.path(), &mut |_, _| {}).unwrap_err().code(), "ledger.backup.damaged");
    fs::write(&manifest, "{}").unwrap();
    assert_eq!(restore(to.path(), back.path(), &mut |_, _| {}).unwrap_err().code(), "ledger.backup.manifest");
    assert_eq!(fs::read_dir(back.path()).unwrap().count(), 0);
}

/// One of the things a fold knows, by number.
fn draft(world: &World, (what, object, version): (u8, u8, i64)) -> shieldwall_ledger::Draft {
    let group = if object % 2 == 0 { world.pair } else { world.other };
    let id = format!("indicator--8e2e2d2b-17d4-4cbf-938f-00000000000{object}");
    match what {
        0..=4 => world.draft(
            1,
            group,
            "object",
            &format!("indicator|{id}|{version}|2.1|words {object} {version}|malware--{object}"),
        ),
        5 => world.draft(1, group, "withdraw", &id),
        6 => world.draft(1, group, "revoke", &id),
        7 => world.draft(1, group, "refuse", "x"),
        8 => world.draft(1, group, "forget", "object"),
        _ => world.draft(1, group, "unknown", "x"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Views are what the logs say, however they came about: folded as entries came in batches and over restarts, or all
    /// at once.
    #[test]
    fn rebuilt_views_equal_folded_views(
        batches in prop::collection::vec(prop::collection::vec((0u8..10, 0u8..4, 0i64..4), 1..8), 1..12),
        reopen in any::<u16>(),
    ) {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
        let mut hub = open(dir.path());
        for (at, batch) in batches.iter().enumerate() {
            hub.append_blocking(batch.iter().map(|step| draft(&world, *step)).collect()).unwrap();
            if reopen >> (at % 16) & 1 == 1 {
                hub.close().unwrap();
                hub = open(dir.path());
            }
        }
        hub.close().unwrap();
        let folded = dump(dir.path());
        prop_assert!(folded.1.lines().any(|line| line.starts_with("state")));
        let mut last = (0, 0);
        let entries = rebuild(dir.path(), Realm::Real, Box::new(TestFold::default()), &mut |done, all| last = (done, all)).unwrap();
        prop_assert_eq!(last, (entries, entries));
        let rebuilt = dump(dir.path());
        prop_assert_eq!(folded.1, rebuilt.1);
        prop_assert_eq!(folded.0, rebuilt.0);
    }
}

#[test]
fn a_dump_shows_every_part_and_any_change_in_it() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    for step in [(0, 0, 1), (0, 0, 2), (0, 1, 1), (7, 0, 0)] {
        hub.append_blocking(vec![draft(&world, step)]).unwrap();
    }
    hub.close().unwrap();
    let (report, lines) = dump(dir.path());
    for part in ["state", "skipped", "object", "word", "edge", "document"] {
        assert!(lines.lines().any(|line| line.starts_with(part)), "{part} in {lines}");
    }
    assert!(!lines.contains("refused"), "an entry that was refused leaves nothing but its reason: {lines}");
    let words = lines.lines().filter(|line| line.starts_with("word"));
    assert_eq!(words.count(), 6, "three of the latest version of each object, none of an older one: {lines}");
    assert_eq!(report.rows, u64::try_from(lines.lines().count()).unwrap());
    for change in [
        "UPDATE objects SET name = 'x'",
        "UPDATE objects SET latest = 0",
        "INSERT INTO words.texts (texts) VALUES ('delete-all')",
        "UPDATE edges SET label = 'x'",
        "UPDATE documents SET body = x'00'",
        "DELETE FROM skipped",
    ] {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("real")).unwrap();
        let file = |name: &str| copy.path().join("real").join(name);
        for name in ["views.db", "texts.db"] {
            fs::copy(dir.path().join("real").join(name), file(name)).unwrap();
        }
        assert_eq!(dump(copy.path()).0, report);
        let connection = rusqlite::Connection::open(file("views.db")).unwrap();
        connection.execute("ATTACH ?1 AS words", [file("texts.db").to_str().unwrap()]).unwrap();
        connection.execute_batch(change).unwrap();
        assert_ne!(dump(copy.path()).0.sha256, report.sha256, "{change}");
    }
}

#[test]
fn views_of_another_version_another_ledger_or_none_are_rebuilt_on_opening() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let hub = open(dir.path());
    hub.append_blocking(vec![draft(&world, (0, 0, 1)), draft(&world, (0, 1, 1))]).unwrap();
    hub.close().unwrap();
    let before = dump(dir.path());
    let folds = |version: u32| {
        let fold = TestFold { version, ..TestFold::default() };
        let folded = std::sync::Arc::clone(&fold.folded);
        let clock = std::sync::Arc::new(shieldwall_model::time::ManualClock::new(common::start()));
        let hub =
            Ledger::open(common::options(dir.path()), clock, common::entropy(1), Box::new(fold)).unwrap();
        hub.close().unwrap();
        folded.load(Ordering::SeqCst)
    };
    assert_eq!(folds(0), 0, "nothing to do");
    assert_eq!(folds(1), 2, "another version");
    let path = dir.path().join("real/views.db");
    fs::remove_file(&path).unwrap();
    assert_eq!(folds(0), 2, "none");
    fs::write(&path, "no database at all, but long enough to look at as if it were one").unwrap();
    assert_eq!(folds(0), 2, "no database");
    let other = tempfile::tempdir().unwrap();
    let hub = open_with_own_entropy(other.path());
    hub.append_blocking(vec![draft(&world, (0, 2, 1)), draft(&world, (0, 3, 1))]).unwrap();
    hub.close().unwrap();
    fs::copy(other.path().join("real/views.db"), &path).unwrap();
    assert_eq!(folds(0), 2, "another ledger's");
    assert_eq!(dump(dir.path()), before);

    // An older state of this very ledger, under views that know more.
    let old = fs::read(dir.path().join("real/ledger.db")).unwrap();
    let hub = open(dir.path());
    hub.append_blocking(vec![draft(&world, (0, 2, 1))]).unwrap();
    hub.close().unwrap();
    fs::write(dir.path().join("real/ledger.db"), old).unwrap();
    fs::remove_file(dir.path().join("real/signed")).unwrap();
    assert_eq!(folds(0), 2, "from another future");
    assert_eq!(dump(dir.path()), before);
}
