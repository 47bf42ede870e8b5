//! A watchlist under change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hashbrown::HashSet;

use super::{Watchlist, WatchlistError};
use crate::table::{Table, TableBuilder, table_of};
use crate::value::Value;

/// A delta of more values than this, and than an eighth of the base, is merged into a new base.
const DELTA_VALUES_MAX: usize = 100_000;

/// One change of what is watched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// From now on `indicator` lists exactly these values, whatever it listed before.
    Put {
        /// The indicator's number.
        indicator: u32,
        /// Its values.
        values: Vec<Value>,
    },
    /// `indicator` no longer matches anything (recalled, revoked, expired).
    Remove {
        /// The indicator's number.
        indicator: u32,
    },
}

/// A watchlist that changes while others match with it.
pub struct LiveWatchlist {
    current: ArcSwap<Watchlist>,
    delta: Mutex<BTreeMap<u32, Vec<Value>>>,
}

impl LiveWatchlist {
    /// Starts from a compiled watchlist.
    pub fn new(watchlist: Watchlist) -> Self {
        Self { current: ArcSwap::from_pointee(watchlist), delta: Mutex::default() }
    }

    /// The snapshot in force. Never waits.
    pub fn current(&self) -> Arc<Watchlist> {
        self.current.load_full()
    }

    /// The snapshot's version: counts the calls of [`Self::apply`].
    pub fn version(&self) -> u64 {
        self.current.load().version
    }

    /// Applies changes in order, as one step: readers see all of them or none. Costs time in proportion to what
    /// changed since the last merge, not to the whole; a merge (see [`Self::merge`]) happens by itself once the
    /// delta has grown past an eighth of the base. Returns the new version.
    ///
    /// # Errors
    /// [`WatchlistError::TooLarge`]; nothing has changed then for readers.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<u64, WatchlistError> {
        let mut delta = self.delta.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.current();
        let mut dropped: HashSet<u32> = (*now.dropped).clone();
        for change in changes {
            match change {
                Change::Put { indicator, values } => {
                    dropped.insert(indicator);
                    delta.insert(indicator, values);
                }
                Change::Remove { indicator } => {
                    dropped.insert(indicator);
                    delta.remove(&indicator);
                }
            }
        }
        let table = table_of(now.key(), pairs(&delta))?;
        let large = table.entries.max(dropped.len()) > DELTA_VALUES_MAX.max(now.base.values / 8);
        let next = Watchlist {
            base: Arc::clone(&now.base),
            delta: (table.entries > 0).then(|| Arc::new(table)),
            dropped: Arc::new(dropped),
            version: now.version + 1,
        };
        let version = next.version;
        self.current.store(Arc::new(next));
        if large {
            self.merge_into_base(&mut delta)?;
        }
        Ok(version)
    }

    /// Merges base and delta into a new base. Readers go on meanwhile; other writers wait.
    ///
    /// # Errors
    /// [`WatchlistError::TooLarge`]; nothing has changed then.
    pub fn merge(&self) -> Result<(), WatchlistError> {
        let mut delta = self.delta.lock().unwrap_or_else(PoisonError::into_inner);
        self.merge_into_base(&mut delta)
    }

    fn merge_into_base(&self, delta: &mut BTreeMap<u32, Vec<Value>>) -> Result<(), WatchlistError> {
        let now = self.current();
        let mut builder = TableBuilder::new(now.key());
        let mut result = Ok(());
        now.for_each(|value, indicator| {
            if result.is_ok() {
                result = builder.add(value, indicator);
            }
        });
        result?;
        let base: Arc<Table> = Arc::new(builder.finish()?);
        self.current.store(Arc::new(Watchlist { version: now.version, ..Watchlist::of(base) }));
        delta.clear();
        Ok(())
    }
}

fn pairs(delta: &BTreeMap<u32, Vec<Value>>) -> impl Iterator<Item = (&Value, u32)> {
    delta.iter().flat_map(|(indicator, values)| values.iter().map(|value| (value, *indicator)))
}
