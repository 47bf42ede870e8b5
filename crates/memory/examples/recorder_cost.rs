//! What remembering costs the matcher: the same telemetry, with a recorder and without, in turns.
//!
//! ```sh
//! cargo run --release -p shieldwall-memory --example recorder_cost -- 400000
//! ```
//! The argument is how many events of Suricata EVE are generated. Generated values hardly repeat, so this is the dear end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program for figures, run by hand")]

use std::sync::Arc;
use std::time::Instant;

use shieldwall_memory::{Code, Heat, Hour, Limits, Memory, Page, Scribe};
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::mapping::Mappings;
use shieldwall_watch::matcher::Matcher;
use shieldwall_watch::record::Recorder;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::Builder;

struct Recording<'a> {
    scribe: &'a mut Scribe,
    page: &'a mut Page,
    heat: &'a mut Heat,
}

impl Recorder for Recording<'_> {
    fn ipv4(&mut self, address: u32) {
        self.scribe.ipv4(address);
    }

    fn ipv6(&mut self, address: u128) {
        self.scribe.ipv6(address);
    }

    fn name(&mut self, name: &[u8]) {
        self.scribe.name(name);
    }

    fn value(&mut self, kind: Kind, normal: &[u8]) {
        let code = match kind {
            Kind::Url => Code::Url,
            Kind::FileName => Code::FileName,
            Kind::Sha256 => Code::Sha256,
            _ => Code::Md5,
        };
        self.scribe.value(code, normal);
    }

    fn end(&mut self, count: bool) {
        self.scribe.end(count, self.page, self.heat);
    }
}

fn main() {
    let events: i64 = std::env::args().nth(1).map_or(200_000, |text| text.parse().expect("a number"));
    let mut builder = Builder::new(3);
    for number in 0..1_000_000u32 {
        let value = Value::new(Kind::Domain, &format!("n{number}.listed-{}.example", number % 977)).unwrap();
        builder.add(&value, number).unwrap();
    }
    for (number, (kind, text)) in [
        (Kind::Ipv4, "203.0.113.250"),
        (Kind::Url, "http://not-in-it.invalid/x"),
        (Kind::Sha256, "0000000000000000000000000000000000000000000000000000000000000000"),
        (Kind::FileName, "not-in-it.invalid"),
    ]
    .into_iter()
    .enumerate()
    {
        builder.add(&Value::new(kind, text).unwrap(), 2_000_000 + number as u32).unwrap();
    }
    let list = Arc::new(builder.build().unwrap());
    let mapping = Mappings::built_in().unwrap().get("suricata").unwrap();
    let mut generator = Generator::new(21);
    let mut text = String::new();
    for at in 0..events {
        text.push_str(&generator.line(Telemetry::ALL.into_iter().next().unwrap(), at * 1_000, None));
        text.push('\n');
    }
    let directory = std::env::temp_dir().join(format!("shieldwall-recorder-{}", std::process::id()));
    let now = Timestamp::from_micros(0).plus_seconds(1_764_028_800);
    let (mut plain, mut recorded) = (Vec::new(), Vec::new());
    let mut values = 0;
    for _ in 0..5 {
        let mut matcher = Matcher::new(Arc::clone(&list), Arc::clone(&mapping));
        let start = Instant::now();
        for block in text.as_bytes().chunks(256 * 1024) {
            matcher.feed(block, &mut |_| {});
        }
        plain.push(start.elapsed().as_secs_f64());
        let mut memory = Memory::open(&directory, Limits::default(), &SystemEntropy, now).unwrap().0;
        let source = memory.source("eve");
        let mut scribe = Scribe::new(memory.key().clone());
        let mut matcher = Matcher::new(Arc::clone(&list), Arc::clone(&mapping));
        let start = Instant::now();
        for block in text.as_bytes().chunks(256 * 1024) {
            let (page, heat) = memory.desk(&source, Hour::of(now), now);
            let mut recording = Recording { scribe: &mut scribe, page, heat };
            matcher.feed_recording(block, Some(&mut recording), &mut |_| {});
        }
        recorded.push(start.elapsed().as_secs_f64());
        values = memory.desk(&source, Hour::of(now), now).0.values();
        drop(memory);
        std::fs::remove_dir_all(&directory).unwrap();
    }
    plain.sort_by(f64::total_cmp);
    recorded.sort_by(f64::total_cmp);
    let rate = |times: &[f64]| events as f64 / times.get(2).copied().unwrap_or(f64::NAN);
    println!(
        "{events} events, {values} distinct values: {:.0} events/s without, {:.0} with a recorder ({:.2} of it)",
        rate(&plain),
        rate(&recorded),
        rate(&recorded) / rate(&plain)
    );
}
