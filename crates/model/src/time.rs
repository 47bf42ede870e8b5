//! Points in time to the microsecond, and the clock they come from.
//!
//! Nothing in the house asks the operating system for the time but [`SystemClock`]; everything else is handed
//! a `&dyn Clock`, so tests and exercises can set it.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since 1970-01-01T00:00:00Z.
///
/// Written in RFC 3339 with six digits and `Z` (the form TAXII 2.1 section 3.1 asks for), so that text order is time order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a point in time.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a time: write RFC 3339 in UTC, such as 2026-01-31T09:30:00Z")]
pub struct TimestampError {
    text: String,
    source: jiff::Error,
}

impl TimestampError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "model.time.invalid"
    }
}

impl Timestamp {
    /// A point in time from microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch; UUIDv7 counts in these.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads RFC 3339, with any number of fraction digits (cut to microseconds) and any offset.
    ///
    /// # Errors
    /// [`TimestampError`] when the text is no such time or lies outside the years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            // Cut towards the past, before 1970 too, so that cutting never changes the order of two times.
            .map(|parsed| {
                let micros = parsed.as_nanosecond().div_euclid(1_000);
                Self(i64::try_from(micros).unwrap_or(i64::MAX))
            })
            .map_err(|source| TimestampError { text: text.chars().take(64).collect(), source })
    }

    /// This time `seconds` later (earlier when negative), held within the representable range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// This time `micros` later (earlier when negative), held within the representable range.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this time; negative when `earlier` is later.
    pub const fn since_micros(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until it is set: for tests and exercises.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock, forwards or back.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_fraction_and_offset_and_writes_six_digits() {
        let cases = [
            ("2017-05-12T07:24:00Z", "2017-05-12T07:24:00.000000Z"),
            ("2017-05-12T09:24:00.1234567+02:00", "2017-05-12T07:24:00.123456Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ];
        for (given, written) in cases {
            assert_eq!(Timestamp::parse(given).unwrap().to_string(), written);
        }
    }

    #[test]
    fn says_what_to_write_instead() {
        let error = Timestamp::parse("yesterday").unwrap_err();
        assert_eq!(error.code(), "model.time.invalid");
        assert!(error.to_string().contains("RFC 3339"), "{error}");
    }
}
