//! Objects a second through the validator, beside `serde_json::Value` parsing the same bytes:
//! `cargo run --release -p shieldwall-exchange --example import_rate -- FILE…`

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const ROUNDS: u32 = 5;
    for name in std::env::args().skip(1) {
        let input = std::fs::read(&name)?;
        let megabytes = input.len() as f64 / 1e6;
        let (mut checked_best, mut value_best) = (f64::MAX, f64::MAX);
        let mut tally = (0, 0, 0);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let checked = shieldwall_exchange::stix::read_bundle(&input)?;
            checked_best = checked_best.min(start.elapsed().as_secs_f64());
            let warnings: usize = checked.accepted.iter().map(|object| object.warnings.len()).sum();
            tally = (checked.accepted.len(), checked.refused.len(), warnings);
            for refusal in checked.refused.iter().take(5) {
                println!("  {} {} {}", refusal.path, refusal.code.as_str(), refusal.reason);
            }
            let start = Instant::now();
            let value: serde_json::Value = serde_json::from_slice(&input)?;
            value_best = value_best.min(start.elapsed().as_secs_f64());
            drop(value);
        }
        let objects = (tally.0 + tally.1) as f64;
        println!(
            "{name}: {} accepted, {} refused, {} warnings, {megabytes:.1} MB",
            tally.0, tally.1, tally.2
        );
        println!(
            "  checked     {:>9.0} objects/s {:>7.1} MB/s",
            objects / checked_best,
            megabytes / checked_best
        );
        println!(
            "  Value alone {:>9.0} objects/s {:>7.1} MB/s",
            objects / value_best,
            megabytes / value_best
        );
    }
    Ok(())
}
