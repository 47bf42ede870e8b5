//! `verify` finds every way of tampering with a ledger that is listed here, and none where there is none.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ProblemKind as P;
use common::{World, open, open_at, start};
use ed25519_dalek::{Signer as _, SigningKey};
use rusqlite::Connection;
use shieldwall_ledger::reading::CheckpointRecord;
use shieldwall_ledger::verify::{KeySource, ProblemKind, VerifyReport, verify, verify_log};
use shieldwall_model::id::{Entropy as _, RepeatableEntropy};
use shieldwall_model::realm::Realm;
use shieldwall_model::time::ManualClock;

const MARK: &[u8] = b"mark of the body that is searched for in the file";

/// A directory with three logs, 290 entries in the first, checkpoints at several sizes; and a checkpoint of the first.
fn ledger(dir: &Path) -> (World, CheckpointRecord) {
    let world = World::new();
    let ledger = open(dir);
    for round in 0..29 {
        let mut drafts: Vec<_> = (0..10)
            .map(|n| {
                world
                    .draft(0, world.pair, "note", &format!("{round}/{n}"))
                    .idempotency(format!("{round}-{n}"))
            })
            .collect();
        drafts.push(world.draft(2, world.other, "note", &format!("other {round}")));
        ledger.append_blocking(drafts).unwrap();
        if round % 9 == 0 {
            ledger.checkpoint_now().unwrap();
        }
    }
    let home = shieldwall_model::id::GroupId::home_of(world.members[0]);
    ledger.append_blocking(vec![world.draft(0, home, "note", std::str::from_utf8(MARK).unwrap())]).unwrap();
    ledger.checkpoint_now().unwrap();
    let checkpoint = ledger.read().unwrap().checkpoint(&world.scope(0), world.pair).unwrap().unwrap();
    ledger.close().unwrap();
    (world, checkpoint.into_inner())
}

fn check(dir: &Path, against: &[String]) -> VerifyReport {
    verify(dir, &Realm::Real, against, &mut |_, _| {}).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("real")).unwrap();
    for name in ["hub.key", "real/ledger.db", "real/signed"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn sql(dir: &Path, text: &str) {
    let connection = Connection::open(dir.join("real/ledger.db")).unwrap();
    connection.execute_batch(text).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

#[test]
fn a_sound_ledger_is_sound_also_beside_a_running_hub() {
    let dir = tempfile::tempdir().unwrap();
    let (world, checkpoint) = ledger(dir.path());
    let mut seen = Vec::new();
    let report =
        verify(dir.path(), &Realm::Real, std::slice::from_ref(&checkpoint.note), &mut |done, all| {
            seen.push((done, all))
        })
        .unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.entries, report.logs.len(), report.key), (320, 3, KeySource::File));
    assert_eq!(seen.last(), Some(&(320, 320)));
    assert!(report.checkpoints >= 10, "{}", report.checkpoints);
    let hub = open(dir.path());
    hub.append_blocking(vec![world.draft(0, world.pair, "note", "more")]).unwrap();
    assert!(check(dir.path(), &[checkpoint.note]).is_sound());
}

