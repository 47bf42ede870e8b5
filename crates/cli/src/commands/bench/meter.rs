//! What a stretch of work costs: wall time, this thread's time on a core, and the program's peak of memory (Linux).

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

/// The cost of a stretch of work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Time that passed, in seconds.
    pub(crate) wall_seconds: f64,
    /// Time this thread spent on a core, in seconds; wall time where the system does not tell.
    pub(crate) core_seconds: f64,
}

impl Cost {
    /// The time on a core.
    pub(crate) fn core(&self) -> Duration {
        Duration::try_from_secs_f64(self.core_seconds).unwrap_or_default()
    }
}

/// Does `work` and tells what it cost.
pub(crate) fn cost<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Cost), E> {
    let (start, core) = (Instant::now(), on_core());
    let done = work()?;
    let wall_seconds = start.elapsed().as_secs_f64();
    let core_seconds = match (core, on_core()) {
        (Some(before), Some(after)) => after.saturating_sub(before).as_secs_f64(),
        _ => wall_seconds,
    };
    Ok((done, Cost { wall_seconds, core_seconds }))
}

/// How long this thread has been on a core (proc(5), /proc/thread-self/schedstat).
fn on_core() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

/// The most memory the program had at once since [`forget_peak`], in bytes (proc(5), VmHWM).
pub(crate) fn peak_bytes() -> Option<u64> {
    memory_of(std::process::id()).map(|(peak, _)| peak)
}

/// The most memory another process had at once, and has now, in bytes (proc(5), VmHWM and VmRSS).
pub(crate) fn memory_of(pid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some((value("VmHWM:")?, value("VmRSS:")?))
}

/// Measures the peak anew from here on (proc(5), /proc/self/clear_refs); where the system refuses, the peak stays that
/// of the whole run.
pub(crate) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_costs_something() {
        let (sum, cost) = cost(|| Ok::<u64, ()>((0..2_000_000u64).map(std::hint::black_box).sum())).unwrap();
        assert_eq!(sum, 1_999_999_000_000);
        assert!(cost.wall_seconds > 0.0 && cost.core_seconds > 0.0, "{cost:?}");
        assert!(peak_bytes().unwrap() > 100_000);
    }
}
