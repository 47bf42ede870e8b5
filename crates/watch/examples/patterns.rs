//! Patterns a second, from text to verdict: `cargo run --release -p shieldwall-watch --example patterns`.
//!
//! Reads, compiles and evaluates 100 patterns of the vectors, evenly over all that have a verdict, each on its observed data
//! (read anew each time). `crates/cli/tests/clients/patterns.py VECTORS --measure 100 PROGRAM` takes the same ones.

use std::hint::black_box;
use std::time::Instant;

use serde_json::Value as Json;
use shieldwall_watch::observed;
use shieldwall_watch::pattern::{self, Program};

const WANTED: usize = 100;
const ROUNDS: u32 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vectors: Json = serde_json::from_str(include_str!("../tests/vectors/patterning.json"))?;
    let text = |case: &Json, name: &str| case.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let decided: Vec<(String, Vec<u8>)> = vectors
        .get("cases")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter(|case| {
            matches!(text(case, "expected").as_str(), "match" | "none") && text(case, "observed") != "many"
        })
        .map(|case| {
            let file = vectors.pointer(&format!("/observed/{}/file", text(case, "observed")));
            (text(case, "pattern"), file.map(Json::to_string).unwrap_or_default().into_bytes())
        })
        .collect();
    let chosen: Vec<_> = decided.iter().step_by(decided.len() / WANTED).take(WANTED).collect();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for (pattern, file) in &chosen {
            let program = Program::new(&pattern::parse(pattern)?)?;
            black_box(program.evaluate(&observed::read(file)?)?.matched);
        }
    }
    let rate = f64::from(ROUNDS) * chosen.len() as f64 / start.elapsed().as_secs_f64();
    println!("{} patterns, {ROUNDS} rounds: {rate:.0} patterns/s", chosen.len());
    Ok(())
}
