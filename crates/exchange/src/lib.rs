//! Intelligence in and out: STIX validation and mapping, TAXII, lists and feeds.

pub mod role;
pub mod stix;
