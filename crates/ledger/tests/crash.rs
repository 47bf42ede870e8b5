//! R1 and R3: a hub killed at any moment, or whose disk refuses or tears a write, keeps what it acknowledged, once.
//!
//! Without a harness, for it runs itself as the hub that is to die. What was acknowledged is kept outside that
//! process, in this one. `SHIELDWALL_KILL_CYCLES` sets how often it is killed (50; 1,000 before a release).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{TestFold, World};
use shieldwall_ledger::dump::dump_views;
use shieldwall_ledger::reading::EntryQuery;
use shieldwall_ledger::verify::verify;
use shieldwall_ledger::{AppendError, Ledger, Options, Positions, rebuild};
use shieldwall_model::id::{Entropy as _, RepeatableEntropy, SystemEntropy};
use shieldwall_model::realm::Realm;
use shieldwall_model::time::SystemClock;

const CHILD: &str = "SHIELDWALL_CRASH_CHILD";
const WRITERS: usize = 4;
/// Cycles on one directory, so that checking all of it stays quick.
const CYCLES_A_DIRECTORY: usize = 25;

fn main() {
    match std::env::var(CHILD).ok().as_deref() {
        Some("writes") => writes(),
        Some("disk") => disk(),
        Some(other) => panic!("{other}"),
        None => {
            killed_at_any_moment();
            writes_refused_or_torn_at_any_place();
            a_full_disk_is_survived_without_a_restart();
        }
    }
}

fn open(dir: &Path) -> Ledger {
    // Checkpoints every few milliseconds, so that it also dies while signing.
    let options = Options { checkpoint_every: Duration::from_millis(7), ..common::options(dir) };
    Ledger::open(options, Arc::new(SystemClock), Arc::new(SystemEntropy), Box::new(TestFold::default()))
        .unwrap()
}

fn arguments() -> (std::path::PathBuf, String) {
    let mut arguments = std::env::args().skip(1);
    (arguments.next().unwrap().into(), arguments.next().unwrap())
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The hub that dies: writers that append alone and in calls of several, and tell each acknowledgement.
fn writes() {
    let (dir, cycle) = arguments();
    let (world, ledger) = (World::new(), open(&dir));
    tell("ready");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (world, ledger, cycle) = (&world, ledger.clone(), &cycle);
            scope.spawn(move || {
                for call in 0.. {
                    let bodies: Vec<String> = (0..=call % 4)
                        .map(|n| format!("{cycle}/{writer}/{call}/{n}/{}", "x".repeat(call * 37 % 5_000)))
                        .collect();
                    let group = if call % 3 == 0 { world.other } else { world.pair };
                    let drafts = bodies
                        .iter()
                        .map(|body| {
                            world.draft(1, group, "note", body).idempotency(body.trim_end_matches('x'))
                        })
                        .collect();
                    for (receipt, body) in ledger.append_blocking(drafts).unwrap().iter().zip(&bodies) {
                        tell(&format!("{} {} {body}", receipt.group.uuid(), receipt.sequence));
                    }
                }
            });
        }
    });
}

fn child(mode: &str, dir: &Path, argument: &str, before: &str) -> Child {
    let me = std::env::current_exe().unwrap();
    // The shell sets what it must and becomes the hub: signals reach that one.
    Command::new("sh")
        .args(["-c", &format!("{before} exec \"$@\""), "sh"])
        .arg(me)
        .arg(dir)
        .arg(argument)
        .env(CHILD, mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

type Acknowledged = BTreeMap<String, (String, u64)>;

fn take(line: &str, acknowledged: &mut Acknowledged) {
    let mut words = line.splitn(3, ' ');
    let (group, sequence) = (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap());
    let before = acknowledged.insert(words.next().unwrap().to_owned(), (group, sequence));
    assert_eq!(before, None, "acknowledged twice: {line}");
}

/// Whole lines alone: the last one may have been cut by the kill.
fn whole_lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::iter::from_fn(move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    })
}

