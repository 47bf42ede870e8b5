//! What to look for: values, each naming the indicators that list it, compiled for fast exact lookup.
//!
//! [`Builder`] makes an immutable [`Watchlist`]. [`LiveWatchlist`] keeps one current under change: an immutable base,
//! a small delta and a set of indicators the base no longer speaks for, published together as one snapshot. A reader
//! takes a snapshot per block of events and never waits for a writer.
//!
//! Which of several indicators is active, and until when, is the caller's business: what must no longer match is
//! removed.

mod live;

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::hash::{self, Class};
use crate::table::{self, Table, TableBuilder, TooLarge};
use crate::value::{Kind, Value, ValueRef};

pub use live::{Change, LiveWatchlist};

/// Why a watchlist could not be built or changed.
#[derive(thiserror::Error, Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchlistError {
    /// More than 4 GiB of values.
    #[error("the watchlist holds more than 4 GiB of values; split it over several sensors")]
    TooLarge,
}

impl WatchlistError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "watch.watchlist.too_large",
        }
    }
}

impl From<TooLarge> for WatchlistError {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

/// Collects values for a [`Watchlist`].
pub struct Builder {
    table: TableBuilder,
}

impl Builder {
    /// An empty builder. `key` seeds the hash: draw it at random where values come from strangers, fix it where
    /// runs must repeat.
    pub fn new(key: u64) -> Self {
        Self { table: TableBuilder::new(key) }
    }

    /// Lists `value` for `indicator`, a number the caller gives a meaning. Adding the same pair twice is the same
    /// as once.
    ///
    /// # Errors
    /// [`WatchlistError::TooLarge`] past 4 GiB of values.
    pub fn add(&mut self, value: &Value, indicator: u32) -> Result<(), WatchlistError> {
        Ok(self.table.add(value.as_ref(), indicator)?)
    }

    /// How many values were added.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compiles. Takes about a second for two million values.
    ///
    /// # Errors
    /// [`WatchlistError::TooLarge`] past 4 GiB of records.
    pub fn build(self) -> Result<Watchlist, WatchlistError> {
        Ok(Watchlist::of(Arc::new(self.table.finish()?)))
    }
}

/// A compiled set of values. Cheap to clone; immutable.
#[derive(Clone)]
pub struct Watchlist {
    base: Arc<Table>,
    delta: Option<Arc<Table>>,
    /// Indicators whose values in `base` no longer count.
    dropped: Arc<HashSet<u32>>,
    version: u64,
}

impl Watchlist {
    fn of(base: Arc<Table>) -> Self {
        Self { base, delta: None, dropped: Arc::default(), version: 0 }
    }

    /// Counts the changes applied since the watchlist was first built.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Distinct values (of base and delta; those dropped but not yet merged away are counted).
    pub fn values(&self) -> usize {
        self.base.values + self.delta.as_ref().map_or(0, |delta| delta.values)
    }

    /// Bytes held on the heap by table and filter.
    pub fn heap_bytes(&self) -> usize {
        self.base.heap_bytes()
            + self.delta.as_ref().map_or(0, |delta| delta.heap_bytes())
            + self.dropped.capacity() * 5
    }

    /// Every (value, indicator) pair that counts.
    pub fn for_each(&self, mut each: impl FnMut(ValueRef<'_>, u32)) {
        for record in self.base.all() {
            record.indicators().filter(|id| !self.dropped.contains(id)).for_each(|id| each(record.value, id));
        }
        for record in self.delta.iter().flat_map(|delta| delta.all()) {
            record.indicators().for_each(|id| each(record.value, id));
        }
    }

    /// The indicators that list exactly this value, ascending within base and delta.
    pub fn indicators_of(&self, value: &Value) -> Vec<u32> {
        let mut found = Vec::new();
        self.find(
            table::hash_of(self.key(), value.kind(), value.bytes()),
            &|listed| listed == value.as_ref(),
            &mut |_, id| {
                found.push(id);
            },
        );
        found
    }

    pub(crate) fn key(&self) -> u64 {
        self.base.key()
    }

    /// Bit of every kind that is listed.
    pub(crate) fn kinds(&self) -> u32 {
        self.base.kinds | self.delta.as_ref().map_or(0, |delta| delta.kinds)
    }

    /// How many labels the shortest suffix has that may be listed: names are looked up from there inwards.
    pub(crate) fn root_labels(&self) -> usize {
        if self.base.single_label || self.delta.as_ref().is_some_and(|delta| delta.single_label) {
            1
        } else {
            2
        }
    }

    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.base.prefetch(hash);
    }

    /// Whether the filter lets this hash pass.
    #[inline(always)]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        self.base.may_hold(hash) || self.delta.as_ref().is_some_and(|delta| delta.may_hold(hash))
    }

    /// Whether a record of this hash is likely there: the filter passes and a record carries its tag.
    pub(crate) fn likely(&self, hash: u64) -> bool {
        (self.base.may_hold(hash) && self.base.tagged(hash))
            || self.delta.as_ref().is_some_and(|delta| delta.may_hold(hash) && delta.tagged(hash))
    }

    /// Whether an IPv4 address near this one is listed, or this one: if not, there is nothing to look up.
    #[inline]
    pub(crate) fn near_address4(&self, address: u32) -> bool {
        self.base.near_address4(address)
            || self.delta.as_ref().is_some_and(|delta| delta.near_address4(address))
    }

