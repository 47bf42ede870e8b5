//! The guard at the sensor: how much of this network an indicator would touch, asked before it may alert or block.
//!
//! The hub holds back what is harmless everywhere. What is common *here* only this network knows: its memory is asked how
//! many of its hosts met a value lately, and on what share of the lines it stood. Over the threshold the indicator is
//! withheld: not matched, not on the block list, not reported, and told to the hub with the reason, so that a person
//! looks. Either it is harmless, or a great part of the network is hit; neither is to be found out by blocking it.
//!
//! Roles other than malicious and suspect are never withheld: a kill switch is never blocked, and to stop watching it
//! helps nobody. A person lets an indicator through by naming it, or its value, as `release` in the configuration.

use std::sync::{Arc, Mutex};

use shieldwall_memory::{Memory, Popularity};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Clock;

use crate::config::Config;
use crate::knowledge::Held;
use crate::memory::{lock, words_of};

/// Over how many days how common a value is counts, in days.
const DAYS: u32 = 7;
/// Fewest hosts that must have met a value before their share counts: in a small network everything is common.
const HOSTS_MIN: u64 = 10;
/// Fewest lines there must have been before a share of them counts.
const LINES_MIN: u64 = 100_000;

/// From when on an indicator is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    hosts_percent: u8,
    lines_percent: u8,
    /// Indicators and values a person let through.
    released: Vec<String>,
}

impl Guard {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            hosts_percent: config.withhold_hosts_percent,
            lines_percent: config.withhold_lines_percent,
            released: config.release.clone(),
        }
    }

    /// Whether a person let this one through.
    pub(crate) fn lets_through(&self, held: &Held) -> bool {
        let named = |text: &String| {
            *text == held.indicator.to_string() || held.values.iter().any(|value| value.to_string() == *text)
        };
        self.released.iter().any(named)
    }

    fn judge(&self, value: &str, common: &Popularity) -> Option<String> {
        let percent = |share: f64| (share * 100.0).round();
        if common.hosts >= HOSTS_MIN && common.share_of_hosts() * 100.0 >= f64::from(self.hosts_percent) {
            return Some(format!(
                "{value} was met by about {} of {} hosts here ({} %) within {DAYS} days; from {} % on a person must look",
                common.hosts,
                common.all_hosts,
                percent(common.share_of_hosts()),
                self.hosts_percent
            ));
        }
        if common.all_lines >= LINES_MIN && common.share_of_lines() * 100.0 >= f64::from(self.lines_percent) {
            return Some(format!(
                "{value} stood on about {} % of {} lines here within {DAYS} days; from {} % on a person must look",
                percent(common.share_of_lines()),
                common.all_lines,
                self.lines_percent
            ));
        }
        None
    }

    /// Judges indicators that are new or changed: says of each why it is withheld, if it is.
    pub(crate) fn judge_all(&self, memory: &Mutex<Memory>, clock: &dyn Clock, all: &mut [&mut Held]) {
        let key = lock(memory).key().clone();
        let (mut words, mut of) = (Vec::new(), Vec::new());
        for (place, held) in all.iter_mut().enumerate() {
            held.withheld = None;
            let judged = matches!(held.role, IndicatorRole::Malicious | IndicatorRole::Suspect);
            if !judged || self.lets_through(held) {
                continue;
            }
            for value in &held.values {
                let parts = words_of(&key, value);
                if !parts.is_empty() {
                    words.push(parts);
                    of.push((place, value.to_string()));
                }
            }
        }
        if words.is_empty() {
            return;
        }
        let common = match Memory::popularity(memory, &words, clock.now(), DAYS) {
            Ok(common) => common,
            Err(error) => {
                // What cannot be asked is not withheld: a full disk must not blind the sensor.
                tracing::error!(%error, code = error.code(), "the memory cannot say how common new indicators are");
                return;
            }
        };
        for ((place, value), common) in of.into_iter().zip(common) {
            let Some(why) = self.judge(&value, &common) else { continue };
            if let Some(held) = all.get_mut(place).filter(|held| held.withheld.is_none()) {
                tracing::warn!(indicator = %held.indicator, why, "an indicator is withheld: neither matched nor blocked");
                held.withheld = Some(why);
            }
        }
    }

    /// As a function the knowledge asks.
    pub(crate) fn with(self, memory: Arc<Mutex<Memory>>, clock: Arc<dyn Clock>) -> Judge {
        Box::new(move |all| self.judge_all(&memory, clock.as_ref(), all))
    }
}

/// Judges new and changed indicators.
pub(crate) type Judge = Box<dyn Fn(&mut [&mut Held]) + Send>;
