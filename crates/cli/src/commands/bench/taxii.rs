//! `bench taxii`: the rates of a TAXII 2.1 server, this one or any other, by one and the same client.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shieldwall_model::id::GroupId;
use tempfile::TempDir;

use super::import::{temporary, token};
use super::indicators::Indicators;
use super::meter;
use super::wire::Wire;
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{grouped, rate, size};

/// Pages read from each end when the first is compared with the last.
const ENDS: usize = 31;

/// Measure a TAXII server: pages out, objects in, small requests, memory.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --server, a hub of its own is started on a free port of this machine. Rates are medians of --runs runs; pages \
are read by one consumer, one after the other, and the time is that until the answer is there.

Examples:
  shieldwall bench taxii --load 1000000 --ends
  shieldwall bench taxii --server 127.0.0.1:9000 --collection /taxii2/root/collections/id/ \\
      --authorization 'Bearer eyJ0…' --objects 2000")]
pub(crate) struct BenchTaxiiArgs {
    /// The address of a server that runs already; plain HTTP
    #[arg(long, value_name = "HOST:PORT", requires = "collection", requires = "authorization")]
    server: Option<String>,
    /// The path of its collection, with a slash at the end
    #[arg(long, value_name = "PATH", requires = "server")]
    collection: Option<String>,
    /// The value of the Authorization header
    #[arg(long, value_name = "VALUE", env = "SHIELDWALL_BENCH_AUTHORIZATION", hide_env_values = true)]
    authorization: Option<String>,
    /// The process whose memory is told (Linux)
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Where a hub of its own keeps its data; a temporary directory when not told
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    data: Option<PathBuf>,
    /// Objects put there before anything is measured
    #[arg(long, value_name = "N", default_value_t = 0)]
    load: u64,
    /// Objects sent in a measured run
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    objects: u64,
    /// Objects an envelope, and a page
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    page: u64,
    /// Most pages read in a measured run
    #[arg(long, value_name = "N", default_value_t = 100)]
    pages: u64,
    /// Connections that send objects and small requests
    #[arg(long, value_name = "N", default_value_t = 2)]
    connections: usize,
    /// Small requests in a measured run
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    requests: u64,
    /// Measured runs
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Also compare the time of the first page with that of the last
    #[arg(long)]
    ends: bool,
}

/// A rate, over several runs.
#[derive(Clone, Debug, Serialize)]
struct Rate {
    median: f64,
    least: f64,
    most: f64,
}

impl Rate {
    fn of(mut runs: Vec<f64>) -> Self {
        runs.sort_by(f64::total_cmp);
        let at = |at: usize| runs.get(at).copied().unwrap_or_default();
        Self { median: at(runs.len() / 2), least: at(0), most: at(runs.len().saturating_sub(1)) }
    }
}

#[derive(Debug, Serialize)]
struct Figures {
    /// Objects loaded before, and the rate they went in with.
    loaded: u64,
    load_per_second: Option<f64>,
    /// Objects a second, in.
    post: Rate,
    /// Objects a second, out.
    get: Rate,
    /// Bytes of a page.
    page_bytes: u64,
    /// Requests a second for the collection resource.
    collection: Rate,
    /// Requests a second for one object.
    object: Rate,
    /// Medians in milliseconds of the first and the last page.
    first_page_milliseconds: Option<f64>,
    last_page_milliseconds: Option<f64>,
    /// The most memory the server had at once, and has now.
    peak_bytes: Option<u64>,
    resident_bytes: Option<u64>,
}

/// A server, and how to ask it.
struct Target {
    address: SocketAddr,
    collection: String,
    authorization: String,
    pid: Option<u32>,
    _hub: Option<OwnHub>,
}

/// A hub in a process of its own, ended with this value.
struct OwnHub {
    child: Child,
    _dir: Option<TempDir>,
}

impl Drop for OwnHub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    more: bool,
    next: Option<String>,
    #[serde(borrow)]
    objects: Vec<&'a RawValue>,
}

/// Runs the command.
///
/// # Errors
/// A server that cannot be started or asked, or refuses.
pub(crate) fn run(args: &BenchTaxiiArgs, console: &Console) -> Result<Outcome, Fault> {
    let target = match (&args.server, &args.collection, &args.authorization) {
        (Some(server), Some(collection), Some(authorization)) => Target {
            address: resolved(server)?,
            collection: collection.clone(),
            authorization: authorization.clone(),
            pid: args.pid,
            _hub: None,
        },
        _ => own(args, console)?,
    };
    let figures = target.measure(args, console)?;
    console.answer(&figures, told)?;
    Ok(Outcome::Done)
}

fn resolved(server: &str) -> Result<SocketAddr, Fault> {
    let wrong = || Fault::usage("cli.bench.server", format!("{server} is no address such as 127.0.0.1:9000"));
    server.to_socket_addrs().map_err(|_| wrong())?.next().ok_or_else(wrong)
}