    /// Whether a listed network may be around this address.
    #[inline]
    pub(crate) fn near_network4(&self, address: u32) -> bool {
        self.base.near_network4(address)
            || self.delta.as_ref().is_some_and(|delta| delta.near_network4(address))
    }

    /// The same for IPv6.
    pub(crate) fn near_network6(&self, address: u128) -> bool {
        self.base.near_network6(address)
            || self.delta.as_ref().is_some_and(|delta| delta.near_network6(address))
    }

    /// Whether a name of this hash, which the filter let pass, is likely listed itself, not only a name below it.
    pub(crate) fn likely_name(&self, hash: u64) -> bool {
        let here = |table: &Table| table.may_hold(hash) && table.may_list(hash) && table.tagged(hash);
        here(&self.base) || self.delta.as_deref().is_some_and(here)
    }

    /// Hands over every indicator whose record has this hash and passes `fits`.
    fn find(&self, hash: u64, fits: &dyn Fn(ValueRef<'_>) -> bool, each: &mut dyn FnMut(ValueRef<'_>, u32)) {
        if self.base.may_hold(hash) {
            for record in self.base.records(hash).filter(|record| fits(record.value)) {
                record
                    .indicators()
                    .filter(|id| !self.dropped.contains(id))
                    .for_each(|id| each(record.value, id));
            }
        }
        if let Some(delta) = self.delta.as_ref().filter(|delta| delta.may_hold(hash)) {
            for record in delta.records(hash).filter(|record| fits(record.value)) {
                record.indicators().for_each(|id| each(record.value, id));
            }
        }
    }

    /// An address met in telemetry (canonical), with the port it came with: the address itself, address and port,
    /// and every listed network around it.
    pub(crate) fn find_ip(&self, ip: IpAddr, port: Option<u16>, each: &mut dyn FnMut(ValueRef<'_>, u32)) {
        let (mut octets, mut length) = ([0u8; 18], 4);
        match ip {
            IpAddr::V4(ip) => octets.iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from),
            IpAddr::V6(ip) => {
                octets.iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from);
                length = 16;
            }
        }
        let address = octets.get(..length).unwrap_or_default();
        let hash = hash::of_octets(self.key(), Class::Address, address);
        self.find(
            hash,
            &|listed| match listed.kind {
                Kind::Ipv4 | Kind::Ipv6 => listed.bytes == address,
                Kind::IpPort => listed.bytes.split_last_chunk::<2>().is_some_and(|(host, listed)| {
                    host == address && port == Some(u16::from_be_bytes(*listed))
                }),
                _ => false,
            },
            each,
        );
        for table in std::iter::once(&self.base).chain(&self.delta) {
            let mut ask = |hash, octets: &[u8]| {
                if table.may_hold(hash) {
                    self.find_in(table, hash, octets, each);
                }
            };
            match ip {
                IpAddr::V4(ip) => table.networks4(ip.into()).for_each(|(hash, octets)| ask(hash, &octets)),
                IpAddr::V6(ip) => table.networks6(ip.into()).for_each(|(hash, octets)| ask(hash, &octets)),
            }
        }
    }

    fn find_in(&self, table: &Arc<Table>, hash: u64, octets: &[u8], each: &mut dyn FnMut(ValueRef<'_>, u32)) {
        let base = Arc::ptr_eq(table, &self.base);
        let network = |record: &table::Record<'_>| {
            matches!(record.value.kind, Kind::Cidr4 | Kind::Cidr6) && record.value.bytes == octets
        };
        for record in table.records(hash).filter(network) {
            record
                .indicators()
                .filter(|id| !base || !self.dropped.contains(id))
                .for_each(|id| each(record.value, id));
        }
    }

    /// A name in normal form: itself and every parent that is listed.
    pub(crate) fn find_domain(&self, name: &[u8], each: &mut dyn FnMut(ValueRef<'_>, u32)) {
        let mut suffix = table::last_labels(name, self.root_labels());
        loop {
            let hash = hash::of_text(self.key(), Class::Domain, suffix);
            if !self.may_hold(hash) {
                return;
            }
            self.find(hash, &|listed| listed.kind == Kind::Domain && listed.bytes == suffix, each);
            match longer_of(name, suffix) {
                Some(next) => suffix = next,
                None => return,
            }
        }
    }

    /// A URL in normal form. A URL without a scheme, listed or met, stands for any scheme.
    pub(crate) fn find_url(&self, url: &[u8], each: &mut dyn FnMut(ValueRef<'_>, u32)) {
        let rest = table::schemeless(url);
        let any = rest.len() == url.len();
        let hash = hash::of_text(self.key(), Class::Url, rest);
        let fits = |listed: ValueRef<'_>| {
            let body = table::schemeless(listed.bytes);
            listed.kind == Kind::Url
                && body == rest
                && (any || body.len() == listed.bytes.len() || listed.bytes == url)
        };
        self.find(hash, &fits, each);
    }

    /// A value of one of the other kinds, in normal form.
    pub(crate) fn find_plain(&self, kind: Kind, bytes: &[u8], each: &mut dyn FnMut(ValueRef<'_>, u32)) {
        let hash = table::hash_of(self.key(), kind, bytes);
        self.find(hash, &|listed| listed.kind == kind && listed.bytes == bytes, each);
    }
}

/// The next longer suffix, `None` once `suffix` is the whole name.
fn longer_of<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    table::longer(name, suffix).filter(|next| next.len() > suffix.len())
}

#[cfg(test)]
mod tests;
