//! Measures the reader beside plain `rsigma-eval` on the same rules and events, in one run, and compares their matches.
//!
//! `cargo run --release -p shieldwall-sigma --example beside_rsigma -- RULES [EVENTS] [MATCHING_PER_MILLE]`

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::{LogSource, parse_sigma_directory};
use serde_json::Value;
use shieldwall_sigma::generate::{Generator, Mix};
use shieldwall_sigma::load::Loader;
use shieldwall_sigma::reader::Reader;
use shieldwall_sigma::source::Given;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Rounds measured, the best of which counts.
const ROUNDS: usize = 3;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a folder of rules")?;
    let count: usize = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let matching: u32 = arguments.next().map_or(Ok(20), |text| text.parse())?;

    let start = Instant::now();
    let mut loader = Loader::default();
    loader.path(Path::new(&path))?;
    let (rules, refused) = loader.finish()?;
    let rules = Arc::new(rules);
    println!("{} rules in {:.2?}, {} remarks", rules.len(), start.elapsed(), refused.len());
    let start = Instant::now();
    let mut engine = Engine::new();
    engine.add_collection(&parse_sigma_directory(Path::new(&path))?)?;
    println!("rsigma-eval: {} rules in {:.2?}", engine.rules().len(), start.elapsed());

    let mix = Mix { matching_per_mille: matching, near_per_mille: 50, windows: true };
    let mut generator = Generator::new(&rules, mix, 1);
    let events: Vec<Value> = (0..count).map(|_| generator.event()).collect();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    // Where each event comes from is worked out beforehand for the plain engine: it is not charged for routing, and is
    // asked once an event where Sigma has several names for the source.
    let sources: Vec<Vec<LogSource>> = events.iter().map(|event| sources(&rules, event)).collect();

    let mut reader = Reader::new(Arc::clone(&rules));
    let mut matched = 0;
    for ((event, line), sources) in events.iter().zip(&lines).zip(&sources) {
        let mut ours = BTreeSet::new();
        reader.line(line.as_bytes(), &mut |hit| {
            ours.insert((hit.rule.title.clone(), hit.rule.id.clone()));
        })?;
        let mut plain = BTreeSet::new();
        for source in sources {
            let results = engine.evaluate_with_logsource(&JsonEvent::borrow(event), source);
            plain.extend(results.into_iter().map(|found| (found.header.rule_title, found.header.rule_id)));
        }
        matched += ours.len();
        if ours != plain {
            return Err(format!("they differ on {line}\nours {ours:?}\nplain {plain:?}").into());
        }
    }
    let figures = reader.figures();
    println!(
        "{count} events, {:.0} bytes each; {matched} matches in {} events, the same in both; {:.1} of {} rules \
         evaluated an event; tables {:.1} MB",
        bytes as f64 / count as f64,
        figures.events_matched,
        figures.evaluated as f64 / figures.events as f64,
        rules.len(),
        rules.table_bytes() as f64 / 1e6,
    );

    let (mut best, best_of) = ([f64::MAX; 4], |place: usize, seconds: f64, best: &mut [f64; 4]| {
        if let Some(slot) = best.get_mut(place) {
            *slot = slot.min(seconds);
        }
    });
    for _ in 0..ROUNDS {
        let seconds = time(|| {
            for (line, sources) in lines.iter().zip(&sources) {
                let event: Value = serde_json::from_str(line).unwrap_or_default();
                if let Some(source) = sources.first() {
                    black_box(engine.evaluate_with_logsource(&JsonEvent::borrow(&event), source).len());
                }
            }
        });
        best_of(0, seconds, &mut best);
        let seconds = time(|| {
            for (event, sources) in events.iter().zip(&sources) {
                if let Some(source) = sources.first() {
                    black_box(engine.evaluate_with_logsource(&JsonEvent::borrow(event), source).len());
                }
            }
        });
        best_of(1, seconds, &mut best);
        let seconds = time(|| {
            for line in &lines {
                let mut found = 0;
                let _ = reader.line(line.as_bytes(), &mut |_| found += 1);
                black_box(found);
            }
        });
        best_of(2, seconds, &mut best);
        let seconds = time(|| {
            for event in &events {
                let mut found = 0;
                reader.value(event, None, &mut |_| found += 1);
                black_box(found);
            }
        });
        best_of(3, seconds, &mut best);
    }
    let [plain_line, plain_value, line, value] = best.map(|seconds| count as f64 / seconds);
    println!(
        "from lines:  rsigma-eval {plain_line:>9.0} events/s, here {line:>9.0}, {:.1}x",
        line / plain_line
    );
    println!(
        "from values: rsigma-eval {plain_value:>9.0} events/s, here {value:>9.0}, {:.1}x",
        value / plain_value
    );
    Ok(())
}

fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn sources(rules: &shieldwall_sigma::rules::Rules, event: &Value) -> Vec<LogSource> {
    let found = rules.sources_of(event, &Given::default());
    let one = |source: Given| LogSource {
        product: source.product,
        category: source.category,
        service: source.service,
        ..LogSource::default()
    };
    found.into_iter().map(one).collect()
}
