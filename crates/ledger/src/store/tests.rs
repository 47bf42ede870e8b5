//! What a failed write leaves behind, where it can be made to fail: in the writing connection itself.

use shieldwall_model::access::{Action, Principal, Reader, Role};
use shieldwall_model::directory::{Directory, Member, MemberKind};
use shieldwall_model::id::{RepeatableEntropy, UserId};

use super::*;
use crate::writer::AppendError;

fn permit() -> shieldwall_model::access::Permit {
    let (entropy, mut directory) = (RepeatableEntropy::new(1), Directory::default());
    let id = MemberId::new(Timestamp::default(), &entropy);
    directory.join(Member { id, name: "A".into(), kind: MemberKind::Nation, country: None, sectors: vec![] });
    let user = Principal::User(UserId::new(Timestamp::default(), &entropy));
    Reader::new(Realm::Real, user, id, Role::Analyst, &directory)
        .permit_in(Action::ShareIntelligence, GroupId::ALLIANCE)
        .unwrap()
}

fn open_in(dir: &std::path::Path) -> Store {
    let files = Files::new(dir, Realm::Real);
    files.make().unwrap();
    let key = RealmKey::derive(&[1; 32], &Realm::Real);
    Store::open(&files, "shieldwall.example/real", &key, &RepeatableEntropy::new(1)).unwrap()
}

fn append(store: &mut Store, count: usize) -> Result<u64, StoreError> {
    let permit = permit();
    let drafts =
        (0..count).map(|_| Draft::new(&permit, GroupId::ALLIANCE, "note", vec![7; 20_000])).collect();
    let written = store.append(vec![drafts], Timestamp::from_micros(1), &RepeatableEntropy::new(2))?;
    Ok(written.receipts.iter().flatten().last().unwrap().sequence)
}

/// R4.
#[test]
fn a_full_disk_is_told_as_such_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_in(dir.path());
    assert_eq!(append(&mut store, 3).unwrap(), 3);
    let before = (store.position, store.logs.get(&GroupId::ALLIANCE).unwrap().frontier.clone());
    store.connection.execute_batch("PRAGMA max_page_count = 40").unwrap();
    let error = append(&mut store, 20).unwrap_err();
    assert_eq!(AppendError::of(&error), AppendError::DiskFull);
    assert_eq!((store.position, store.logs.get(&GroupId::ALLIANCE).unwrap().frontier.clone()), before);
    let entries: u64 =
        store.connection.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
    assert_eq!(entries, 3);
    store.connection.execute_batch("PRAGMA max_page_count = 100000").unwrap();
    assert_eq!(append(&mut store, 20).unwrap(), 23);
    drop(store);
    assert_eq!(open_in(dir.path()).position, 23);
}

#[test]
fn a_ledger_of_another_realm_or_with_a_torn_tree_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_in(dir.path());
    append(&mut store, 3).unwrap();
    store.connection.execute_batch("UPDATE meta SET value = 'x' WHERE key = 'realm'").unwrap();
    let files = Files::new(dir.path(), Realm::Real);
    let key = RealmKey::derive(&[1; 32], &Realm::Real);
    let open = || Store::open(&files, "o", &key, &RepeatableEntropy::new(1)).err().map(|error| error.code());
    assert_eq!(open(), Some("ledger.store.realm"));
    store.connection.execute_batch("UPDATE meta SET value = 'real' WHERE key = 'realm'").unwrap();
    assert_eq!(open(), None);
    store.connection.execute_batch("UPDATE leaves SET hash = zeroblob(32) WHERE sequence = 3").unwrap();
    assert_eq!(open(), Some("ledger.store.damaged"));
    store.connection.execute_batch("DELETE FROM entries WHERE sequence = 3").unwrap();
    assert_eq!(open(), Some("ledger.store.damaged"));
}

#[test]
fn a_checkpoint_no_larger_than_the_last_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_in(dir.path());
    append(&mut store, 3).unwrap();
    let signed =
        |size| Signed { log: 1, group: GroupId::ALLIANCE, size, root: Hash([0; 32]), note: String::new() };
    store.keep(&[signed(2)]).unwrap();
    assert_eq!(store.keep(&[signed(3), signed(2)]).unwrap_err().code(), "ledger.store.damaged");
    let kept: u64 =
        store.connection.query_row("SELECT max(size) FROM checkpoints", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 2, "all of them or none");
}
