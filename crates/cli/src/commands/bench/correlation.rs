//! `bench correlation`: what correlation costs when much is shared by many, at two sizes, with a hub of its own.
//!
//! Each object is an indicator of two values: one of its own, and one of a few that many share. So a table of pairs
//! would hold `shared × each × (each − 1) / 2` rows; what the hub keeps, and how long an object's page takes, is told.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Url, redirect};
use serde::{Deserialize, Serialize};
use shieldwall_hub::Running;
use shieldwall_ledger::accounts::{Accounts, Offline, User};
use shieldwall_ledger::postings::{PostingsSize, postings_size};
use shieldwall_model::access::Role;
use shieldwall_model::id::UserId;
use shieldwall_model::realm::Realm;
use tempfile::TempDir;

use super::import::{start, token};
use crate::client::{Client, HubOptions};
use crate::console::{Console, Gauge};
use crate::fault::{Fault, Outcome};
use crate::figures::{grouped, size};
use crate::offline::account_fault;

/// Objects posted at once.
const POSTED_OBJECTS: u64 = 1_000;
/// Pages and answers timed at each size.
const TIMED: u64 = 51;
/// The median a page may take, in milliseconds.
const PAGE_MILLISECONDS_MAX: f64 = 100.0;

/// Measure correlation: storage and page times when a few values are shared by many objects.
#[derive(Debug, Args)]
#[command(after_help = "\
The hub runs in this program, in a temporary directory. Exit status 1 unless storage grows in proportion and the median \
page of an object takes less than 100 ms.

Examples:
  shieldwall bench correlation
  shieldwall bench correlation --objects 20000 --shared 4 --json")]
pub(crate) struct BenchCorrelationArgs {
    /// Objects in all; figures are told at a tenth of them and at all
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    objects: u64,
    /// How many values are shared by equal parts of them
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=512))]
    shared: u64,
}

#[derive(Debug, Serialize)]
struct Figures {
    sizes: Vec<AtSize>,
    /// Bytes of postings an object at the larger size over those at the smaller.
    growth: f64,
    /// Storage is in proportion, and pages are quick.
    good: bool,
}

#[derive(Debug, Serialize)]
struct AtSize {
    objects: u64,
    shared_by_each: u64,
    /// Rows a table of pairs would have.
    pairs: u64,
    postings: u64,
    postings_bytes: u64,
    postings_bytes_per_object: f64,
    views_bytes_per_object: f64,
    import_seconds: f64,
    related_median_milliseconds: f64,
    page_median_milliseconds: f64,
    page_worst_milliseconds: f64,
}

/// Runs the command.
///
/// # Errors
/// A hub that does not start or refuses.
pub(crate) fn run(args: &BenchCorrelationArgs, console: &Console) -> Result<Outcome, Fault> {
    let dir = TempDir::new().map_err(|error| {
        Fault::environment("cli.bench.dir", "no temporary directory could be made; is TMPDIR full?")
            .because(error)
    })?;
    let token = token(dir.path(), console)?;
    let figures = console.wait_for(measure(args, &dir, token, console))?;
    console.answer(&figures, told)?;
    Ok(Outcome::of(figures.good))
}

async fn measure(
    args: &BenchCorrelationArgs,
    dir: &TempDir,
    token: String,
    console: &Console,
) -> Result<Figures, Fault> {
    let hub = start(dir, console).await?;
    let options = HubOptions { hub: hub.url(), token: Some(token), token_file: None, ca_file: None };
    let client = Client::new(&options)?;
    let gauge = console.count("sharing", Some(args.objects));
    let (mut sizes, mut from) = (Vec::new(), 0);
    let mut browser = None;
    for until in [args.objects / 10, args.objects] {
        let began = Instant::now();
        share(&client, from..until, args.shared, &gauge).await?;
        let import_seconds = began.elapsed().as_secs_f64();
        from = until;
        if browser.is_none() {
            // The member has joined with its token's first use.
            browser = Some(Browser::new(&hub, dir.path(), console).await?);
        }
        let Some(browser) = &browser else { continue };
        sizes.push(at_size(dir.path(), &client, browser, until, args.shared, import_seconds).await?);
    }
    drop(gauge);
    hub.stop().await.map_err(|error| {
        Fault::environment("cli.hub.stop", "the hub did not close in order").because(error)
    })?;
    let per_object: Vec<f64> = sizes.iter().map(|size| size.postings_bytes_per_object).collect();
    let growth = match per_object.as_slice() {
        [small, large] if *small > 0.0 => large / small,
        _ => 0.0,
    };
    let quick = sizes.iter().all(|size| size.page_median_milliseconds < PAGE_MILLISECONDS_MAX);
    Ok(Figures { good: growth < 1.25 && quick, sizes, growth })
}

/// An indicator of a value of its own and one that others share.
fn object(number: u64, shared: u64) -> String {
    let of = number % shared;
    format!(
        "{{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"indicator--00000000-0000-4000-8000-{number:012x}\",\
         \"created\":\"2026-01-01T00:00:00.000Z\",\"modified\":\"2026-01-01T00:00:00.000Z\",\"name\":\"object {number}\",\
         \"pattern\":\"[domain-name:value = 'host{number}.site{number}.example' OR ipv4-addr:value = '198.{}.{}.1']\",\
         \"pattern_type\":\"stix\",\"valid_from\":\"2026-01-01T00:00:00Z\"}}",
        // Public addresses: private and reserved ones are held back until a curator has looked at them.
        52 + of / 256,
        of % 256,
    )
}

