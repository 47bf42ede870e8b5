//! Matching speed beside its floors, in one run: `cargo run --release -p shieldwall-watch --example throughput`.
//!
//! Generates Suricata EVE in memory (default 1 GB, or `-- MEGABYTES [FORMAT] [INDICATORS]`), loads the 1.48 million values of
//! `$SHIELDWALL_DATA/volume/maltrail-indicators.csv.zst` (made-up ones where that is not set), and measures, each as
//! the median of several rounds on one core by thread CPU time: a newline scan, the key scan alone, `serde_json::Value`,
//! sonic-rs lazy parsing, and matching. Hits are compared with a naive matcher on a sample.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::mapping::Mappings;
use shieldwall_watch::matcher::{Matcher, Mode, Stats};
use shieldwall_watch::value::{Kind, Value, refang};
use shieldwall_watch::watchlist::{Builder, Watchlist};

const ROUNDS: usize = 5;
const BLOCK_BYTES: usize = 1 << 20;
const LAZY_PATHS: [&[&str]; 10] = [
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
const SAMPLE_LINES: usize = 200_000;

/// CPU time of the calling thread in seconds, as Linux accounts it (10 ms steps would be too coarse: nanoseconds of
/// `schedstat`); wall time elsewhere.
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

fn listed(count: Option<usize>) -> Result<(Vec<Value>, &'static str), Box<dyn std::error::Error>> {
    let mut values = Vec::new();
    let mut source = "made-up values";
    if let Some(data) = std::env::var_os("SHIELDWALL_DATA") {
        source = "maltrail-indicators.csv";
        let file =
            std::fs::File::open(std::path::Path::new(&data).join("volume/maltrail-indicators.csv.zst"))?;
        let text = String::from_utf8(zstd::stream::decode_all(file)?)?;
        for line in text.lines().skip(1) {
            let mut cells = line.split(',');
            let (Some(kind), Some(value)) = (cells.next(), cells.next()) else { continue };
            if let Ok(value) = Value::new(kind.parse()?, &refang(value)) {
                values.push(value);
            }
        }
    }
    // The rest of the asked number is made up after the same shares.
    let wanted = count.unwrap_or(if values.is_empty() { 1_480_000 } else { values.len() });
    values.truncate(wanted);
    let mut number = 0u64;
    while values.len() < wanted {
        number += 1;
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (kind, text) = match number % 20 {
            0..12 => (Kind::Domain, format!("{:x}-{number}.made-up.example", spread >> 40)),
            12..15 => (
                Kind::IpPort,
                format!(
                    "{}.{}.{}.{}:{}",
                    11 + spread % 89,
                    spread >> 10 & 255,
                    spread >> 20 & 255,
                    spread >> 30 & 255,
                    1 | (spread >> 48)
                ),
            ),
            15 => (
                Kind::Ipv4,
                format!(
                    "{}.{}.{}.{}",
                    11 + spread % 89,
                    spread >> 10 & 255,
                    spread >> 20 & 255,
                    spread >> 30 & 255
                ),
            ),
            16 | 17 => (Kind::Sha256, format!("{spread:016x}{:016x}{spread:032x}", number)),
            18 => (Kind::Md5, format!("{spread:032x}")),
            _ => (Kind::Url, format!("http://{:x}.made-up.example/{number:x}.php", spread >> 44)),
        };
        values.push(Value::new(kind, &text)?);
    }
    Ok((values, source))
}

fn generate(format: Telemetry, bytes: usize, values: &[Value]) -> (String, usize) {
    let mut generator = Generator::new(7);
    let mut text = String::with_capacity(bytes + (1 << 16));
    let (mut events, mut planted) = (0usize, 0usize);
    while text.len() < bytes {
        let plant = (events % 1000 == 500)
            .then(|| values.get(events.wrapping_mul(7919) % values.len().max(1)))
            .flatten();
        planted += usize::from(plant.is_some_and(|value| format.carries(value.kind())));
        generator.write(&mut text, format, 1_767_225_600_000_000 + events as i64 * 500, plant);
        text.push('\n');
        events += 1;
    }
    (text, planted)
}

struct Measure {
    name: &'static str,
    cpu: f64,
    wall: f64,
}

/// Median CPU and wall time of a piece of work.
fn measure(name: &'static str, rounds: usize, mut work: impl FnMut()) -> Measure {
    let mut times: Vec<(f64, f64)> = (0..rounds)
        .map(|_| {
            let wall = Instant::now();
            let cpu = cpu_seconds(wall);
            work();
            (cpu_seconds(wall) - cpu, wall.elapsed().as_secs_f64())
        })
        .collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (cpu, wall) = times.get(rounds / 2).copied().unwrap_or_default();
    Measure { name, cpu, wall }
}

/// Hits of a whole text: their number and an order-free checksum over (indicator, line, field).
fn run(
    list: &Arc<Watchlist>,
    mapping: &Arc<shieldwall_watch::mapping::Mapping>,
    mode: Mode,
    text: &[u8],
) -> (Stats, u64) {
    let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping)).with_mode(mode);
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