/// Starts a hub of its own, in a process whose memory is nothing but the hub's.
fn own(args: &BenchTaxiiArgs, console: &Console) -> Result<Target, Fault> {
    let failed = |what: &str| Fault::environment("cli.bench.hub", format!("the hub did not start: {what}"));
    let temporary = if args.data.is_none() { Some(temporary()?) } else { None };
    let dir = match (&args.data, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(dir)) => dir.path().to_owned(),
        (None, None) => return Err(failed("no directory")),
    };
    let token = token(&dir, console)?;
    let program = std::env::current_exe().map_err(|error| failed("its program").because(error))?;
    let mut child = Command::new(program)
        .args(["--json", "hub", "--listen", "127.0.0.1:0", "--data"])
        .arg(&dir)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed("its process").because(error))?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line).map_err(|error| failed("its first line").because(error))?;
    }
    let hub = OwnHub { child, _dir: temporary };
    #[derive(Deserialize)]
    struct Listening {
        address: SocketAddr,
    }
    let listening: Listening =
        serde_json::from_str(&line).map_err(|error| failed("its address").because(error))?;
    Ok(Target {
        address: listening.address,
        collection: format!("/taxii2/api/collections/{}/", GroupId::ALLIANCE.uuid()),
        authorization: format!("Bearer {token}"),
        pid: Some(hub.child.id()),
        _hub: Some(hub),
    })
}

impl Target {
    fn wire(&self) -> Wire {
        Wire::new(self.address, &self.authorization)
    }

    fn measure(&self, args: &BenchTaxiiArgs, console: &Console) -> Result<Figures, Fault> {
        let mut load_per_second = None;
        if args.load > 0 {
            load_per_second = Some(self.send(args, Indicators::new(1), args.load, "loading", console)?);
        }
        let (mut post, mut get, mut page_bytes) = (Vec::new(), Vec::new(), 0);
        for run in 0..args.runs.max(1) {
            let seed = Indicators::new(1_000 + run as u64);
            post.push(self.send(args, seed, args.objects, "objects in", console)?);
        }
        for _ in 0..args.runs.max(1) {
            let (rate, bytes) = self.receive(args, console)?;
            get.push(rate);
            page_bytes = bytes;
        }
        let object = format!("{}objects/{}/", self.collection, Indicators::new(1_000).id(0));
        let (mut collections, mut objects) = (Vec::new(), Vec::new());
        for _ in 0..args.runs.max(1) {
            collections.push(self.small(args, &self.collection, console)?);
            objects.push(self.small(args, &object, console)?);
        }
        let ends = if args.ends { Some(self.ends(args, console)?) } else { None };
        let memory = self.pid.and_then(meter::memory_of);
        Ok(Figures {
            loaded: args.load,
            load_per_second,
            post: Rate::of(post),
            get: Rate::of(get),
            page_bytes,
            collection: Rate::of(collections),
            object: Rate::of(objects),
            first_page_milliseconds: ends.map(|(first, _)| first),
            last_page_milliseconds: ends.map(|(_, last)| last),
            peak_bytes: memory.map(|(peak, _)| peak),
            resident_bytes: memory.map(|(_, now)| now),
        })
    }

    /// Sends `count` objects; objects a second.
    fn send(
        &self,
        args: &BenchTaxiiArgs,
        indicators: Indicators,
        count: u64,
        what: &'static str,
        console: &Console,
    ) -> Result<f64, Fault> {
        let path = format!("{}objects/", self.collection);
        let (page, next) = (args.page.max(1), AtomicU64::new(0));
        let gauge = console.count(what, Some(count));
        let start = Instant::now();
        self.together(args.connections, |wire| {
            loop {
                let from = next.fetch_add(page, Ordering::Relaxed);
                if from >= count {
                    return Ok(());
                }
                let to = count.min(from + page);
                let body = indicators.envelope(from, to);
                let answer = wire.ask("POST", &path, Some(&body))?;
                if answer.status != 202 {
                    return Err(refused(answer.status, &answer.body));
                }
                gauge.add(to - from);
            }
        })?;
        Ok(rate(count, start.elapsed()))
    }

