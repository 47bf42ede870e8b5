//! How long to wait before asking the hub again: longer each time, never long, and never all at once.

use std::time::Duration;

use shieldwall_model::id::Entropy;

use crate::client::HubError;

/// The first wait, in milliseconds.
const FIRST_MILLISECONDS: u64 = 250;
/// The longest wait, in seconds.
const LONGEST_SECONDS: u64 = 30;
/// The wait when a person has to act first, in seconds.
const PERSON_SECONDS: u64 = 60;

/// Waits that double, up to a cap.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked: begin anew.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after `error`: what the hub asked for, else doubling from a quarter of a second to half a
    /// minute; a random half of it is left off, so that sensors do not return all at once after an outage.
    pub(crate) fn after(&mut self, error: &HubError, entropy: &dyn Entropy) -> Duration {
        let base = FIRST_MILLISECONDS.saturating_mul(1 << self.failures.min(16)).min(LONGEST_SECONDS * 1_000);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0; 1];
        // Without randomness the wait is the longest one: nothing secret hangs on it.
        let part = entropy.fill(&mut random).map_or(255, |()| u64::from(random[0]));
        let wait = Duration::from_millis(base / 2 + base * part / 510);
        match error {
            HubError::Busy { after: Some(after), .. } => wait.max(*after),
            error if error.needs_a_person() => Duration::from_secs(PERSON_SECONDS),
            _ => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_model::id::RepeatableEntropy;

    #[test]
    fn waits_double_up_to_the_cap_and_begin_anew() {
        let entropy = RepeatableEntropy::new(3);
        let gone = || HubError::Unreachable { reason: String::new() };
        let mut backoff = Backoff::default();
        for cap in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let wait = u64::try_from(backoff.after(&gone(), &entropy).as_millis()).unwrap();
            assert!((cap / 2..=cap).contains(&wait), "{cap}: {wait}");
        }
        backoff.succeeded();
        assert!(backoff.after(&gone(), &entropy) <= Duration::from_millis(250));
        let asked = HubError::Busy { status: 503, after: Some(Duration::from_secs(7)) };
        assert_eq!(backoff.after(&asked, &entropy), Duration::from_secs(7));
        assert_eq!(backoff.after(&HubError::Token, &entropy), Duration::from_secs(60));
    }
}