/// That everything acknowledged is there once and where it was said to be, that nothing is there twice, and that the
/// ledger proves sound. The time it took to open.
fn inspect(dir: &Path, acknowledged: &Acknowledged) -> Duration {
    let world = World::new();
    let began = Instant::now();
    let ledger = open(dir);
    let ready = began.elapsed();
    let (scope, mut after) = (world.scope(1), Positions::new());
    let mut found = Acknowledged::new();
    loop {
        let query = EntryQuery { after: after.clone(), limit: 1_000, ..EntryQuery::default() };
        let page = ledger.read().unwrap().entries(&scope, &query).unwrap().into_inner();
        for entry in page.rows {
            after.insert(entry.group, entry.sequence);
            let body = String::from_utf8(entry.body.unwrap()).unwrap();
            let twice = found.insert(body, (entry.group.uuid().to_string(), entry.sequence));
            assert_eq!(twice, None, "applied twice: {} {}", entry.group, entry.sequence);
        }
        if !page.more {
            break;
        }
    }
    for (body, place) in acknowledged {
        assert_eq!(found.get(body), Some(place), "acknowledged but not there: {body}");
    }
    ledger.close().unwrap();
    let report = verify(dir, &Realm::Real, &[], &mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.entries, u64::try_from(found.len()).unwrap());
    ready
}

fn dump(dir: &Path) -> String {
    dump_views(dir, &Realm::Real, &mut std::io::sink()).unwrap().sha256
}

fn killed_at_any_moment() {
    let cycles: usize =
        std::env::var("SHIELDWALL_KILL_CYCLES").map_or(50, |text| text.parse().expect("a number of cycles"));
    let random = RepeatableEntropy::new(1);
    let (mut kept, mut slowest) = (0, Duration::ZERO);
    let mut dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for cycle in 0..cycles {
        if cycle % CYCLES_A_DIRECTORY == 0 {
            dir = tempfile::tempdir().unwrap();
            acknowledged.clear();
        }
        let mut bytes = [0u8; 4];
        random.fill(&mut bytes).unwrap();
        // Some die while opening, most after some hundred acknowledgements, at no particular point of a commit.
        let after = if cycle % 8 == 0 { 0 } else { 1 + usize::from(bytes[0]) * 2 };
        let mut hub = child("writes", dir.path(), &cycle.to_string(), "");
        let mut lines = whole_lines(&mut hub);
        if cycle % 16 != 0 {
            assert_eq!(lines.next().as_deref(), Some("ready"));
        }
        let mut taken = 0;
        while taken < after {
            take(&lines.next().unwrap(), &mut acknowledged);
            taken += 1;
        }
        for _ in 0..u32::from(bytes[1]) * u32::from(bytes[2]) {
            std::hint::spin_loop();
        }
        hub.kill().unwrap();
        hub.wait().unwrap();
        for line in lines.filter(|line| line != "ready") {
            take(&line, &mut acknowledged);
            taken += 1;
        }
        kept += taken;
        slowest = slowest.max(inspect(dir.path(), &acknowledged));
        if cycle % 10 == 9 {
            let folded = dump(dir.path());
            rebuild(dir.path(), Realm::Real, Box::new(TestFold::default()), &mut |_, _| {}).unwrap();
            assert_eq!(dump(dir.path()), folded, "views after a crash are the views of the log");
        }
    }
    assert!(kept > cycles * 20, "{kept} acknowledgements are too few to tell anything");
    println!(
        "killed {cycles} times: {kept} acknowledged, 0 lost, 0 twice; ready again in {slowest:?} at most"
    );
}