/// Name, what is done to the database, and a kind of problem that must be named.
const TAMPERS: [(&str, &str, ProblemKind); 32] = [
    ("a body is edited", "UPDATE entries SET body = x'00' WHERE position = 100", P::Body),
    ("a body is dropped", "UPDATE entries SET body = NULL WHERE position = 100", P::Body),
    ("a body is dropped as if redacted", "UPDATE entries SET body = NULL, salt = NULL WHERE position = 100", P::Body),
    (
        "a body is redacted by an entry that is not there",
        "UPDATE entries SET body = NULL, salt = NULL, redacted_by = 9999 WHERE position = 100",
        P::Body,
    ),
    ("a salt is changed", "UPDATE entries SET salt = randomblob(16) WHERE position = 100", P::Body),
    ("a commitment is changed", "UPDATE entries SET commitment = randomblob(32) WHERE position = 100", P::Header),
    ("a commitment is cut", "UPDATE entries SET commitment = x'00' WHERE position = 100", P::Header),
    ("a time is moved", "UPDATE entries SET time = time + 1 WHERE position = 1", P::Header),
    ("a time is moved before the one before", "UPDATE entries SET time = 1 WHERE position = 200", P::Time),
    ("a kind is changed", "UPDATE entries SET kind = 'note2' WHERE position = 100", P::Header),
    ("a kind is nonsense", "UPDATE entries SET kind = 'A B' WHERE position = 100", P::Header),
    ("an author is changed", "UPDATE entries SET member = randomblob(16) WHERE position = 100", P::Header),
    ("an author is removed", "UPDATE entries SET member = NULL WHERE position = 100", P::Header),
    ("an actor is changed", "UPDATE entries SET principal = 2 WHERE position = 100", P::Header),
    ("an actor is nonsense", "UPDATE entries SET principal = 0 WHERE position = 100", P::Header),
    ("a leaf is changed", "UPDATE leaves SET hash = randomblob(32) WHERE log = 1 AND sequence = 7", P::Header),
    ("a leaf is dropped", "DELETE FROM leaves WHERE log = 1 AND sequence = 7", P::Header),
    (
        "a leaf points elsewhere",
        "UPDATE leaves SET position = position + 1 WHERE log = 1 AND sequence = 7",
        P::Tree,
    ),
    ("a node is changed", "UPDATE nodes SET hash = randomblob(32)", P::Tree),
    ("a node is dropped", "DELETE FROM nodes", P::Tree),
    ("a node is added", "INSERT INTO nodes VALUES (1, 1, -1, randomblob(32))", P::Tree),
    ("a size is changed", "UPDATE logs SET size = size - 1 WHERE log = 1", P::Tree),
    ("a root is changed", "UPDATE logs SET root = randomblob(32) WHERE log = 1", P::Tree),
    ("an entry is dropped", "DELETE FROM entries WHERE position = 100", P::Order),
    (
        "an entry and its leaf are dropped",
        "DELETE FROM leaves WHERE position = 100; DELETE FROM entries WHERE position = 100",
        P::Order,
    ),
    (
        "two entries are swapped",
        "UPDATE entries SET sequence = -1 WHERE position = 1; UPDATE entries SET sequence = 1 WHERE position = 2;
         UPDATE entries SET sequence = 2 WHERE position = 1",
        P::Order,
    ),
    (
        "an entry is doubled",
        "INSERT INTO entries SELECT 321, log, sequence, time, member, principal, principal_id, kind, commitment, salt,
         redacted_by, body FROM entries WHERE position = 320",
        P::Order,
    ),
    (
        "the order of commit has a gap",
        "UPDATE entries SET position = 999 WHERE position = 320; UPDATE leaves SET position = 999 WHERE position = 320",
        P::Order,
    ),
    ("a log is dropped", "DELETE FROM logs WHERE log = 2", P::Order),
    ("a checkpoint's text is changed", "UPDATE checkpoints SET note = replace(note, 'example', 'exemple')", P::Checkpoint),
    ("a checkpoint is filed elsewhere", "UPDATE checkpoints SET size = size - 1 WHERE log = 2", P::Checkpoint),
    ("an idempotency key is changed", "UPDATE keys SET sequence = sequence + 1 WHERE sequence = 5", P::Key),
];

#[test]
fn every_tamper_is_named() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ledger(dir.path());
    for (at, (name, change, kind)) in TAMPERS.into_iter().enumerate() {
        let to = work.path().join(at.to_string());
        copy(dir.path(), &to);
        assert!(check(&to, &[]).is_sound(), "before: {name}");
        sql(&to, change);
        let report = check(&to, &[]);
        assert!(report.problems.iter().any(|p| p.kind == kind), "{name}: {:?}", report.problems);
    }
}

#[test]
fn a_named_problem_says_which_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = ledger(dir.path());
    sql(dir.path(), "UPDATE entries SET body = x'00' WHERE log = 1 AND sequence = 42");
    let report = check(dir.path(), &[]);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    let problem = &report.problems[0];
    assert_eq!(
        (problem.group, problem.sequence, problem.kind.code()),
        (Some(world.pair), Some(42), "verify.body")
    );
}

#[test]
fn one_log_is_checked_by_itself_and_says_nothing_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = ledger(dir.path());
    let one = |group| verify_log(dir.path(), &Realm::Real, group).unwrap();
    let sound = one(world.pair);
    assert!(sound.is_sound(), "{:?}", sound.problems);
    assert_eq!((sound.logs.len(), sound.logs[0].size), (1, 290));
    assert_eq!(
        sound.logs[0].root,
        check(dir.path(), &[]).logs.iter().find(|log| log.group == world.pair).unwrap().root
    );
    for (tamper, kind) in [
        ("UPDATE entries SET body = x'00' WHERE log = 1 AND sequence = 42", P::Body),
        ("UPDATE leaves SET hash = zeroblob(32) WHERE log = 1 AND sequence = 7", P::Header),
        ("DELETE FROM entries WHERE log = 1 AND sequence = 290", P::Tree),
    ] {
        sql(dir.path(), tamper);
        let report = one(world.pair);
        assert!(
            report.problems.iter().any(|problem| problem.kind == kind),
            "{tamper}: {:?}",
            report.problems
        );
        assert!(one(world.other).is_sound(), "{tamper} is no concern of another log");
    }
}

