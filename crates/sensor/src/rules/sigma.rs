//! Sigma rules: not run by this version; told as left out.

use std::sync::Arc;
use std::time::Duration;

use shieldwall_model::time::Timestamp;

use crate::knowledge::Held;
use crate::wire::SlowRule;

/// Rules, compiled: there are none.
pub(super) enum Set {}

impl Set {
    /// Takes none of them.
    pub(super) fn compile<'a>(
        _: impl Iterator<Item = (u32, &'a Held, &'a str)> + Clone,
    ) -> (Option<Self>, usize) {
        (None, 0)
    }
}

/// Holds lines against a set.
pub(super) struct Reader(Arc<Set>);

impl Reader {
    /// A reader of a set.
    pub(super) fn new(set: Arc<Set>, _: Option<Duration>) -> Self {
        Self(set)
    }

    /// Tells of each match the indicator's number and when it was.
    pub(super) fn line(&mut self, _: &[u8], _: Timestamp, _: &mut dyn FnMut(u32, Option<Timestamp>)) {
        match *self.0 {}
    }

    /// Rules that are no longer asked.
    pub(super) fn set_aside(&self) -> u64 {
        match *self.0 {}
    }

    /// What rules have cost: microseconds in all, the number, the details.
    pub(super) fn costs(&self) -> impl Iterator<Item = (f64, u32, SlowRule)> {
        std::iter::empty()
    }
}
