//! Matching speed beside its floors, in one run:
//! `cargo run --release -p shieldwall-watch --example throughput -- [KEY=VALUE…]`.
//!
//! | key | what | default |
//! |---|---|---|
//! | `megabytes` | how much telemetry is made up | 1000 |
//! | `format` | suricata, zeek, ecs, sysmon, text | suricata |
//! | `shape` | plain, spaced, pretty, escaped | plain |
//! | `per-mille` | events of a thousand that carry a listed value | 1 |
//! | `indicators` | how many values are listed: those of `$SHIELDWALL_DATA/volume/maltrail-indicators.csv.zst`, then made-up ones | all of that file |
//! | `rounds` | how often each way is measured | 5 |
//! | `only` | `match` measures nothing else but the floor | |
//! | `automaton` | for text: how many of the values daachorse is given | 1000000 |
//!
//! The ways take turns, so that what else the machine does meets all of them; each is reported by its best round, by
//! the time its thread had on a core. Ways too slow for the whole text are given a tenth of it. Hits are compared: the
//! scan with the exact reader, with the other instructions, and with the naive matcher.

mod automaton;
mod data;
mod naive;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use shieldwall_watch::generate::Telemetry;
use shieldwall_watch::mapping::{Mapping, Mappings};
use shieldwall_watch::matcher::{Instructions, Matcher, Mode, Stats, key_scan};
use shieldwall_watch::watchlist::{Builder, Watchlist};

use data::{Events, Shape, generate, listed};
use naive::Naive;

type Failure = Box<dyn std::error::Error>;
/// What is done with each event.
type Work = Box<dyn FnMut(&[u8])>;

const BLOCK_BYTES: usize = 1 << 20;
/// Events the hits of which are compared with the naive matcher's and the exact reader's.
const SAMPLE_EVENTS: usize = 200_000;
/// One octet in so many is given to the slow ways.
const PART: usize = 10;

/// Ten fields of each format: what the floor and the lazy parser pull.
const EVE: [&[&str]; 10] = [
    &["timestamp"],
    &["src_ip"],
    &["dest_ip"],
    &["dns", "rrname"],
    &["dns", "answers"],
    &["http", "hostname"],
    &["http", "url"],
    &["tls", "sni"],
    &["tls", "ja3", "hash"],
    &["fileinfo", "sha256"],
];
const ECS: [&[&str]; 10] = [
    &["@timestamp"],
    &["source", "ip"],
    &["destination", "ip"],
    &["dns", "question", "name"],
    &["dns", "answers"],
    &["url", "domain"],
    &["url", "full"],
    &["tls", "client", "server_name"],
    &["tls", "client", "ja3"],
    &["file", "hash", "sha256"],
];

/// CPU time of the calling thread in seconds, as Linux accounts it; wall time elsewhere.
fn cpu_seconds(start: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// A line of `/proc/self/status` in MB (`VmHWM`, `VmRSS`).
fn memory_megabytes(line: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = text.lines().find_map(|one| {
        one.strip_prefix(line)?.strip_prefix(':')?.trim().split(' ').next()?.parse::<f64>().ok()
    });
    found.unwrap_or(0.0) / 1024.0
}

/// One way through the text.
struct Way<'a> {
    name: &'static str,
    /// Octets and events one round reads.
    octets: usize,
    events: usize,
    best: f64,
    work: Box<dyn FnMut() + 'a>,
}

impl<'a> Way<'a> {
    fn new(name: &'static str, (octets, events): (usize, usize), work: impl FnMut() + 'a) -> Self {
        Self { name, octets, events, best: f64::MAX, work: Box::new(work) }
    }

    fn rate(&self) -> f64 {
        self.octets as f64 / 1e9 / self.best
    }
}

/// Hits of a text: their number and an order-free checksum over (indicator, event, field).
fn run(
    list: &Arc<Watchlist>,
    mapping: &Arc<Mapping>,
    (mode, instructions): (Mode, Instructions),
    text: &[u8],
) -> (Stats, u64) {
    let mut matcher =
        Matcher::new(Arc::clone(list), Arc::clone(mapping)).with_mode(mode).with_instructions(instructions);
    let mut sum = 0u64;
    let mut sink = |hit: &shieldwall_watch::matcher::Hit<'_>| {
        let mix = u64::from(hit.indicator) ^ hit.offset.rotate_left(20) ^ (hit.field.len() as u64) << 56;
        sum = sum.wrapping_add(mix.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    };
    for block in text.chunks(BLOCK_BYTES) {
        matcher.feed(block, &mut sink);
    }
    (matcher.finish(&mut sink), sum)
}