/// What anyone would write first: every line a `serde_json::Value`, every value a string in a hash map. Returns the
/// number of (line, field, value) triples listed, over the fields of EVE.
struct Naive {
    values: HashMap<String, Kind>,
    networks: Vec<Value>,
}

impl Naive {
    fn new(values: &[Value]) -> Self {
        let plain = values.iter().filter(|value| !matches!(value.kind(), Kind::Cidr4 | Kind::Cidr6));
        let networks = values
            .iter()
            .filter(|value| matches!(value.kind(), Kind::Cidr4 | Kind::Cidr6))
            .cloned()
            .collect();
        Self { values: plain.map(|value| (value.to_string(), value.kind())).collect(), networks }
    }

    fn has(&self, text: &str, kind: Kind) -> usize {
        usize::from(self.values.get(text) == Some(&kind))
    }

    fn ip(&self, text: &str, port: Option<u64>) -> usize {
        let Ok(ip) = text.parse::<IpAddr>() else { return 0 };
        let shown = ip.to_string();
        let mut hits = self.has(&shown, if ip.is_ipv4() { Kind::Ipv4 } else { Kind::Ipv6 });
        hits += port.map_or(0, |port| self.has(&format!("{shown}:{port}"), Kind::IpPort));
        if let IpAddr::V4(ip) = ip {
            let octets = ip.octets();
            hits += self
                .networks
                .iter()
                .filter(|network| match network.bytes() {
                    [a, b, c, d, length] => {
                        let net = u32::from_be_bytes([*a, *b, *c, *d]);
                        (net ^ u32::from_be_bytes(octets)) >> (32 - length) == 0
                    }
                    _ => false,
                })
                .count();
        }
        hits
    }

    fn host(&self, text: &str) -> usize {
        if text.parse::<IpAddr>().is_ok() {
            return self.ip(text, None);
        }
        let mut rest = Some(text);
        let mut hits = 0;
        while let Some(name) = rest {
            hits += self.has(name, Kind::Domain);
            rest = name.split_once('.').map(|(_, rest)| rest);
        }
        hits
    }

    fn line(&self, line: &str) -> usize {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { return 0 };
        let text = |path: &str| event.pointer(path).and_then(|value| value.as_str());
        let number = |path: &str| event.pointer(path).and_then(|value| value.as_u64());
        let mut hits = text("/src_ip").map_or(0, |ip| self.ip(ip, number("/src_port")));
        hits += text("/dest_ip").map_or(0, |ip| self.ip(ip, number("/dest_port")));
        for path in ["/dns/rrname", "/tls/sni", "/http/hostname"] {
            hits += text(path).map_or(0, |name| self.host(name));
        }
        let distinct = |path: &str, key: Option<&str>| {
            let all = event.pointer(path).and_then(|value| value.as_array()).into_iter().flatten();
            let texts = all.filter_map(move |one| key.map_or(Some(one), |key| one.get(key))?.as_str());
            texts.collect::<std::collections::BTreeSet<_>>()
        };
        for (path, key) in
            [("/dns/answers", Some("rrname")), ("/dns/answers", Some("rdata")), ("/dns/grouped/A", None)]
        {
            hits += distinct(path, key).into_iter().map(|name| self.host(name)).sum::<usize>();
        }
        if let (Some(host), Some(path)) = (text("/http/hostname"), text("/http/url")) {
            for scheme in ["http:", "https:", ""] {
                hits += self.has(&format!("{scheme}//{host}{path}"), Kind::Url);
            }
        }
        for (path, kind) in [
            ("/fileinfo/md5", Kind::Md5),
            ("/fileinfo/sha1", Kind::Sha1),
            ("/fileinfo/sha256", Kind::Sha256),
            ("/tls/ja3/hash", Kind::Ja3),
        ] {
            hits += text(path).map_or(0, |hash| self.has(hash, kind));
        }
        hits
    }
}

