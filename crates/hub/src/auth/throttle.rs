//! Slowing down guessers: failed sign-ins are counted by name and by address, in hub time.

use std::collections::HashMap;
use std::sync::Mutex;

use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

/// Most names and addresses remembered; past that the oldest windows are dropped first.
const REMEMBERED_MAX: usize = 10_000;

/// Failed sign-ins by key (a canonical name, or an address).
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<String, (Timestamp, u32)>>);

impl Throttle {
    /// Seconds to wait before `key` may try again; `None` when it may try now.
    pub fn wait_seconds(&self, key: &str, now: Timestamp) -> Option<u64> {
        let map = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (start, failures) = map.get(key)?;
        let passed = now.since_micros(*start) / 1_000_000;
        let left = limits::SIGN_IN_WINDOW_SECONDS - passed;
        // A clock set back must not lock anybody out for longer than the window.
        let left = left.min(limits::SIGN_IN_WINDOW_SECONDS);
        (*failures >= limits::SIGN_IN_FAILURES_MAX && left > 0).then(|| left.unsigned_abs())
    }

    /// Counts a failure.
    pub fn failed(&self, key: &str, now: Timestamp) {
        let mut map = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if map.len() >= REMEMBERED_MAX && !map.contains_key(key) {
            map.retain(|_, (start, _)| now.since_micros(*start) < limits::SIGN_IN_WINDOW_SECONDS * 1_000_000);
            if map.len() >= REMEMBERED_MAX
                && let Some(oldest) =
                    map.iter().min_by_key(|(_, (start, _))| *start).map(|(key, _)| key.clone())
            {
                map.remove(&oldest);
            }
        }
        let entry = map.entry(key.to_owned()).or_insert((now, 0));
        if now.since_micros(entry.0).abs() >= limits::SIGN_IN_WINDOW_SECONDS * 1_000_000 {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }

    /// Forgets the failures of a name that signed in.
    pub fn succeeded(&self, key: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_close_the_door_for_the_rest_of_the_window() {
        let throttle = Throttle::default();
        let start = Timestamp::from_micros(1_000_000_000_000);
        for _ in 0..limits::SIGN_IN_FAILURES_MAX {
            assert_eq!(throttle.wait_seconds("ann", start), None);
            throttle.failed("ann", start);
        }
        assert_eq!(throttle.wait_seconds("ann", start.plus_seconds(60)), Some(840));
        assert_eq!(throttle.wait_seconds("ben", start), None);
        assert_eq!(throttle.wait_seconds("ann", start.plus_seconds(900)), None);
        assert_eq!(
            throttle.wait_seconds("ann", start.plus_seconds(-86_400)),
            Some(900),
            "a clock set back holds nobody longer"
        );
        throttle.succeeded("ann");
        assert_eq!(throttle.wait_seconds("ann", start), None);
    }
}