/// A mapping that knows the ten fields and nothing else.
fn ten(fields: &[&[&str]]) -> Result<Mapping, Failure> {
    let mut text = String::from("name = \"ten\"\nabout = \"ten fields\"\nformat = \"json\"\n[fields]\n");
    for field in fields {
        let end = if field.last() == Some(&"answers") { ".rdata" } else { "" };
        text.push_str(&format!("\"{}{end}\" = \"file\"\n", field.join(".")));
    }
    Ok(Mapping::parse("ten", &text)?)
}

struct Options {
    all: HashMap<String, String>,
}

impl Options {
    fn read() -> Result<Self, Failure> {
        let pair = |word: String| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let all = std::env::args().skip(1).map(|word| pair(word.clone()).ok_or(word));
        Ok(Self { all: all.collect::<Result<_, _>>().map_err(|word| format!("\"{word}\" is no KEY=VALUE"))? })
    }

    fn text<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.all.get(key).map_or(default, String::as_str)
    }

    fn number(&self, key: &str, default: usize) -> Result<usize, Failure> {
        Ok(self.all.get(key).map(|text| text.parse()).transpose()?.unwrap_or(default))
    }
}

fn load(values: &[shieldwall_watch::value::Value], source: &str) -> Result<Arc<Watchlist>, Failure> {
    let before = memory_megabytes("VmRSS");
    let start = Instant::now();
    let mut builder = Builder::new(0x5eed);
    for (number, value) in values.iter().enumerate() {
        builder.add(value, number as u32)?;
    }
    let list = Arc::new(builder.build()?);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "watchlist: {} values of {source}, built in {seconds:.2} s ({:.2} M/s), {:.1} MB held = {:.1} bytes an indicator (resident +{:.1} MB)",
        list.values(),
        list.values() as f64 / seconds / 1e6,
        list.heap_bytes() as f64 / 1e6,
        list.heap_bytes() as f64 / list.values() as f64,
        memory_megabytes("VmRSS") - before,
    );
    Ok(list)
}

fn main() -> Result<(), Failure> {
    let options = Options::read()?;
    let wanted = options.text("format", "suricata");
    let format = Telemetry::ALL.into_iter().find(|one| one.mapping() == wanted).ok_or("no such format")?;
    let shape = Shape::named(options.text("shape", "plain")).ok_or("no such shape")?;
    let (values, source) = listed(match options.number("indicators", 0)? {
        0 => None,
        count => Some(count),
    })?;
    let list = load(&values, source)?;
    let octets = options.number("megabytes", 1000)? * 1_000_000;
    let telemetry = generate(format, shape, octets, options.number("per-mille", 1)?, &values)?;
    println!(
        "telemetry: {} events of {wanted}, {}, {:.3} GB, {:.0} bytes each, {} planted",
        telemetry.events.len(),
        options.text("shape", "plain"),
        telemetry.text.len() as f64 / 1e9,
        telemetry.text.len() as f64 / telemetry.events.len() as f64,
        telemetry.planted,
    );
    let mapping = Mappings::built_in()?.get(wanted)?;
    let rounds = options.number("rounds", 5)?;
    if format == Telemetry::Text {
        return automaton::compare(
            &list,
            &mapping,
            &values,
            &telemetry,
            rounds,
            options.number("automaton", 1_000_000)?,
        );
    }
    let fields = if format == Telemetry::Ecs { ECS } else { EVE };
    let brief = options.text("only", "") == "match";
    let naive = (!brief && format == Telemetry::Suricata).then(|| Naive::new(&values));
    measure(&list, &mapping, &telemetry, &ten(&fields)?, &fields, naive.as_ref(), rounds, brief);
    agree(&list, &mapping, &telemetry, naive.as_ref())
}