async fn share(
    client: &Client,
    numbers: std::ops::Range<u64>,
    shared: u64,
    gauge: &Gauge,
) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Report {
        accepted: u64,
        repeated: u64,
    }
    let mut from = numbers.start;
    while from < numbers.end {
        let until = (from + POSTED_OBJECTS).min(numbers.end);
        let objects: Vec<String> = (from..until).map(|number| object(number, shared)).collect();
        let bundle = format!(
            "{{\"type\":\"bundle\",\"id\":\"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d\",\"objects\":[{}]}}",
            objects.join(",")
        );
        let report: Report = client.post("api/v1/objects", &[], "application/json", bundle.into()).await?;
        // What a busy hub asked for again, it has in part already.
        let taken = report.accepted + report.repeated;
        if taken != until - from {
            let message = format!("the hub took {taken} of {} objects", until - from);
            return Err(Fault::environment("cli.bench.refused", message));
        }
        gauge.add(until - from);
        from = until;
    }
    Ok(())
}

async fn at_size(
    dir: &Path,
    client: &Client,
    browser: &Browser,
    objects: u64,
    shared: u64,
    import_seconds: f64,
) -> Result<AtSize, Fault> {
    let (mut related, mut pages) = (Vec::new(), Vec::new());
    for turn in 0..TIMED {
        let number = objects / TIMED * turn;
        let id = format!("indicator--00000000-0000-4000-8000-{number:012x}");
        let began = Instant::now();
        client.get(&format!("api/v1/objects/{id}/related"), &[], "application/json").await?;
        related.push(began.elapsed());
        let began = Instant::now();
        browser.get(&format!("intelligence/{id}")).await?;
        pages.push(began.elapsed());
    }
    let PostingsSize { postings, bytes, .. } =
        postings_size(&Offline, dir, &Realm::Real).map_err(|error| Fault::failed(error.code(), &error))?;
    let views: u64 = ["views.db", "views.db-wal"]
        .iter()
        .filter_map(|name| std::fs::metadata(dir.join("real").join(name)).ok())
        .map(|file| file.len())
        .sum();
    let each = objects / shared.max(1);
    Ok(AtSize {
        objects,
        shared_by_each: each,
        pairs: shared * each * each.saturating_sub(1) / 2,
        postings,
        postings_bytes: bytes,
        postings_bytes_per_object: bytes as f64 / objects.max(1) as f64,
        views_bytes_per_object: views as f64 / objects.max(1) as f64,
        import_seconds,
        related_median_milliseconds: median(&mut related),
        page_median_milliseconds: median(&mut pages),
        page_worst_milliseconds: pages.iter().max().map_or(0.0, |worst| worst.as_secs_f64() * 1e3),
    })
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Somebody at the pages.
struct Browser {
    http: reqwest::Client,
    base: Url,
    cookie: String,
}

impl Browser {
    async fn new(hub: &Running, dir: &Path, console: &Console) -> Result<Self, Fault> {
        let wrong = |error: reqwest::Error| {
            Fault::environment("cli.bench.page", "the hub's pages cannot be reached").because(error)
        };
        let member = hub.app().directory().members().next().map(|member| member.id);
        let member = member.ok_or_else(|| Fault::environment("cli.bench.member", "nobody has joined"))?;
        let now = console.clock.now();
        let user = User {
            id: UserId::new(now, &*console.entropy),
            member,
            name: "bench".into(),
            role: Role::Analyst,
            password: None,
            created: now,
            disabled: None,
        };
        let accounts = Accounts::open(dir).map_err(|error| account_fault(&error))?;
        accounts.add_user(&Offline, &user).map_err(|error| account_fault(&error))?;
        let link = hub.sign_in_link(user.id).await.map_err(|error| Fault::failed(error.code, &error))?;
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(wrong)?;
        let opened = http.get(&link).send().await.map_err(wrong)?;
        let cookie = opened.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
        let base =
            hub.url().parse().map_err(|_| Fault::usage("cli.hub.address", "the hub has no address"))?;
        Ok(Self { http, base, cookie })
    }

    async fn get(&self, path: &str) -> Result<(), Fault> {
        let wrong = |error: reqwest::Error| {
            Fault::environment("cli.bench.page", "a page did not come").because(error)
        };
        let url = self.base.join(path).map_err(|_| Fault::usage("cli.bench.page", "no such page"))?;
        let page = self.http.get(url).header(COOKIE, &self.cookie).send().await.map_err(wrong)?;
        if !page.status().is_success() {
            return Err(Fault::environment("cli.bench.page", format!("a page answered {}", page.status())));
        }
        page.bytes().await.map_err(wrong)?;
        Ok(())
    }
}

fn told(figures: &Figures) -> String {
    let mut text = String::new();
    for at in &figures.sizes {
        text.push_str(&format!(
            "{} objects, each shared value held by {}: {} postings, {} ({:.1} bytes an object; all views {:.0}; a table of \
             pairs would have {} rows); imported in {:.0} s; related {:.1} ms, page {:.1} ms median, {:.1} ms worst\n",
            grouped(at.objects),
            grouped(at.shared_by_each),
            grouped(at.postings),
            size(at.postings_bytes),
            at.postings_bytes_per_object,
            at.views_bytes_per_object,
            grouped(at.pairs),
            at.import_seconds,
            at.related_median_milliseconds,
            at.page_median_milliseconds,
            at.page_worst_milliseconds,
        ));
    }
    let verdict = if figures.good { "in proportion and quick" } else { "NOT AS IT SHOULD BE" };
    text.push_str(&format!("{verdict}: bytes an object grew by a factor of {:.3}", figures.growth));
    text
}
