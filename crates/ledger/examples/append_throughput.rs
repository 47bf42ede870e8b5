//! How fast a ledger takes, gives and tells, beside what the disk itself can do in the same run.
//!
//! `cargo run --release -p shieldwall-ledger --example append_throughput [entries]` prints one line a figure. Ratios
//! are against a loop that writes one body and flushes it, on the same file system.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shieldwall_ledger::reading::{ObjectQuery, SearchQuery};
use shieldwall_ledger::verify::verify;
use shieldwall_ledger::views::ObjectRow;
use shieldwall_ledger::{Draft, Entry, Fold, FoldError, Ledger, Options, Positions, Views, Words, rebuild};
use shieldwall_model::access::{Action, Permit, Principal, ReadScope, Reader, Role};
use shieldwall_model::directory::{Directory, Member, MemberKind};
use shieldwall_model::id::{GroupId, MemberId, RepeatableEntropy, SystemEntropy, UserId};
use shieldwall_model::realm::Realm;
use shieldwall_model::time::{Clock as _, SystemClock, Timestamp};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes of a body: what a STIX indicator has.
const BODY_BYTES: usize = 1_700;
const ENTRIES: usize = 50_000;

/// Indexes every entry as an object with a dozen words.
struct Index;

impl Fold for Index {
    fn version(&self) -> u32 {
        1
    }

    fn words(&self) -> Words {
        |entry| Some(text(entry))
    }

    fn start(&mut self, _views: &mut Views<'_>) -> Result<(), FoldError> {
        Ok(())
    }

    fn fold(&mut self, entry: &Entry, views: &mut Views<'_>) -> Result<(), FoldError> {
        let id = format!("indicator--8e2e2d2b-17d4-4cbf-938f-{:012x}", entry.sequence);
        let text = text(entry);
        views.put_object(&ObjectRow {
            id: &id,
            object_type: "indicator",
            version: Timestamp::from_micros(1),
            spec_version: "2.1",
            created_by: None,
            name: Some(&text),
            marking: None,
            revoked: false,
        })?;
        Ok(())
    }
}

fn text(entry: &Entry) -> String {
    format!("indicator {} evil{}.example seen in traffic of a bank", entry.sequence, entry.sequence)
}

struct Bench {
    permit: Permit,
    scope: ReadScope,
    group: GroupId,
    body: Vec<u8>,
}

impl Bench {
    fn new() -> Outcome<Self> {
        let (entropy, mut directory) = (RepeatableEntropy::new(1), Directory::default());
        let id = MemberId::new(Timestamp::default(), &entropy);
        let name = "Member".to_owned();
        directory.join(Member { id, name, kind: MemberKind::Nation, country: None, sectors: vec![] });
        let user = Principal::User(UserId::new(Timestamp::default(), &entropy));
        let reader = Reader::new(Realm::Real, user, id, Role::Analyst, &directory);
        let group = GroupId::ALLIANCE;
        Ok(Self {
            permit: reader.permit_in(Action::ShareIntelligence, group)?,
            scope: reader.scope(Action::ReadIntelligence)?,
            group,
            body: (0..BODY_BYTES)
                .map(|at| b"0123456789abcdef".get(at * 7 % 16).copied().unwrap_or(0))
                .collect(),
        })
    }

    fn drafts(&self, count: usize) -> Vec<Draft> {
        (0..count).map(|_| Draft::new(&self.permit, self.group, "object.shared", self.body.clone())).collect()
    }
}

fn open(dir: &Path) -> Outcome<Ledger> {
    let options = Options {
        dir: dir.into(),
        realm: Realm::Real,
        origin: "shieldwall.example/real".into(),
        checkpoint_every: Duration::from_secs(1),
    };
    Ok(Ledger::open(options, Arc::new(SystemClock), Arc::new(SystemEntropy), Box::new(Index))?)
}

fn a_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