/// Measures every way and prints the table.
#[allow(clippy::too_many_arguments)]
fn measure(
    list: &Arc<Watchlist>,
    mapping: &Arc<Mapping>,
    telemetry: &Events,
    ten: &Mapping,
    fields: &[&[&str]],
    naive: Option<&Naive>,
    rounds: usize,
    brief: bool,
) {
    let text = telemetry.text.as_bytes();
    let events = telemetry.events.len();
    let part = telemetry.events.get(..events / PART).unwrap_or_default();
    let part_octets = part.last().map_or(0, |(_, to)| *to);
    let matching = |instructions| {
        move || {
            black_box(run(list, mapping, (Mode::Scan, instructions), text));
        }
    };
    let whole = (text.len(), events);
    let tenth = (part_octets, part.len());
    let mut ways = vec![
        Way::new("key scan, ten fields (the floor)", whole, || {
            black_box(key_scan(ten, text));
        }),
        Way::new("match", whole, matching(Instructions::Best)),
    ];
    if !brief {
        let each = |mut work: Work| move || part.iter().for_each(|at| work(telemetry.part(*at)));
        ways.push(Way::new("match, baseline instructions", whole, matching(Instructions::Baseline)));
        ways.push(Way::new("match, no vector instructions", whole, matching(Instructions::Portable)));
        ways.push(Way::new("newline scan (memchr)", whole, || {
            black_box(memchr::memchr_iter(b'\n', text).count());
        }));
        let mut tree = sonic_rs::PointerTree::new();
        for path in fields {
            tree.add_path(path.iter());
        }
        let lazy = move |event: &[u8]| {
            black_box(sonic_rs::get_many(event, &tree).is_ok());
        };
        ways.push(Way::new("sonic-rs get_many, ten fields lazily", tenth, each(Box::new(lazy))));
        if let Some(naive) = naive {
            let mut buffer = String::new();
            let typed = move || {
                for at in part {
                    let event = sonic_rs::from_slice(telemetry.part(*at));
                    black_box(event.map(|event| naive.event(&event, &mut buffer)).ok());
                }
            };
            ways.push(Way::new("sonic-rs typed + hash map (naive)", tenth, typed));
        }
        let dom = |event: &[u8]| {
            black_box(serde_json::from_slice::<serde_json::Value>(event).is_ok());
        };
        ways.push(Way::new("serde_json::Value, nothing matched", tenth, each(Box::new(dom))));
    }
    for _ in 0..rounds {
        for way in &mut ways {
            let start = Instant::now();
            let before = cpu_seconds(start);
            (way.work)();
            way.best = way.best.min(cpu_seconds(start) - before);
        }
    }
    let matched = ways.get(1).map_or(1.0, Way::rate);
    println!(
        "{:38} {:>8} {:>12} {:>14}",
        "one core, best of rounds taking turns", "GB/s", "events/s", "match is x"
    );
    for way in &ways {
        println!(
            "{:38} {:>8.3} {:>12.0} {:>14.2}",
            way.name,
            way.rate(),
            way.events as f64 / way.best,
            matched / way.rate(),
        );
    }
    println!(
        "peak memory: {:.0} MB, of which telemetry {:.0} MB",
        memory_megabytes("VmHWM"),
        text.len() as f64 / 1e6
    );
}

/// Compares hits; an error if any differ.
fn agree(
    list: &Arc<Watchlist>,
    mapping: &Arc<Mapping>,
    telemetry: &Events,
    naive: Option<&Naive>,
) -> Result<(), Failure> {
    let text = telemetry.text.as_bytes();
    let whole = run(list, mapping, (Mode::Scan, Instructions::Best), text);
    println!("all: {:?}", whole.0);
    let sample = telemetry.events.get(..SAMPLE_EVENTS).unwrap_or(&telemetry.events);
    let cut = text.get(..sample.last().map_or(0, |(_, to)| to + 1)).unwrap_or(text);
    let scan = run(list, mapping, (Mode::Scan, Instructions::Best), cut);
    let mut good = true;
    let mut told = |name: &str, hits: u64, equal: bool| {
        println!("sample of {}: {name}: {hits} hits, equal: {equal}", sample.len());
        good &= equal;
    };
    for (name, how) in [
        ("exact reader", (Mode::Exact, Instructions::Best)),
        ("baseline instructions", (Mode::Scan, Instructions::Baseline)),
        ("no vector instructions", (Mode::Scan, Instructions::Portable)),
    ] {
        let other = run(list, mapping, how, cut);
        told(name, other.0.matches, other.1 == scan.1 && other.0.matches == scan.0.matches);
    }
    if let Some(naive) = naive {
        let mut buffer = String::new();
        let mut hits = 0;
        for event in sample {
            let event = sonic_rs::from_slice(telemetry.part(*event))?;
            hits += naive.event(&event, &mut buffer) as u64;
        }
        told("naive matcher", hits, hits == scan.0.matches);
    }
    if good { Ok(()) } else { Err("the matchers do not agree".into()) }
}
