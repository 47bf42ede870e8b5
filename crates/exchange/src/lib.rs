//! Intelligence in and out: STIX validation and description, TAXII's rules, lists of values, and the objects the house
//! makes itself. Pure: no server, no database, no clock.
//!
//! ```
//! use shieldwall_exchange::stix;
//!
//! let input = br#"{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[
//!   {"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
//!    "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z",
//!    "pattern":"[domain-name:value = 'evil.example']","pattern_type":"stix","valid_from":"2026-01-31T09:30:00Z"},
//!   {"type":"malware","spec_version":"2.1","id":"malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
//!    "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","is_family":"yes"}]}"#;
//! let checked = stix::read_bundle(input)?;
//! assert_eq!(checked.accepted[0].object_type(), "indicator");
//! assert!(checked.accepted[0].slice(input).starts_with(br#"{"type":"indicator""#));
//! assert_eq!(checked.refused[0].path, "objects[1].is_family");
//! assert_eq!(checked.refused[0].code.as_str(), "stix.property.type");
//! # Ok::<(), stix::StixError>(())
//! ```

pub mod attack;
pub mod difference;
pub mod entries;
pub mod feed;
pub mod format;
pub mod indicator;
pub mod life;
pub mod list;
pub mod misp;
pub mod peer;
pub mod prose;
pub mod role;
pub mod search;
pub mod stix;
pub mod taxii;
pub mod warninglist;