fn main() -> Outcome<()> {
    let entries: usize = std::env::args().nth(1).map_or(Ok(ENTRIES), |text| text.parse())?;
    let (dir, bench) = (tempfile::tempdir()?, Bench::new()?);

    let mut raw = File::create(dir.path().join("raw"))?;
    let began = Instant::now();
    for _ in 0..500 {
        raw.write_all(&bench.body)?;
        raw.sync_data()?;
    }
    let raw = a_second(500, began.elapsed());
    println!("write and flush, raw file:            {raw:>10.0} a second");

    let ledger = open(dir.path())?;
    let began = Instant::now();
    for _ in 0..500 {
        ledger.append_blocking(bench.drafts(1))?;
    }
    let alone = a_second(500, began.elapsed());
    println!("append, one caller, one at a time:    {alone:>10.0} a second, {:.2} of raw", alone / raw);

    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| (0..100).try_for_each(|_| ledger.append_blocking(bench.drafts(1)).map(drop)));
        }
    });
    let shared = a_second(6_400, began.elapsed());
    println!("append, 64 callers, one at a time:    {shared:>10.0} a second, {:.1} of raw", shared / raw);

    let began = Instant::now();
    for _ in 0..entries / 500 {
        ledger.append_blocking(bench.drafts(500))?;
    }
    let batches = a_second(entries / 500 * 500, began.elapsed());
    println!("append, calls of 500, views folded:   {batches:>10.0} a second, {:.1} of raw", batches / raw);

    pages(&ledger, &bench)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(follow(&ledger, &bench))?;

    let began = Instant::now();
    ledger.close()?;
    println!("close, with the last checkpoint:      {:>10.1} ms", began.elapsed().as_secs_f64() * 1e3);
    let began = Instant::now();
    let ledger = open(dir.path())?;
    println!("open again:                           {:>10.1} ms", began.elapsed().as_secs_f64() * 1e3);
    ledger.close()?;
    let began = Instant::now();
    let report = verify(dir.path(), &Realm::Real, &[], &mut |_, _| {})?;
    let total = usize::try_from(report.entries)?;
    println!(
        "verify ({}):                        {:>10.0} entries a second",
        if report.is_sound() { "sound" } else { "NOT sound" },
        a_second(total, began.elapsed())
    );
    let began = Instant::now();
    rebuild(dir.path(), Realm::Real, Box::new(Index), &mut |_, _| {})?;
    println!(
        "rebuild:                              {:>10.0} entries a second",
        a_second(total, began.elapsed())
    );
    Ok(())
}

fn pages(ledger: &Ledger, bench: &Bench) -> Outcome<()> {
    let reading = ledger.read()?;
    let mut query = ObjectQuery::new(bench.group, 1_000);
    let (mut rows, mut times) = (0, Vec::new());
    let began = Instant::now();
    loop {
        let page_began = Instant::now();
        let page = reading.objects(&bench.scope, &query)?;
        times.push(page_began.elapsed());
        rows += page.rows.len();
        query.after = page.rows.last().map(|row| row.record.sequence);
        if !page.more {
            break;
        }
    }
    let (took, tenth) = (began.elapsed(), times.len().div_ceil(10));
    let mean =
        |some: &[Duration]| some.iter().sum::<Duration>().as_secs_f64() * 1e3 / some.len().max(1) as f64;
    println!("pages of 1,000 with bytes:            {:>10.0} rows a second", a_second(rows, took));
    println!(
        "  first tenth of the pages, last tenth: {:.2} ms, {:.2} ms a page",
        mean(times.get(..tenth).unwrap_or_default()),
        mean(times.get(times.len() - tenth..).unwrap_or_default())
    );
    let began = Instant::now();
    let query = SearchQuery { text: "evil777.example bank".into(), limit: 50, ..SearchQuery::default() };
    let hits = reading.search(&bench.scope, &query)?.rows.len();
    println!("search, {hits} hit of {rows}:              {:>10.2} ms", began.elapsed().as_secs_f64() * 1e3);
    let began = Instant::now();
    let query = SearchQuery { text: "bank".into(), limit: 50, ..SearchQuery::default() };
    let hits = reading.search(&bench.scope, &query)?.rows.len();
    println!("search, first {hits} of a word in all:      {:>10.2} ms", began.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// From before an append to the moment a follower has the entry.
async fn follow(ledger: &Ledger, bench: &Bench) -> Outcome<()> {
    let place: Positions = ledger.positions(&bench.scope).into_inner();
    let mut follow = ledger.follow(&bench.scope, place);
    let mut times = Vec::new();
    for _ in 0..500 {
        let began = SystemClock.now();
        let (receipts, entry) = tokio::join!(ledger.append(bench.drafts(1)), follow.next());
        receipts?;
        entry.ok_or("closed")??;
        times.push(SystemClock.now().since_micros(began));
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(0);
    println!(
        "append to follower:                   {:>10} us p50, {} us p95, {} us p99",
        at(50),
        at(95),
        at(99)
    );
    Ok(())
}