#[test]
fn a_byte_flipped_in_the_file_is_found() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ledger(dir.path());
    let file = fs::read(dir.path().join("real/ledger.db")).unwrap();
    let at = file.windows(MARK.len()).position(|window| window == MARK).unwrap();
    copy(dir.path(), work.path());
    let mut flipped = file.clone();
    flipped[at] ^= 1;
    fs::write(work.path().join("real/ledger.db"), flipped).unwrap();
    assert_eq!(check(work.path(), &[]).problems[0].kind, P::Body);
}

/// All that a ledger says, read without any check.
fn content(dir: &Path) -> Option<Vec<String>> {
    let connection = Connection::open(dir.join("real/ledger.db")).ok()?;
    let mut all = Vec::new();
    for table in ["meta", "identities", "logs", "entries", "leaves", "nodes", "keys", "checkpoints"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).ok()?;
        let columns = statement.column_count();
        let mut rows = statement.query([]).ok()?;
        while let Some(row) = rows.next().ok()? {
            let values: Vec<String> =
                (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            all.push(values.join("|"));
        }
    }
    Some(all)
}

/// R5: any bit of the file, flipped, is found, or nothing that is said changes by it; and a hub that opens it anyway
/// does so or says why not. `SHIELDWALL_FLIPS` sets how many (100; 1,000 before a release). One label is said but proves
/// nothing: the ledger's random id.
#[test]
fn any_flipped_bit_is_found_or_says_nothing() {
    let flips: u64 = std::env::var("SHIELDWALL_FLIPS").map_or(100, |text| text.parse().unwrap());
    let (dir, random) = (tempfile::tempdir().unwrap(), RepeatableEntropy::new(5));
    ledger(dir.path());
    let whole = fs::read(dir.path().join("real/ledger.db")).unwrap();
    let id = format!("{:?}", rusqlite::types::ValueRef::from("ledger"));
    let said = |dir: &Path| {
        content(dir).map(|lines| lines.into_iter().filter(|line| !line.starts_with(&id)).collect::<Vec<_>>())
    };
    let (before, mut found) = (said(dir.path()), 0);
    for _ in 0..flips {
        let mut bytes = [0u8; 9];
        random.fill(&mut bytes).unwrap();
        let at =
            usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap()) % whole.len() as u64).unwrap();
        let work = tempfile::tempdir().unwrap();
        copy(dir.path(), work.path());
        let mut file = whole.clone();
        file[at] ^= 1 << (bytes[8] % 8);
        fs::write(work.path().join("real/ledger.db"), file).unwrap();
        if verify(work.path(), &Realm::Real, &[], &mut |_, _| {}).is_ok_and(|report| report.is_sound()) {
            assert_eq!(said(work.path()), before, "byte {at}");
        } else {
            found += 1;
        }
        let clock = Arc::new(ManualClock::new(start()));
        let fold = Box::new(common::TestFold::default());
        let opened =
            shieldwall_ledger::Ledger::open(common::options(work.path()), clock, common::entropy(1), fold);
        if let Err(error) = opened {
            assert!(error.code().starts_with("ledger."), "{error}");
        }
    }
    assert!(found * 2 > flips, "{found} of {flips} found: most of the file says something");
}

#[test]
fn a_log_that_was_rolled_back_is_told_by_what_was_signed_of_it() {
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (world, _) = ledger(dir.path());
    copy(dir.path(), old.path());
    let hub = open(dir.path());
    hub.append_blocking(vec![world.draft(0, world.pair, "note", "later")]).unwrap();
    hub.checkpoint_now().unwrap();
    let later = hub.read().unwrap().checkpoint(&world.scope(0), world.pair).unwrap().unwrap().into_inner();
    hub.close().unwrap();

    // The old database alone, put in the new one's place: the file beside it tells, and the hub does not start.
    fs::remove_file(dir.path().join("real/ledger.db")).unwrap();
    fs::copy(old.path().join("real/ledger.db"), dir.path().join("real/ledger.db")).unwrap();
    let report = check(dir.path(), &[]);
    assert!(
        report.problems.iter().all(|p| p.kind == P::RolledBack) && !report.is_sound(),
        "{:?}",
        report.problems
    );
    let refused = shieldwall_ledger::Ledger::open(
        common::options(dir.path()),
        Arc::new(ManualClock::new(start())),
        common::entropy(1),
        Box::new(common::TestFold::default()),
    );
    assert_eq!(refused.err().unwrap().code(), "ledger.signing.rolled_back");

    // The whole directory put back: only who remembers a checkpoint can tell.
    assert!(check(old.path(), &[]).is_sound());
    let report = check(old.path(), std::slice::from_ref(&later.note));
    assert_eq!(report.problems[0].kind, P::RolledBack);

    // Grown anew to the same size with something else: a fork.
    let hub = open_at(old.path(), Arc::new(ManualClock::new(start().plus_seconds(99))));
    hub.append_blocking(vec![world.draft(0, world.pair, "note", "another later")]).unwrap();
    hub.close().unwrap();
    assert!(check(old.path(), &[]).is_sound());
    let report = check(old.path(), &[later.note]);
    assert_eq!(report.problems[0].kind, P::Forked);
}

