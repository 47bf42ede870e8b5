//! What the ledger does when the views, the disk's content, or the load are not as they should be.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use common::{TestFold, World, entropy, open, options, start};
use shieldwall_ledger::reading::EntryQuery;
use shieldwall_ledger::verify::{ProblemKind, verify};
use shieldwall_ledger::views::ViewsError;
use shieldwall_ledger::{AppendError, Entry, Fold, FoldError, Ledger, Positions, Receipt, Views, Words};
use shieldwall_model::limits::APPENDS_WAITING_MAX;
use shieldwall_model::realm::Realm;
use shieldwall_model::time::ManualClock;

/// The test fold, made to fail or to wait.
struct Troubled {
    fold: TestFold,
    fails: Arc<AtomicBool>,
    starts: Arc<AtomicU64>,
    wait: Option<Mutex<Receiver<()>>>,
}

impl Fold for Troubled {
    fn version(&self) -> u32 {
        1
    }

    fn words(&self) -> Words {
        self.fold.words()
    }

    fn start(&mut self, views: &mut Views<'_>) -> Result<(), FoldError> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        let written = views.put_document("count", common::World::new().pair, "x", 1, b"");
        assert_eq!(written.unwrap_err().code(), "ledger.views.no_entry", "views change only by entries");
        self.fold.start(views)
    }

    fn fold(&mut self, entry: &Entry, views: &mut Views<'_>) -> Result<(), FoldError> {
        if let Some(wait) = &self.wait {
            wait.lock().unwrap().recv().unwrap();
        }
        self.fold.fold(entry, views)?;
        // Fails after it has changed both the views and its own state.
        if self.fails.load(Ordering::SeqCst) { Err(FoldError::Views(ViewsError::NoEntry)) } else { Ok(()) }
    }
}

struct Trouble {
    ledger: Ledger,
    fails: Arc<AtomicBool>,
    starts: Arc<AtomicU64>,
}

fn troubled(dir: &std::path::Path, wait: Option<Receiver<()>>) -> Trouble {
    let (fails, starts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let fold = Troubled {
        fold: TestFold::default(),
        fails: Arc::clone(&fails),
        starts: Arc::clone(&starts),
        wait: wait.map(Mutex::new),
    };
    let clock = Arc::new(ManualClock::new(start()));
    let ledger = Ledger::open(options(dir), clock, entropy(7), Box::new(fold)).unwrap();
    Trouble { ledger, fails, starts }
}

fn count(ledger: &Ledger, world: &World) -> Option<String> {
    let reading = ledger.read().unwrap();
    let document = reading.document(&world.scope(0), "count", world.pair, "note").unwrap();
    document.map(|document| String::from_utf8(document.into_inner().body).unwrap())
}

#[test]
fn views_that_fell_behind_catch_up_and_fold_each_entry_once() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let Trouble { ledger, fails, starts } = troubled(dir.path(), None);
    let note = || vec![world.draft(0, world.pair, "note", "x").idempotency("k")];
    let other = || vec![world.draft(0, world.pair, "note", "y")];
    ledger.append_blocking(other()).unwrap();
    assert_eq!((count(&ledger, &world).as_deref(), starts.load(Ordering::SeqCst)), (Some("1"), 1));
    fails.store(true, Ordering::SeqCst);
    assert_eq!(ledger.append_blocking(note()).unwrap_err().code(), "ledger.append.views");
    assert_eq!(ledger.append_blocking(other()).unwrap_err().code(), "ledger.append.views");
    // Kept, but told to nobody.
    assert_eq!(count(&ledger, &world).as_deref(), Some("1"));
    assert_eq!(ledger.positions(&world.scope(0)).into_inner(), Positions::from([(world.pair, 1)]));
    let query = EntryQuery { limit: 9, ..EntryQuery::default() };
    assert_eq!(ledger.read().unwrap().entries(&world.scope(0), &query).unwrap().rows.len(), 1);
    fails.store(false, Ordering::SeqCst);
    let repeated = ledger.append_blocking(note()).unwrap();
    assert_eq!((repeated[0].repeated, repeated[0].sequence), (true, 2), "what was kept is not kept again");
    ledger.append_blocking(other()).unwrap();
    assert_eq!(count(&ledger, &world).as_deref(), Some("4"));
    assert_eq!(ledger.positions(&world.scope(0)).into_inner(), Positions::from([(world.pair, 4)]));
    assert!(starts.load(Ordering::SeqCst) >= 2, "the fold's own state was loaded anew");
}

