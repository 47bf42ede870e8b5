//! How fast each format is decoded and matched, on one core: its sample repeated to 64 MB against 100,000 values none of
//! which stand in it; beside the same bytes read as text.
//!
//! `cargo run --release -p shieldwall-watch --example decoders [MEGABYTES]`

#![allow(clippy::unwrap_used, reason = "an example that stops says where")]

use std::sync::Arc;
use std::time::Instant;

use shieldwall_watch::mapping::{Mapping, Mappings};
use shieldwall_watch::matcher::Matcher;
use shieldwall_watch::value::detect;
use shieldwall_watch::watchlist::{Builder, Watchlist};

const BLOCK_BYTES: usize = 256 * 1024;
const RUNS: usize = 3;

fn watchlist() -> Arc<Watchlist> {
    let mut builder = Builder::new(1);
    for number in 0..100_000u32 {
        let text = match number % 4 {
            0 => format!("host-{number}.listed.test"),
            1 => format!("198.18.{}.{}", number >> 8 & 255, number & 255),
            2 => format!("http://host-{number}.listed.test/{number}"),
            _ => format!("{number:032x}"),
        };
        builder.add(&detect(&text).unwrap(), number).unwrap();
    }
    Arc::new(builder.build().unwrap())
}

/// Events a second and megabytes a second, best of three.
fn rate(list: &Arc<Watchlist>, mapping: &Arc<Mapping>, text: &[u8]) -> (f64, f64) {
    let mut best = f64::MAX;
    let mut events = 0;
    for _ in 0..RUNS {
        let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping));
        let start = Instant::now();
        text.chunks(BLOCK_BYTES).for_each(|block| matcher.feed(block, &mut |_| ()));
        events = matcher.finish(&mut |_| ()).events;
        best = best.min(start.elapsed().as_secs_f64());
    }
    (events as f64 / best, text.len() as f64 / best / 1e6)
}

fn main() {
    let megabytes: usize = std::env::args().nth(1).map_or(64, |text| text.parse().unwrap());
    let (list, mappings) = (watchlist(), Mappings::built_in().unwrap());
    let plain = mappings.get("text").unwrap();
    println!("{:10} {:>12} {:>8} {:>14} {:>8}", "format", "events/s", "MB/s", "as text ev/s", "MB/s");
    for mapping in mappings.iter() {
        let place = format!("{}/samples/{}.log", env!("CARGO_MANIFEST_DIR"), mapping.name());
        let sample = std::fs::read(place).unwrap();
        let text = sample.repeat(megabytes * 1_000_000 / sample.len() + 1);
        let ((events, speed), (as_text, text_speed)) =
            (rate(&list, mapping, &text), rate(&list, &plain, &text));
        println!("{:10} {events:>12.0} {speed:>8.0} {as_text:>14.0} {text_speed:>8.0}", mapping.name());
    }
}
