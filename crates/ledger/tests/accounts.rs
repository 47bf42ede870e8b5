//! Accounts: one-time links are taken once, tokens and sessions count while they should, and leave is asked for.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::path::Path;

use common::{World, entropy, start};
use shieldwall_ledger::accounts::{Accounts, LinkPurpose, Offline, Session, Token, User};
use shieldwall_model::access::{Action, Principal, Role};
use shieldwall_model::id::{SensorId, TokenId, UserId};

fn user(world: &World, name: &str, seed: u64) -> User {
    User {
        id: UserId::new(start(), &*entropy(seed)),
        member: world.members[0],
        name: name.into(),
        role: Role::Analyst,
        password: None,
        created: start(),
        disabled: None,
    }
}

fn token(world: &World, seed: u64) -> Token {
    Token {
        id: TokenId::new(start().plus_seconds(i64::try_from(seed).unwrap()), &*entropy(seed)),
        hash: [u8::try_from(seed).unwrap(); 32],
        label: "edge".into(),
        member: world.members[0],
        role: Role::Sensor,
        principal: Principal::Sensor(SensorId::new(start(), &*entropy(seed))),
        created: start(),
        expires: start().plus_seconds(3_600),
        revoked: None,
        last_used: None,
        joining: Some("{}".into()),
    }
}

fn accounts(dir: &Path) -> (Accounts, World) {
    (Accounts::open(dir).unwrap(), World::new())
}

#[test]
fn users_are_found_by_name_in_any_case_and_listed_with_leave_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, world) = accounts(dir.path());
    assert!(!accounts.has_users().unwrap());
    let anna = user(&world, "Anna", 1);
    accounts.add_user(&Offline, &anna).unwrap();
    assert_eq!(accounts.user_by_name("aNNA").unwrap().as_ref(), Some(&anna));
    assert_eq!(accounts.user(anna.id).unwrap().as_ref(), Some(&anna));
    assert_eq!(
        accounts.add_user(&Offline, &user(&world, "ANNA", 2)).unwrap_err().code(),
        "ledger.accounts.name_taken"
    );
    let operator = world.reader(0, Role::Operator).permit(Action::Administer).unwrap();
    accounts.add_user(&operator, &user(&world, "Bert", 3)).unwrap();
    let names = |after| -> Vec<String> {
        accounts.users(&operator, after).unwrap().into_iter().map(|user| user.name).collect()
    };
    assert_eq!((names(None), names(Some("anna"))), (vec!["Anna".into(), "Bert".into()], vec!["Bert".into()]));
    let analyst = world.permit(0, world.pair);
    assert_eq!(accounts.users(&analyst, None).unwrap_err().code(), "ledger.accounts.permit");
    assert_eq!(accounts.tokens(&analyst, None).unwrap_err().code(), "ledger.accounts.permit");
    assert_eq!(accounts.add_token(&analyst, &token(&world, 1)).unwrap_err().code(), "ledger.accounts.permit");
    // The offline command sees what the hub wrote, while the hub has the file open.
    assert_eq!(Accounts::open(dir.path()).unwrap().user(anna.id).unwrap(), Some(anna));
}

#[test]
fn a_session_lasts_until_it_ends_expires_or_its_user_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, world) = accounts(dir.path());
    let anna = user(&world, "anna", 1);
    accounts.add_user(&Offline, &anna).unwrap();
    let begin = |number: u8| {
        let session = Session {
            hash: [number; 32],
            user: anna.id,
            csrf: [9; 32],
            created: start(),
            expires: start().plus_seconds(60),
        };
        accounts.add_session(&session).unwrap();
        assert_eq!(accounts.session(&[number; 32], start()).unwrap().unwrap(), (session, anna.clone()));
    };
    let lives =
        |number: u8, second| accounts.session(&[number; 32], start().plus_seconds(second)).unwrap().is_some();
    begin(1);
    assert!(lives(1, 59) && !lives(1, 60) && !lives(2, 0));
    begin(2);
    assert!(accounts.end_session(&[1; 32]).unwrap() && !accounts.end_session(&[1; 32]).unwrap());
    assert!(!lives(1, 0) && lives(2, 0));
    accounts.disable_user(&Offline, anna.id, Some(start())).unwrap();
    assert!(!lives(2, 0));
    accounts.disable_user(&Offline, anna.id, None).unwrap();
    assert!(!lives(2, 0), "a session does not come back with its user");
    begin(3);
    accounts.set_password(anna.id, "$argon2id$x").unwrap();
    assert!(!lives(3, 0));
    assert_eq!(accounts.user(anna.id).unwrap().unwrap().password.as_deref(), Some("$argon2id$x"));
    accounts.set_role(&Offline, anna.id, Role::Officer).unwrap();
    assert_eq!(accounts.user(anna.id).unwrap().unwrap().role, Role::Officer);
    let nobody = UserId::new(start(), &*entropy(99));
    assert_eq!(
        accounts.set_role(&Offline, nobody, Role::Officer).unwrap_err().code(),
        "ledger.accounts.absent"
    );
}

