//! Followers miss nothing and repeat nothing, however often they drop and resume.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use common::{World, open};
use proptest::prelude::*;
use shieldwall_ledger::{Entry, Follow, Ledger, Positions};
use shieldwall_model::id::GroupId;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// The next entry. A follower that misses one waits for ever: the limit turns that into a failure.
async fn next(follow: &mut Follow) -> Arc<Entry> {
    let next = tokio::time::timeout(Duration::from_secs(60), follow.next());
    next.await.expect("an entry is missed").unwrap().unwrap().into_inner()
}

/// What a follower would give right now: an entry's group and sequence, or nothing.
async fn now(follow: &mut Follow) -> Option<(GroupId, u64)> {
    let mut next = std::pin::pin!(follow.next());
    // One poll: what is in memory is there at once, so pending means that there is nothing in scope.
    poll_fn(|context| match next.as_mut().poll(context) {
        Poll::Ready(entry) => Poll::Ready(entry.map(|entry| {
            let entry = entry.unwrap();
            (entry.group, entry.sequence)
        })),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[derive(Clone, Debug)]
enum Step {
    /// Append to a group so many entries.
    Append(bool, u8),
    /// Take so many entries.
    Take(u8),
    /// Drop the follower and resume from its place, perhaps over a restart of the hub.
    Resume(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (any::<bool>(), 1u8..6).prop_map(|(hidden, count)| Step::Append(hidden, count)),
        (0u8..6).prop_map(Step::Take),
        any::<bool>().prop_map(Step::Resume),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_missed_or_repeated(steps in steps()) {
        block_on(async {
            let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
            let mut hub = open(dir.path());
            let mut follow = hub.follow(&world.scope(0), Positions::new());
            let (mut visible, mut seen) = (0u64, Vec::new());
            for step in steps {
                match step {
                    Step::Append(hidden, count) => {
                        let (member, group) = if hidden { (2, world.other) } else { (1, world.pair) };
                        let drafts = (0..count).map(|_| world.draft(member, group, "note", "x")).collect();
                        hub.append(drafts).await.unwrap();
                        visible += if hidden { 0 } else { u64::from(count) };
                    }
                    Step::Take(count) => {
                        for _ in 0..count {
                            if u64::try_from(seen.len()).unwrap() == visible {
                                break;
                            }
                            let entry = next(&mut follow).await;
                            assert_eq!(entry.group, world.pair);
                            seen.push(entry.sequence);
                        }
                    }
                    Step::Resume(restart) => {
                        let place = follow.positions().clone();
                        drop(follow);
                        if restart {
                            hub = tokio::task::spawn_blocking(move || {
                                hub.close().unwrap();
                            }).await.map(|()| open(dir.path())).unwrap();
                        }
                        follow = hub.follow(&world.scope(0), place);
                    }
                }
            }
            while u64::try_from(seen.len()).unwrap() < visible {
                seen.push(next(&mut follow).await.sequence);
            }
            assert_eq!(seen, (1..=visible).collect::<Vec<_>>());
            // Nothing trails behind: what comes next is the next.
            hub.append(vec![world.draft(0, world.pair, "note", "x")]).await.unwrap();
            assert_eq!(next(&mut follow).await.sequence, visible + 1);
            drop(follow);
            tokio::task::spawn_blocking(move || drop(hub)).await.unwrap();
        });
    }
}

/// R8 in small: many followers at once, each dropping at its own times, over a hub that is writing all the while. The
/// followers start late enough that some of what they need has left memory.
#[test]
fn many_followers_under_load_each_get_everything_once_and_in_order() {
    const ENTRIES: u64 = 6_000;
    block_on(async {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
        let hub = open(dir.path());
        let followers: Vec<_> = (0..12u64)
            .map(|number| {
                let (hub, scope) = (hub.clone(), world.scope(1));
                tokio::spawn(async move {
                    let mut place = Positions::new();
                    let mut seen: BTreeMap<GroupId, Vec<u64>> = BTreeMap::new();
                    let mut count = 0;
                    'resume: loop {
                        let mut follow = hub.follow(&scope, place.clone());
                        loop {
                            let entry = next(&mut follow).await;
                            seen.entry(entry.group).or_default().push(entry.sequence);
                            count += 1;
                            if count == ENTRIES {
                                return seen;
                            }
                            // A pattern of drops of its own for each follower.
                            if count % (37 + number * 61) == 0 {
                                place = follow.positions().clone();
                                continue 'resume;
                            }
                        }
                    }
                })
            })
            .collect();
        let mut written = 0;
        while written < ENTRIES {
            let drafts = (0..100)
                .map(|n| world.draft(1, if n % 3 == 0 { world.other } else { world.pair }, "note", "x"))
                .collect();
            written += u64::try_from(hub.append(drafts).await.unwrap().len()).unwrap();
        }
        let sizes = hub.positions(&world.scope(1)).into_inner();
        for follower in followers {
            for (group, seen) in follower.await.unwrap() {
                assert_eq!(seen, (1..=sizes[&group]).collect::<Vec<_>>());
            }
        }
        tokio::task::spawn_blocking(move || drop::<Ledger>(hub)).await.unwrap();
    });
}

/// More than is handed over at once, both from the database and from memory, over two logs.
#[test]
fn a_long_backlog_comes_whole_and_in_the_order_of_commit() {
    block_on(async {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
        let many = || -> Vec<_> {
            let group = |n: u32| if n.is_multiple_of(3) { world.other } else { world.pair };
            (0..2_600).map(|n| world.draft(1, group(n), "note", "x")).collect()
        };
        let places = |receipts: Vec<shieldwall_ledger::Receipt>| -> Vec<_> {
            receipts.into_iter().map(|receipt| (receipt.group, receipt.sequence)).collect()
        };
        let hub = open(dir.path());
        let first = places(hub.append(many()).await.unwrap());
        tokio::task::spawn_blocking(move || hub.close().unwrap()).await.unwrap();
        let hub = open(dir.path());
        let mut follow = hub.follow(&world.scope(1), Positions::new());
        for place in first {
            let entry = next(&mut follow).await;
            assert_eq!((entry.group, entry.sequence), place);
        }
        assert_eq!(now(&mut follow).await, None);
        for place in places(hub.append(many()).await.unwrap()) {
            let entry = next(&mut follow).await;
            assert_eq!((entry.group, entry.sequence), place);
        }
        tokio::task::spawn_blocking(move || drop(hub)).await.unwrap();
    });
}

#[test]
fn entries_out_of_scope_do_not_end_the_wait() {
    block_on(async {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
        let hub = open(dir.path());
        hub.append(vec![world.draft(0, world.pair, "note", "x")]).await.unwrap();
        let mut follow = hub.follow(&world.scope(0), Positions::new());
        assert_eq!(next(&mut follow).await.sequence, 1);
        for _ in 0..3 {
            hub.append(vec![world.draft(2, world.other, "note", "hidden")]).await.unwrap();
            assert_eq!(now(&mut follow).await, None);
            assert_eq!(follow.positions(), &Positions::from([(world.pair, 1)]));
        }
        hub.append(vec![world.draft(0, world.pair, "note", "y")]).await.unwrap();
        assert_eq!(now(&mut follow).await, Some((world.pair, 2)), "in memory: there without waiting");
        tokio::task::spawn_blocking(move || drop(hub)).await.unwrap();
    });
}
