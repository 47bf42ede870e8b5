//! Intelligence in and out: STIX validation and mapping, TAXII, lists and feeds.