#[test]
fn a_token_counts_until_it_expires_or_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, world) = accounts(dir.path());
    for seed in 1..=3 {
        accounts.add_token(&Offline, &token(&world, seed)).unwrap();
    }
    let first = token(&world, 1);
    let at = |second| accounts.token(&first.hash, start().plus_seconds(second)).unwrap();
    assert_eq!(at(0), Some(first.clone()));
    assert_eq!(at(10).unwrap().last_used, Some(start()), "noted by the use before");
    assert_eq!(at(61).unwrap().last_used, Some(start()), "ten seconds later were not worth a write");
    assert_eq!(at(62).unwrap().last_used, Some(start().plus_seconds(61)));
    assert_eq!(at(3_600), None);
    accounts.joined(first.id).unwrap();
    assert_eq!(at(62).unwrap().joining, None);
    accounts.revoke_token(&Offline, first.id, start().plus_seconds(63)).unwrap();
    accounts.revoke_token(&Offline, first.id, start().plus_seconds(99)).unwrap();
    assert_eq!(at(64), None);
    let newest = accounts.tokens(&Offline, None).unwrap();
    assert_eq!(newest.iter().map(|t| t.hash[0]).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(newest[2].revoked, Some(start().plus_seconds(63)));
    assert_eq!(accounts.tokens(&Offline, Some(newest[1].id)).unwrap(), newest[2..]);
    let absent = TokenId::new(start(), &*entropy(99));
    assert_eq!(
        accounts.revoke_token(&Offline, absent, start()).unwrap_err().code(),
        "ledger.accounts.absent"
    );
}

#[test]
fn of_many_who_take_a_link_one_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, world) = accounts(dir.path());
    let purpose = LinkPurpose::SignIn(world.users[0]);
    for round in 0..20u8 {
        accounts.add_link(&Offline, &[round; 32], purpose, start(), start().plus_seconds(9)).unwrap();
        assert_eq!(accounts.link(&[round; 32], start()).unwrap(), Some(purpose));
        let taken: usize = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        // Each through a file handle of its own, as the hub and a command would.
                        let accounts = Accounts::open(dir.path()).unwrap();
                        usize::from(accounts.take_link(&[round; 32], start()).unwrap() == Some(purpose))
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(taken, 1);
        assert_eq!(accounts.link(&[round; 32], start()).unwrap(), None);
    }
}

#[test]
fn links_expire_and_a_new_first_run_link_takes_the_place_of_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, world) = accounts(dir.path());
    let until = start().plus_seconds(9);
    accounts.add_link(&Offline, &[1; 32], LinkPurpose::FirstRun, start(), until).unwrap();
    accounts.add_link(&Offline, &[2; 32], LinkPurpose::FirstRun, start(), until).unwrap();
    accounts.add_link(&Offline, &[3; 32], LinkPurpose::Password(world.users[0]), start(), until).unwrap();
    assert_eq!(accounts.take_link(&[1; 32], start()).unwrap(), None);
    assert_eq!(accounts.take_link(&[2; 32], until).unwrap(), None, "expired");
    assert_eq!(accounts.take_link(&[2; 32], start()).unwrap(), Some(LinkPurpose::FirstRun));
    assert_eq!(accounts.take_link(&[3; 32], start()).unwrap(), Some(LinkPurpose::Password(world.users[0])));
}

#[test]
fn a_token_from_memory_counts_not_one_request_longer_than_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, world) = accounts(dir.path());
    let (now, token) = (start(), Token { joining: None, ..token(&world, 1) });
    accounts.add_token(&Offline, &token).unwrap();
    assert_eq!(accounts.recent_token(&token.hash, now).unwrap(), None, "nobody has asked yet");
    // The first use is noted, which is a change; from the second on it is in memory.
    accounts.token(&token.hash, now).unwrap().unwrap();
    assert_eq!(accounts.recent_token(&token.hash, now).unwrap(), None);
    accounts.token(&token.hash, now).unwrap().unwrap();
    let recent = || accounts.recent_token(&token.hash, now).unwrap().is_some();
    assert!(recent());
    assert_eq!(accounts.recent_token(&[0; 32], now).unwrap(), None);
    assert_eq!(accounts.recent_token(&token.hash, token.expires).unwrap(), None, "expired");
    assert_eq!(accounts.recent_token(&token.hash, now.plus_seconds(60)).unwrap(), None, "a use to be noted");
    // By the hub itself, and by the offline command, each through a connection of its own.
    accounts.add_user(&Offline, &user(&world, "Anna", 1)).unwrap();
    assert!(!recent(), "anything changed");
    accounts.token(&token.hash, now).unwrap().unwrap();
    assert!(recent());
    Accounts::open(dir.path()).unwrap().revoke_token(&Offline, token.id, now).unwrap();
    assert!(!recent(), "revoked beside the hub");
    assert_eq!(accounts.token(&token.hash, now).unwrap(), None);
    assert!(!recent());
}
