//! The matching engine and telemetry decoders: the hot path.
//!
//! Indicators name [values](value); their STIX [patterns](pattern) are read here too. Values are compiled into a
//! [watchlist](watchlist::Watchlist), which can change [while others match with it](watchlist::LiveWatchlist). A
//! [mapping](mapping::Mapping) says which fields of an event hold which sort of value. A
//! [matcher](matcher::Matcher) takes blocks of a file or stream and hands out [hits](matcher::Hit).
//!
//! What cannot match is not parsed: a scan with vector instructions picks the values of mapped keys out of the raw
//! line, asks a filter, then a table; only a line with a likely value, or one the scan cannot judge, is read exactly.
//! The exact reader is the oracle: a property test holds the scan to it on lines made to mislead it. Nothing is
//! allocated per event on the path where nothing matches.
//!
//! This crate knows neither time nor network nor ledger: expiry, recall and trust are its caller's, who adds and
//! removes indicators.
//!
//! ```
//! use std::sync::Arc;
//! use shieldwall_watch::mapping::Mappings;
//! use shieldwall_watch::matcher::Matcher;
//! use shieldwall_watch::pattern;
//! use shieldwall_watch::watchlist::{Builder, Change, LiveWatchlist};
//!
//! // Indicator 1 is a STIX pattern; the caller keeps which number is which indicator.
//! let mut builder = Builder::new(0);
//! for value in pattern::values("[domain-name:value = 'evil.example' OR ipv4-addr:value = '198.51.100.0/24']")? {
//!     builder.add(&value, 1)?;
//! }
//! let live = LiveWatchlist::new(builder.build()?);
//!
//! // The format of telemetry is told from its first lines.
//! let log = br#"{"ts":1494573840.5,"uid":"C1","id.orig_h":"10.0.0.5","id.resp_h":"198.51.100.7","id.resp_p":443}
//! {"ts":1494573841.5,"uid":"C2","id.orig_h":"10.0.0.5","query":"cdn.evil.example"}
//! "#;
//! let verdict = Mappings::built_in()?.detect(log);
//! assert_eq!(verdict.mapping.name(), "zeek");
//!
//! let mut matcher = Matcher::new(live.current(), Arc::clone(&verdict.mapping));
//! let mut fields = Vec::new();
//! matcher.feed(log, &mut |hit| fields.push(hit.field.to_owned()));
//! assert_eq!(fields, ["id.resp_h", "query"]);
//!
//! // A recall takes effect with the next block.
//! live.apply([Change::Remove { indicator: 1 }])?;
//! matcher.set_watchlist(live.current());
//! matcher.feed(log, &mut |_| unreachable!("nothing is listed any more"));
//! assert_eq!(matcher.stats().events, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod decode;
mod exact;
pub mod generate;
mod hash;
pub mod mapping;
pub mod matcher;
pub mod observed;
mod offer;
pub mod pattern;
pub mod reach;
pub mod record;
pub mod rules;
mod simd;
mod table;
mod text;
pub mod value;
pub mod watchlist;