/// Everything written anew with a key of the forger's own: consistent in itself.
fn forge(dir: &Path, key: &SigningKey) {
    let connection = Connection::open(dir.join("real/ledger.db")).unwrap();
    let public = key.verifying_key().to_bytes();
    connection.execute("UPDATE identities SET public = ?1", [public]).unwrap();
    let mut statement = connection.prepare("SELECT log, size, note FROM checkpoints").unwrap();
    let rows: Vec<(i64, i64, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (log, size, note) in rows {
        let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
        let name = text.lines().next().unwrap();
        let id = signed_note::key_id(name, &[&[1], public.as_slice()].concat());
        let signature = key.sign(text.as_bytes()).to_bytes().to_vec();
        let signature = signed_note::Signature::new(name.to_owned(), id, signature).unwrap();
        let forged = signed_note::Note::new(text.as_bytes(), &[signature]).unwrap().to_bytes();
        let forged = String::from_utf8(forged).unwrap();
        connection
            .execute("UPDATE checkpoints SET note = ?3 WHERE log = ?1 AND size = ?2", (log, size, forged))
            .unwrap();
    }
}

#[test]
fn a_swapped_key_is_told_by_the_key_file_or_by_a_remembered_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (_, checkpoint) = ledger(dir.path());
    forge(dir.path(), &SigningKey::from_bytes(&[9; 32]));
    let report = check(dir.path(), &[]);
    assert!(
        report.problems.iter().all(|p| p.kind == P::Identity) && !report.is_sound(),
        "{:?}",
        report.problems
    );
    fs::remove_file(dir.path().join("hub.key")).unwrap();
    let report = check(dir.path(), &[]);
    assert_eq!((report.is_sound(), report.key), (true, KeySource::Ledger));
    assert_eq!(check(dir.path(), &[checkpoint.note]).problems[0].kind, P::Forked);
}

#[test]
fn a_body_rewritten_with_all_that_hangs_on_it_still_fails_its_checkpoint() {
    let (dir, forged) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (world, _) = ledger(dir.path());
    // The forger has a whole ledger of its own making with the very same ids, but not the hub's key.
    copy(dir.path(), forged.path());
    let connection = Connection::open(forged.path().join("real/ledger.db")).unwrap();
    let checkpoints: Vec<(i64, i64, i64, String)> = connection
        .prepare("SELECT * FROM checkpoints")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    drop(connection);
    let other = tempfile::tempdir().unwrap();
    let hub = open(other.path());
    for n in 0..290 {
        hub.append_blocking(vec![world.draft(0, world.pair, "note", &format!("forged {n}"))]).unwrap();
    }
    hub.close().unwrap();
    // The real signatures are put over the forged log.
    let connection = Connection::open(other.path().join("real/ledger.db")).unwrap();
    connection.execute("DELETE FROM checkpoints", []).unwrap();
    for (log, size, identity, note) in checkpoints.into_iter().filter(|row| row.0 == 1) {
        connection
            .execute("INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4)", (log, size, identity, note))
            .unwrap();
    }
    let key: Vec<u8> = Connection::open(dir.path().join("real/ledger.db"))
        .unwrap()
        .query_row("SELECT public FROM identities", [], |row| row.get(0))
        .unwrap();
    connection.execute("UPDATE identities SET public = ?1", [key]).unwrap();
    drop(connection);
    fs::copy(dir.path().join("hub.key"), other.path().join("hub.key")).unwrap();
    fs::remove_file(other.path().join("real/signed")).unwrap();
    let report = check(other.path(), &[]);
    assert!(
        report.problems.iter().all(|p| p.kind == P::Checkpoint) && !report.is_sound(),
        "{:?}",
        report.problems
    );
}