#[tokio::test]
async fn views_that_fell_behind_also_catch_up_while_nothing_is_appended() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let Trouble { ledger, fails, .. } = troubled(dir.path(), None);
    let mut follow = ledger.follow(&world.scope(0), Positions::new());
    fails.store(true, Ordering::SeqCst);
    let kept = ledger.append(vec![world.draft(0, world.pair, "note", "x")]).await;
    assert_eq!(kept.unwrap_err().code(), "ledger.append.views");
    fails.store(false, Ordering::SeqCst);
    assert_eq!(follow.next().await.unwrap().unwrap().sequence, 1);
    tokio::task::spawn_blocking(move || drop(ledger)).await.unwrap();
}

/// R5: a log that was changed on disk is not signed, and nothing more is written to it; reads stay up.
#[test]
fn a_log_changed_on_disk_is_not_signed() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let ledger = open(dir.path());
    let append = || ledger.append_blocking(vec![world.draft(0, world.pair, "note", "x")]);
    append().unwrap();
    assert_eq!(ledger.checkpoint_now().unwrap(), 1);
    append().unwrap();
    let path = dir.path().join("real/ledger.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("UPDATE entries SET body = x'00' WHERE sequence = 2").unwrap();
    assert_eq!(ledger.checkpoint_now().unwrap_err().code(), "ledger.append.halted");
    assert_eq!(append().unwrap_err().code(), "ledger.append.halted");
    let reading = ledger.read().unwrap();
    assert_eq!(reading.checkpoints(&world.scope(0), world.pair, None, 9).unwrap().len(), 1);
    drop(reading);
    assert_eq!(ledger.close().unwrap_err().code(), "ledger.signing.changed");
    let report = verify(dir.path(), &Realm::Real, &[], &mut |_, _| {}).unwrap();
    assert_eq!((report.problems[0].kind, report.problems[0].sequence), (ProblemKind::Body, Some(2)));
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Vec<Receipt>, AppendError>> + 'a>>;

#[test]
fn a_full_queue_refuses_at_once_and_leaves_nobody_waiting() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let (go, wait) = sync_channel(1);
    let Trouble { ledger, .. } = troubled(dir.path(), Some(wait));
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting: Vec<Waiting<'_>> = Vec::new();
    let refused = loop {
        let mut append: Waiting<'_> = Box::pin(ledger.append(vec![world.draft(0, world.pair, "note", "x")]));
        match append.as_mut().poll(&mut context) {
            Poll::Ready(answer) => break answer.unwrap_err(),
            Poll::Pending => waiting.push(append),
        }
        assert!(waiting.len() <= APPENDS_WAITING_MAX * 2, "the queue has no end");
    };
    assert_eq!(refused, AppendError::Busy);
    assert!(waiting.len() >= APPENDS_WAITING_MAX, "{}", waiting.len());
    drop(go);
    // The fold now ends with the writer, which takes what waited with it: each is told, none hangs.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for append in waiting {
        assert_eq!(runtime.block_on(append), Err(AppendError::Closed));
    }
    assert_eq!(
        ledger.append_blocking(vec![world.draft(0, world.pair, "note", "x")]),
        Err(AppendError::Closed)
    );
}

#[test]
fn readers_wait_for_each_other_and_not_for_the_writer() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let ledger = open(dir.path());
    let mut held: Vec<_> = (0..8).map(|_| ledger.read().unwrap()).collect();
    ledger.append_blocking(vec![world.draft(0, world.pair, "note", "x")]).unwrap();
    std::thread::scope(|scope| {
        let next = scope.spawn(|| ledger.read().unwrap().positions(&world.scope(0)).into_inner());
        held.pop();
        assert_eq!(next.join().unwrap(), Positions::from([(world.pair, 1)]));
    });
}