/// The hub whose files may not grow: appends until it is told no, then once more whenever it is asked to.
fn disk() {
    let (dir, count) = arguments();
    let (world, ledger) = (World::new(), open(&dir));
    let count: usize = count.parse().unwrap();
    let append = |n: usize| {
        let body = format!("{n}/{}", "y".repeat(3_000));
        let answer = ledger.append_blocking(vec![world.draft(1, world.pair, "note", &body)]);
        if let Ok(receipts) = &answer {
            tell(&format!("{} {} {body}", receipts[0].group.uuid(), receipts[0].sequence));
        }
        answer
    };
    for n in 0..count {
        match append(n) {
            // Kept, and perhaps folded only later.
            Ok(_) | Err(AppendError::Views(_)) => {}
            Err(error) => {
                let entries = EntryQuery { limit: 1, ..EntryQuery::default() };
                let read = ledger.read().and_then(|r| r.entries(&world.scope(1), &entries)).is_ok();
                tell(&format!("refused {} {read}", error.code()));
                break;
            }
        }
    }
    for (n, line) in std::io::stdin().lines().enumerate() {
        line.unwrap();
        let answer = append(1_000_000 + n);
        tell(&format!("again {}", answer.map_or_else(|error| error.code(), |_| "ok")));
    }
    // What cannot be signed for want of space is said, and costs nothing that was acknowledged.
    let _ = ledger.close();
}

/// A limit on the size of files cuts each write that crosses it short and refuses those after: for every limit here
/// another write, another byte of it.
fn writes_refused_or_torn_at_any_place() {
    let (mut refused, mut kept) = (0, 0);
    for blocks in (260..1_100).step_by(21) {
        let dir = tempfile::tempdir().unwrap();
        common::open(dir.path()).close().unwrap();
        let before = format!("trap '' XFSZ; ulimit -S -f {blocks} || exit 9;");
        let mut hub = child("disk", dir.path(), "200", &before);
        drop(hub.stdin.take());
        let mut acknowledged = Acknowledged::new();
        for line in whole_lines(&mut hub) {
            match line.strip_prefix("refused ") {
                Some(rest) => {
                    assert!(rest.ends_with("true"), "reads stay up: {rest}");
                    refused += 1;
                }
                None => take(&line, &mut acknowledged),
            }
        }
        assert!(hub.wait().unwrap().success());
        kept += acknowledged.len();
        inspect(dir.path(), &acknowledged);
    }
    assert!(refused >= 30 && kept > 500, "{refused} refused, {kept} kept");
    println!("torn and refused writes: {refused} refused, {kept} acknowledged, 0 lost, 0 twice");
}

fn a_full_disk_is_survived_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    common::open(dir.path()).close().unwrap();
    let mut hub = child("disk", dir.path(), "2000", "trap '' XFSZ; ulimit -S -f 1000 || exit 9;");
    let mut stdin = hub.stdin.take().unwrap();
    let mut lines = whole_lines(&mut hub);
    let mut acknowledged = Acknowledged::new();
    let mut until = |mark: &str, acknowledged: &mut Acknowledged| loop {
        let line = lines.next().expect("the hub lives");
        match line.strip_prefix(mark) {
            Some(rest) => return rest.to_owned(),
            None => take(&line, acknowledged),
        }
    };
    let refused = until("refused ", &mut acknowledged);
    assert!(refused.starts_with("ledger.append.") && refused.ends_with("true"), "{refused}");
    stdin.write_all(b"again\n").unwrap();
    assert!(until("again ", &mut acknowledged).starts_with("ledger.append."), "there is no space yet");
    let limit = Command::new("prlimit")
        .args([&format!("--pid={}", hub.id()), "--fsize=unlimited"])
        .status()
        .expect("prlimit of util-linux");
    assert!(limit.success());
    stdin.write_all(b"again\n").unwrap();
    assert_eq!(until("again ", &mut acknowledged), "ok");
    drop(stdin);
    assert!(hub.wait().unwrap().success());
    inspect(dir.path(), &acknowledged);
    println!("a full disk: {} acknowledged, 0 lost, recovered without a restart", acknowledged.len());
}