    /// Reads pages from the first on, one consumer; objects a second, and bytes a page.
    fn receive(&self, args: &BenchTaxiiArgs, console: &Console) -> Result<(f64, u64), Fault> {
        let gauge = console.count("objects out", None);
        let (mut wire, mut took, mut next) = (self.wire(), Duration::ZERO, None);
        let (mut objects, mut bytes, mut pages) = (0, 0, 0);
        while pages < args.pages {
            let page = self.page(&mut wire, args, next.as_deref())?;
            took += page.took;
            objects += page.objects;
            bytes += page.bytes;
            pages += 1;
            gauge.set(objects);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        Ok((rate(objects, took), bytes / pages.max(1)))
    }

    fn page(&self, wire: &mut Wire, args: &BenchTaxiiArgs, next: Option<&str>) -> Result<Page, Fault> {
        let next = next.map(|next| format!("&next={}", escaped(next))).unwrap_or_default();
        let path = format!("{}objects/?limit={}{next}", self.collection, args.page);
        let start = Instant::now();
        let answer = wire.ask("GET", &path, None)?;
        let took = start.elapsed();
        if answer.status != 200 {
            return Err(refused(answer.status, &answer.body));
        }
        let envelope: Envelope<'_> = serde_json::from_slice(&answer.body).map_err(|error| {
            Fault::environment("cli.bench.page", "a page is no TAXII envelope").because(error)
        })?;
        Ok(Page {
            took,
            objects: envelope.objects.len() as u64,
            bytes: answer.body.len() as u64,
            next: envelope.next.filter(|_| envelope.more),
        })
    }

    /// Small requests; requests a second.
    fn small(&self, args: &BenchTaxiiArgs, path: &str, console: &Console) -> Result<f64, Fault> {
        let gauge = console.count("small requests", Some(args.requests));
        let done = AtomicU64::new(0);
        let start = Instant::now();
        self.together(args.connections, |wire| {
            while done.fetch_add(1, Ordering::Relaxed) < args.requests {
                let answer = wire.ask("GET", path, None)?;
                if answer.status != 200 {
                    return Err(refused(answer.status, &answer.body));
                }
            }
            Ok(())
        })?;
        drop(gauge);
        Ok(rate(args.requests, start.elapsed()))
    }

    /// Medians in milliseconds of the first and the last full page, asked for in turn.
    fn ends(&self, args: &BenchTaxiiArgs, console: &Console) -> Result<(f64, f64), Fault> {
        let gauge = console.count("looking for the last page", None);
        let (mut wire, mut at, mut last, mut objects) = (self.wire(), None::<String>, None, 0);
        loop {
            let page = self.page(&mut wire, args, at.as_deref())?;
            objects += page.objects;
            gauge.set(objects);
            if page.objects == args.page {
                last = at.clone();
            }
            match page.next {
                Some(next) => at = Some(next),
                None => break,
            }
        }
        let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
        for _ in 0..ENDS {
            firsts.push(self.page(&mut wire, args, None)?.took.as_secs_f64() * 1e3);
            lasts.push(self.page(&mut wire, args, last.as_deref())?.took.as_secs_f64() * 1e3);
        }
        Ok((Rate::of(firsts).median, Rate::of(lasts).median))
    }

    /// Does the same over several connections at once.
    fn together(
        &self,
        connections: usize,
        work: impl Fn(&mut Wire) -> Result<(), Fault> + Sync,
    ) -> Result<(), Fault> {
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..connections.max(1)).map(|_| scope.spawn(|| work(&mut self.wire()))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(Fault::environment("cli.bench.thread", "a connection's thread ended in a panic"))
                })
            })
        })
    }
}

/// A page, once it is there.
struct Page {
    took: Duration,
    objects: u64,
    bytes: u64,
    next: Option<String>,
}

fn refused(status: u16, body: &[u8]) -> Fault {
    let told: String = String::from_utf8_lossy(body).chars().take(300).collect();
    Fault::environment("cli.bench.refused", format!("the server answered {status}: {told}"))
}

/// A cursor as a part of a query string: what is not unreserved (RFC 3986 section 2.3) as %XX.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

fn told(figures: &Figures) -> String {
    let line = |what: &str, rate: &Rate, unit: &str| {
        let whole = |rate: f64| grouped(rate.max(0.0) as u64);
        format!(
            "{what:<22} {:>9} {unit} ({} to {})\n",
            whole(rate.median),
            whole(rate.least),
            whole(rate.most)
        )
    };
    let mut text = String::new();
    if let Some(load) = figures.load_per_second {
        text.push_str(&format!(
            "loaded {} objects: {} objects/s\n",
            grouped(figures.loaded),
            grouped(load as u64)
        ));
    }
    text.push_str(&line("in", &figures.post, "objects/s"));
    text.push_str(&line("out", &figures.get, "objects/s"));
    text.push_str(&line("collection resource", &figures.collection, "requests/s"));
    text.push_str(&line("one object", &figures.object, "requests/s"));
    if let (Some(first), Some(last)) = (figures.first_page_milliseconds, figures.last_page_milliseconds) {
        text.push_str(&format!(
            "first page {first:.2} ms, last page {last:.2} ms: {:.2} times\n",
            last / first
        ));
    }
    if let (Some(peak), Some(now)) = (figures.peak_bytes, figures.resident_bytes) {
        text.push_str(&format!("memory: at most {}, now {}\n", size(peak), size(now)));
    }
    text.trim_end().to_owned()
}
