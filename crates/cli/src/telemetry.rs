//! Made-up telemetry as a stream of lines: some carry a planted value, and the same seed gives the same bytes.

use clap::ValueEnum;
use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::value::Value;

/// When the first event happens: 2026-01-01T00:00:00Z, in microseconds since 1970.
const START_MICROSECONDS: i64 = 1_767_225_600_000_000;
/// How far apart two events are, in microseconds: 2,000 events a second.
const STEP_MICROSECONDS: i64 = 500;

/// The formats that can be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TelemetryOption {
    /// Suricata EVE JSON
    Suricata,
    /// Zeek JSON logs
    Zeek,
    /// Elastic Common Schema
    Ecs,
    /// Sysmon as JSON
    Sysmon,
    /// Lines of text as syslog and servers write them
    Text,
}

impl From<TelemetryOption> for Telemetry {
    fn from(option: TelemetryOption) -> Self {
        match option {
            TelemetryOption::Suricata => Self::Suricata,
            TelemetryOption::Zeek => Self::Zeek,
            TelemetryOption::Ecs => Self::Ecs,
            TelemetryOption::Sysmon => Self::Sysmon,
            TelemetryOption::Text => Self::Text,
        }
    }
}

/// Events, one line after the other.
pub(crate) struct Lines {
    generator: Generator,
    format: Telemetry,
    values: Vec<Value>,
    /// An event carries a value if a number drawn from all of `u64` lies below this.
    below: u64,
    dice: u64,
    time: i64,
    /// Events made so far.
    pub(crate) events: u64,
    /// How many of them carry a planted value.
    pub(crate) planted: u64,
}

impl Lines {
    /// A stream of `format`, of whose events the share `rate` (0 to 1) carries one of `values`.
    pub(crate) fn new(format: Telemetry, seed: u64, values: Vec<Value>, rate: f64) -> Self {
        let values: Vec<Value> = values.into_iter().filter(|value| format.carries(value.kind())).collect();
        let below = if values.is_empty() { 0 } else { (rate.clamp(0.0, 1.0) * u64::MAX as f64) as u64 };
        Self {
            generator: Generator::new(seed),
            format,
            values,
            below,
            dice: seed ^ 0x5348_4945_4c44,
            time: START_MICROSECONDS,
            events: 0,
            planted: 0,
        }
    }

    /// Appends the next event and its line feed to `out`.
    pub(crate) fn write(&mut self, out: &mut String) {
        let drawn = self.draw();
        let which = usize::try_from(self.draw() % (self.values.len() as u64).max(1)).unwrap_or(0);
        let plant = self.values.get(which).filter(|_| drawn < self.below);
        self.planted += u64::from(plant.is_some());
        self.generator.write(out, self.format, self.time, plant);
        out.push('\n');
        self.time += STEP_MICROSECONDS;
        self.events += 1;
    }

    /// A repeatable random number (SplitMix64, Steele et al. 2014).
    fn draw(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Telemetry, seed: u64, rate: f64, events: usize) -> (String, u64) {
        let values = ["evil.example", "192.0.2.7", "d41d8cd98f00b204e9800998ecf8427e"];
        let values = values.iter().filter_map(|text| shieldwall_watch::value::detect(text)).collect();
        let (mut lines, mut text) = (Lines::new(format, seed, values, rate), String::new());
        (0..events).for_each(|_| lines.write(&mut text));
        (text, lines.planted)
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for format in Telemetry::ALL {
            let (first, planted) = lines(format, 7, 0.1, 500);
            assert_eq!(lines(format, 7, 0.1, 500), (first.clone(), planted));
            assert_ne!(lines(format, 8, 0.1, 500).0, first);
            assert_eq!(first.lines().count(), 500);
            assert!((20..=90).contains(&planted), "{planted}");
        }
    }

    #[test]
    fn nothing_is_planted_unasked() {
        assert_eq!(lines(Telemetry::Suricata, 1, 0.0, 300).1, 0);
        assert_eq!(lines(Telemetry::Suricata, 1, 1.0, 300).1, 300);
    }
}
