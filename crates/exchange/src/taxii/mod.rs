//! TAXII 2.1 (OASIS Standard, 10 June 2021): media types, resources, queries and envelopes. No server: the hub has it.

mod envelope;
mod error;
mod media;
mod query;
mod resource;

pub use self::envelope::{EnvelopeWriter, pieces};
pub use self::error::TaxiiError;
pub use self::media::{MEDIA_TYPE, STIX_20_MEDIA_TYPE, STIX_MEDIA_TYPE, accepts, check_content_type};
pub use self::query::{Endpoint, Query, VersionMatch};
pub use self::resource::{
    ApiRoot, Collection, Collections, Discovery, ErrorResource, Manifest, ManifestRecord, Status,
    StatusDetail, StatusState, Versions,
};

use shieldwall_model::time::Timestamp;

/// Header that says when the first object of a page was added (section 3.3).
pub const DATE_ADDED_FIRST: &str = "X-TAXII-Date-Added-First";
/// Header that says when the last object of a page was added (section 3.3).
pub const DATE_ADDED_LAST: &str = "X-TAXII-Date-Added-Last";

/// The value of the two headers: RFC 3339 in UTC with six fraction digits (section 3.1).
pub fn date_added(time: Timestamp) -> String {
    time.to_string()
}

/// A version as text, equal to the object's `modified` (sections 4.3.1, 5.3.1 and 5.8.1 ask for that property): three
/// fraction digits, as STIX 2.1 section 3.2 writes it, or six where the sender wrote more.
pub fn version_text(version: Timestamp) -> String {
    if version.as_micros().rem_euclid(1_000) == 0 {
        crate::indicator::millis(version)
    } else {
        version.to_string()
    }
}
