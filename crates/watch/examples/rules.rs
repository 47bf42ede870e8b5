//! What 10,000 patterns cost beside exact matching alone: `cargo run --release -p shieldwall-watch --example rules`.
//!
//! Generates Suricata EVE in memory (default 300 MB, or `-- MEGABYTES [INDICATORS [PATTERNS]]`), lists made-up values, and
//! measures the median of several rounds by thread CPU time: exact matching alone, and with the patterns, whose
//! values stand in the same watchlist and whose texts are looked for in the raw block. Lines that wake a rule are
//! read whole. Some lines are made to match; that all of them are found is checked.

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::mapping::{Mapping, Mappings};
use shieldwall_watch::matcher::Matcher;
use shieldwall_watch::rules::{Event, RuleSet, Stream, StreamStats};
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{Builder, Watchlist};

const ROUNDS: usize = 5;
const BLOCK_BYTES: usize = 1 << 20;
/// Wakes are listed from here on.
const WAKES: u32 = 1 << 30;
/// One line in so many matches a pattern.
const PLANTED_EVERY: usize = 10_000;

/// CPU time of the calling thread in seconds; wall time where the system does not tell.
fn cpu_seconds(start: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let wall = Instant::now();
            let before = cpu_seconds(wall);
            work();
            cpu_seconds(wall) - before
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

/// Ten sorts of pattern, as indicators of the field have them.
fn pattern(number: usize) -> String {
    let spread = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let ip =
        format!("{}.{}.{}.{}", 11 + spread % 89, spread >> 10 & 255, spread >> 20 & 255, spread >> 30 & 255);
    match number % 10 {
        0 => format!(
            "[domain-name:value = 'd{number}.bad.example' AND domain-name:resolves_to_refs[*].value != '127.0.0.1']"
        ),
        1 => format!("[network-traffic:dst_ref.value = '{ip}' AND network-traffic:dst_port > 1024]"),
        2 => format!("[url:value LIKE '%/gate-{number}.php%']"),
        3 => format!("[url:value MATCHES '^https?://[a-z]+-{number}[.]example/.*[.]js$']"),
        4 => format!("[file:name LIKE 'invoice-{number}%.exe']"),
        5 => format!(
            "[file:hashes.'SHA-256' = '{spread:064x}'] FOLLOWEDBY [domain-name:value = 'f{number}.bad.example']"
        ),
        6 => format!(
            "[network-traffic:dst_ref.value ISSUBSET '{ip}/28' AND network-traffic:protocols[*] = 'tcp']"
        ),
        7 => format!(
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' LIKE '%Mal{number}Agent%']"
        ),
        8 => {
            format!("[domain-name:value LIKE '%.c{number}-panel.example'] REPEATS 3 TIMES WITHIN 600 SECONDS")
        }
        _ => format!("[x509-certificate:subject MATCHES '(?i)CN=evil{number}-[0-9]+']"),
    }
}

/// What of an EVE line the patterns above ask for.
fn tell(line: &[u8], event: &mut Event) -> Option<Timestamp> {
    let json: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = |path: &str| json.pointer(path).and_then(|value| value.as_str());
    for (path, stix) in [
        ("/src_ip", "network-traffic:src_ref.value"),
        ("/dest_ip", "network-traffic:dst_ref.value"),
        ("/proto", "network-traffic:protocols[*]"),
        ("/dns/rrname", "domain-name:value"),
        ("/tls/sni", "domain-name:value"),
        ("/http/hostname", "domain-name:value"),
        ("/fileinfo/filename", "file:name"),
        ("/fileinfo/sha256", "file:hashes.'SHA-256'"),
        ("/tls/subject", "x509-certificate:subject"),
        (
            "/http/http_user_agent",
            "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'",
        ),
    ] {
        if let Some(text) = text(path) {
            event.tell(stix, text);
        }
    }
    for answer in json.pointer("/dns/answers").and_then(|all| all.as_array()).into_iter().flatten() {
        if let Some(data) = answer.get("rdata").and_then(|data| data.as_str()) {
            event.tell("domain-name:resolves_to_refs[*].value", data);
        }
    }
    if let Some(port) = json.pointer("/dest_port").and_then(|port| port.as_u64()) {
        event.tell("network-traffic:dst_port", &port.to_string());
    }
    if let (Some(host), Some(path)) = (text("/http/hostname"), text("/http/url")) {
        event.tell("url:value", &format!("http://{host}{path}"));
    }
    let time = text("/timestamp")?;
    // EVE writes +0000 where RFC 3339 has a colon.
    Timestamp::parse(&format!("{}Z", time.get(..26)?)).ok()
}

fn exact(list: &Arc<Watchlist>, mapping: &Arc<Mapping>, text: &[u8]) -> u64 {
    let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping));
    text.chunks(BLOCK_BYTES).for_each(|block| matcher.feed(block, &mut |_| {}));
    matcher.finish(&mut |_| {}).matches
}