fn lines(text: &[u8], mut each: impl FnMut(&[u8])) {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(&mut each);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let megabytes: usize = arguments.first().map_or(Ok(1000), |text| text.parse())?;
    let format = match arguments.get(1) {
        Some(name) => {
            Telemetry::ALL.into_iter().find(|format| format.mapping() == name).ok_or("no such format")?
        }
        None => Telemetry::Suricata,
    };
    let count = arguments.get(2).map(|text| text.parse()).transpose()?;
    let (values, source) = listed(count)?;
    let before = memory_megabytes("VmRSS");
    let start = Instant::now();
    let mut builder = Builder::new(0x5eed);
    for (number, value) in values.iter().enumerate() {
        builder.add(value, number as u32)?;
    }
    let list = Arc::new(builder.build()?);
    let load = start.elapsed().as_secs_f64();
    println!(
        "watchlist: {} values of {source}, built in {load:.2} s ({:.2} M/s), {:.1} MB held = {:.1} bytes an indicator (resident +{:.1} MB)",
        list.values(),
        list.values() as f64 / load / 1e6,
        list.heap_bytes() as f64 / 1e6,
        list.heap_bytes() as f64 / list.values() as f64,
        memory_megabytes("VmRSS") - before,
    );
    let (text, planted) = generate(format, megabytes * 1_000_000, &values);
    let text = text.as_bytes();
    let events = memchr::memchr_iter(b'\n', text).count();
    println!(
        "telemetry: {} events of {}, {:.3} GB, {:.0} bytes each, {planted} planted",
        events,
        format.mapping(),
        text.len() as f64 / 1e9,
        text.len() as f64 / events as f64
    );
    let mapping = Mappings::built_in()?.get(format.mapping())?;

    let rounds = std::env::var("THROUGHPUT_ROUNDS").map_or(Ok(ROUNDS), |text| text.parse())?;
    let nothing = Arc::new(Builder::new(0).build()?);
    let mut result = (Stats::default(), 0);
    let mut measures = vec![
        measure("newline scan (memchr)", ROUNDS, || {
            black_box(memchr::memchr_iter(b'\n', text).count());
        }),
        measure("key scan, nothing listed", ROUNDS, || {
            black_box(run(&nothing, &mapping, Mode::Scan, text));
        }),
        measure("match", rounds, || result = run(&list, &mapping, Mode::Scan, text)),
    ];
    let (stats, sum) = result;
    let brief = std::env::var_os("THROUGHPUT_BRIEF").is_some();
    if format != Telemetry::Text && !brief {
        // A tenth is enough for the slow ones; reported per event like the others.
        let part = text.get(..text.len() / 10).unwrap_or(text);
        let mut slow = |name, work: &mut dyn FnMut(&[u8])| {
            let mut one = measure(name, 3, || lines(part, &mut *work));
            (one.cpu, one.wall) = (one.cpu * 10.0, one.wall * 10.0);
            measures.push(one);
        };
        slow("serde_json::Value parsing alone", &mut |line| {
            black_box(serde_json::from_slice::<serde_json::Value>(line).is_ok());
        });
        let mut tree = sonic_rs::PointerTree::new();
        for path in LAZY_PATHS {
            tree.add_path(path.iter());
        }
        slow("sonic-rs, 10 fields lazily", &mut |line| {
            black_box(sonic_rs::get_many(line, &tree).is_ok());
        });
    }
    let matching = measures.get(2).map_or(1.0, |one| one.cpu);
    println!("{:36} {:>9} {:>12} {:>9} {:>8}", "", "GB/s cpu", "events/s cpu", "GB/s wall", "x match");
    for one in &measures {
        println!(
            "{:36} {:>9.3} {:>12.0} {:>9.3} {:>8.2}",
            one.name,
            text.len() as f64 / 1e9 / one.cpu,
            events as f64 / one.cpu,
            text.len() as f64 / 1e9 / one.wall,
            matching / one.cpu,
        );
    }
    println!("figures: {stats:?}");
    println!(
        "peak memory: {:.0} MB, of which telemetry {:.0} MB",
        memory_megabytes("VmHWM"),
        text.len() as f64 / 1e6
    );

    let cut = text.split_inclusive(|byte| *byte == b'\n').take(SAMPLE_LINES).map(<[u8]>::len).sum();
    let sample = text.get(..cut).unwrap_or(text);
    let (scan, exact) = (run(&list, &mapping, Mode::Scan, sample), run(&list, &mapping, Mode::Exact, sample));
    println!(
        "sample of {SAMPLE_LINES}: scan {} hits, exact reader {} hits, equal: {}",
        scan.0.matches,
        exact.0.matches,
        scan.1 == exact.1
    );
    let mut agree = scan.1 == exact.1;
    if format == Telemetry::Suricata && !brief {
        let naive = Naive::new(&values);
        let mut hits = 0;
        lines(sample, |line| hits += std::str::from_utf8(line).map_or(0, |line| naive.line(line)));
        println!("naive matcher: {hits} hits, equal: {}", hits as u64 == scan.0.matches);
        agree &= hits as u64 == scan.0.matches;
    }
    black_box(sum);
    if agree { Ok(()) } else { Err("the matchers do not agree".into()) }
}
