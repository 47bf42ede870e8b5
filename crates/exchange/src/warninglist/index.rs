//! What a list keeps of its entries: a million names must be cheap to keep and quick to ask.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use shieldwall_watch::reach::AddressRange;

use super::{Met, is_public_suffix, is_registry, registered_name};

/// Sorted texts in one string.
#[derive(Default)]
pub(super) struct Texts {
    bytes: String,
    /// Where each text ends.
    ends: Vec<u32>,
}

impl Texts {
    pub(super) fn new(mut texts: Vec<String>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        let mut all = Self { bytes: String::new(), ends: Vec::with_capacity(texts.len()) };
        for text in texts {
            all.bytes.push_str(&text);
            // A list is bounded far below four gigabytes.
            all.ends.push(u32::try_from(all.bytes.len()).unwrap_or(u32::MAX));
        }
        all.bytes.shrink_to_fit();
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        self.bytes.get(start..end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|at| self.get(at))
    }

    /// The place of the first text that is not less than `text`.
    fn place(&self, text: &str) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(|known| known < text) { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.get(self.place(text)) == Some(text)
    }

    /// The first text that begins with `head`.
    fn starting(&self, head: &str) -> Option<&str> {
        self.get(self.place(head)).filter(|text| text.starts_with(head))
    }
}

/// Domain names, label by label from the right, so that a parent's names stand together.
#[derive(Default)]
pub(super) struct Names {
    /// Meant with all below them.
    open: Texts,
    /// Meant alone.
    closed: Texts,
}

/// `download.microsoft.com` as `com.microsoft.download.`: what is below a name begins with it.
fn turned(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 1);
    for label in name.rsplit('.') {
        out.push_str(label);
        out.push('.');
    }
    out
}

fn turned_back(name: &str) -> String {
    let labels: Vec<&str> = name.trim_end_matches('.').rsplit('.').collect();
    labels.join(".")
}

impl Names {
    /// Each name with whether those below it are meant as well.
    pub(super) fn new(names: Vec<(String, bool)>) -> Self {
        let (open, closed): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, below)| *below);
        let texts =
            |names: Vec<(String, bool)>| Texts::new(names.iter().map(|(name, _)| turned(name)).collect());
        Self { open: texts(open), closed: texts(closed) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    /// The entry `host` meets; as a parent only where `blocks_below`.
    pub(super) fn find(&self, host: &str, blocks_below: bool) -> Option<(String, Met)> {
        let whole = turned(host);
        if self.open.contains(&whole) || self.closed.contains(&whole) {
            return Some((host.to_owned(), Met::Exact));
        }
        let registered = registered_name(host);
        let mut parent = host.split_once('.').map(|(_, parent)| parent);
        while let Some(name) = parent {
            let may_mean = registered.is_some_and(|top| name.len() >= top.len()) || is_registry(name);
            if may_mean && self.open.contains(&turned(name)) {
                return Some((name.to_owned(), Met::Below));
            }
            parent = name.split_once('.').map(|(_, parent)| parent);
        }
        // What anybody may register below a public suffix is no reason; the suffix itself is judged by its own rule.
        if !blocks_below || is_public_suffix(host) {
            return None;
        }
        let below = self.open.starting(&whole).or_else(|| self.closed.starting(&whole))?;
        Some((turned_back(below), Met::Above))
    }
}

/// Networks, as ranges sorted by their first address, each with the highest last address up to it.
#[derive(Default)]
pub(super) struct Ranges {
    ranges: Vec<AddressRange>,
    highest: Vec<u128>,
}

/// A network as text: `198.51.100.0/24`, or `first-last` where it is none.
pub(super) struct Shown(AddressRange);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = |number: u128| match u32::try_from(number) {
            Ok(number) if !self.0.six => IpAddr::V4(Ipv4Addr::from(number)),
            _ => IpAddr::V6(Ipv6Addr::from(number)),
        };
        let free = (self.0.first ^ self.0.last).count_ones();
        let bits = if self.0.six { 128 } else { 32 };
        match free {
            0 => write!(f, "{}", ip(self.0.first)),
            free => write!(f, "{}/{}", ip(self.0.first), bits - free),
        }
    }
}

impl Ranges {
    pub(super) fn new(mut ranges: Vec<AddressRange>) -> Self {
        ranges.sort_unstable();
        ranges.dedup();
        let mut highest = Vec::with_capacity(ranges.len());
        let mut so_far: Option<(bool, u128)> = None;
        for range in &ranges {
            let last = so_far
                .filter(|(six, _)| *six == range.six)
                .map_or(range.last, |(_, last)| last.max(range.last));
            so_far = Some((range.six, last));
            highest.push(last);
        }
        Self { ranges, highest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// A network that shares an address with `range`.
    pub(super) fn find(&self, range: &AddressRange) -> Option<(Shown, Met)> {
        let until = self.ranges.partition_point(|known| (known.six, known.first) <= (range.six, range.last));
        // Back to the one that reaches this far; the running maximum says when there is none.
        for at in (0..until).rev() {
            let (known, highest) = (self.ranges.get(at)?, *self.highest.get(at)?);
            if known.six != range.six || highest < range.first {
                return None;
            }
            if known.overlaps(range) {
                let met = match (known.contains(range), range.contains(known)) {
                    (true, true) => Met::Exact,
                    (true, false) => Met::Below,
                    _ => Met::Above,
                };
                return Some((Shown(*known), met));
            }
        }
        None
    }
}