fn with_rules(
    list: &Arc<Watchlist>,
    mapping: &Arc<Mapping>,
    set: &Arc<RuleSet>,
    text: &[u8],
) -> (u64, StreamStats) {
    let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping));
    let mut stream = Stream::new(Arc::clone(set), 60);
    let mut woken: HashMap<usize, Vec<u32>> = HashMap::new();
    let (mut scratch, mut event, mut hits) = (Vec::new(), Event::default(), 0);
    let mut rest = text;
    let mut offset = 0;
    while !rest.is_empty() {
        let most = rest.len().min(BLOCK_BYTES);
        let head = rest.get(..most).unwrap_or(rest);
        let end = memchr::memrchr(b'\n', head).map_or(most, |end| end + 1);
        let (block, after) = rest.split_at(end);
        matcher.feed(block, &mut |hit| match hit.indicator.checked_sub(WAKES) {
            Some(wake) => woken.entry(hit.offset as usize - offset).or_default().push(wake),
            None => hits += 1,
        });
        set.texts().scan_lines(block, true, &mut scratch, &mut |wake, line| {
            woken.entry(line).or_default().push(wake)
        });
        let mut lines: Vec<(usize, Vec<u32>)> = woken.drain().collect();
        lines.sort_unstable_by_key(|(line, _)| *line);
        for (start, wakes) in lines {
            let line = block.get(start..).unwrap_or_default();
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if let Some(at) = tell(line, &mut event) {
                stream.observe(&event.observation(at), &wakes, &mut |_| {});
            }
        }
        offset += end;
        rest = after;
    }
    (hits, stream.stats())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let argument = |at: usize, otherwise: usize| arguments.get(at).copied().unwrap_or(otherwise);
    let (megabytes, indicators, patterns) = (argument(0, 300), argument(1, 1_000_000), argument(2, 10_000));
    let start = Instant::now();
    let texts: Vec<String> = (0..patterns).map(pattern).collect();
    let (set, refused) =
        RuleSet::build((0u32..).zip(&texts).map(|(number, text)| (number, text.as_str())), 0);
    println!(
        "{} patterns compiled in {:.2} s, {} refused; they wait for {} values and {} texts",
        set.len(),
        start.elapsed().as_secs_f64(),
        refused.len(),
        set.values().count(),
        set.texts().len()
    );
    let (mut alone, mut together) = (Builder::new(0x5eed), Builder::new(0x5eed));
    for number in 0..indicators as u64 {
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value = match number % 4 {
            0 => Value::new(Kind::Sha256, &format!("{spread:032x}{number:032x}"))?,
            _ => Value::new(Kind::Domain, &format!("{:x}-{number}.made-up.example", spread >> 40))?,
        };
        alone.add(&value, number as u32)?;
        together.add(&value, number as u32)?;
    }
    for (value, wake) in set.values() {
        together.add(value, WAKES + wake)?;
    }
    let (alone, together, set) = (Arc::new(alone.build()?), Arc::new(together.build()?), Arc::new(set));

    let mut generator = Generator::new(7);
    let (mut text, mut events, mut planted) = (String::new(), 0usize, 0u64);
    while text.len() < megabytes * 1_000_000 {
        if events % PLANTED_EVERY == 5_000 {
            let number = events / PLANTED_EVERY * 10 + 2;
            if number < patterns {
                text.push_str(&format!(
                    "{{\"timestamp\":\"2026-01-01T00:00:00.000000+0000\",\"event_type\":\"http\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"10.0.0.2\",\"http\":{{\"hostname\":\"x.example\",\"url\":\"/a/GATE-{number}.php?x=1\"}}}}\n"
                ).replace("GATE", "gate"));
                planted += 1;
            }
        }
        generator.write(&mut text, Telemetry::Suricata, 1_767_225_600_000_000 + events as i64 * 500, None);
        text.push('\n');
        events += 1;
    }
    let text = text.as_bytes();
    let mapping = Mappings::built_in()?.get("suricata")?;
    let (mut hits, mut found) = (0, (0, StreamStats::default()));
    let exact_seconds = median(|| hits = exact(&alone, &mapping, text));
    let rules_seconds = median(|| found = with_rules(&together, &mapping, &set, text));
    let scan_seconds = median(|| {
        let mut scratch = Vec::new();
        text.chunks(BLOCK_BYTES)
            .for_each(|block| set.texts().scan_lines(block, true, &mut scratch, &mut |_, _| {}));
    });
    let rate = |seconds: f64| {
        format!(
            "{:.2} GB/s, {:.2} M events/s",
            text.len() as f64 / seconds / 1e9,
            events as f64 / seconds / 1e6
        )
    };
    println!("{events} events, {:.2} GB, {planted} made to match", text.len() as f64 / 1e9);
    println!("exact alone ({indicators} values):  {}", rate(exact_seconds));
    println!("looking for texts alone:     {}", rate(scan_seconds));
    println!(
        "exact and {patterns} patterns:  {} = {:.0}% of exact alone",
        rate(rules_seconds),
        100.0 * exact_seconds / rules_seconds
    );
    println!("{} lines read whole, {} matches, {:?}", found.1.events, found.1.matches, found.1);
    if found.1.matches != planted || found.0 != hits {
        return Err(format!("{planted} matches and {hits} hits expected").into());
    }
    Ok(())
}
