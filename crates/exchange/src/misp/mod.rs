//! MISP's core format to STIX 2.1 and back, and MISP feed directories.
//!
//! Sources: the IETF drafts `draft-dulaunoy-misp-core-format` and `draft-dulaunoy-misp-object-template-format`, and how
//! PyMISP reads and writes.
//!
//! # The mapping
//!
//! | MISP | STIX 2.1 |
//! |---|---|
//! | event | `report`, id `report--<event uuid>`; `info` is its name, tags its labels |
//! | attribute, `to_ids` and with a pattern ([`pattern`]) | `indicator--<attribute uuid>` |
//! | any other attribute, a deleted one too | `x-misp-attribute--<attribute uuid>` |
//! | object | `x-misp-object--<object uuid>`, which refers to its attributes |
//! | object reference | `relationship--<reference uuid>` |
//! | sighting of type 0 | `sighting--<sighting uuid>` |
//! | sighting of another type (false positive, expiration) | `x-misp-sighting--<sighting uuid>` |
//! | galaxy, galaxy cluster | `x-misp-galaxy`, `x-misp-galaxy-cluster`, ids derived from the event's |
//! | event report | `note--<report uuid>` about the event's `report` |
//! | `Orgc` | `x-misp-organisation`, id derived from the event's, so that no event is a report of nothing |
//! | TLP tags | TLP 2.0 markings; what hangs on an event is marked at least as strictly as the event |
//! | distribution | not a property but an address: [`Audience`] |
//!
//! # Without loss
//!
//! Each object carries the MISP node it was made from, verbatim, in a property extension under [`EXTENSION_ID`] (its
//! definition is [`EXTENSION_DEFINITION`]); what became objects of their own is taken out, and strings longer than a
//! hub takes are cut in pieces. So the way back needs nothing but the objects, and no later change of this mapping
//! changes what comes back. Objects without the extension, which is everything not made here, go out by
//! [`export`]'s own rules.

pub mod edit;
pub mod event;
pub mod export;
pub mod feed;
pub mod formats;
pub mod import;
mod made;
pub mod node;
pub mod pattern;
pub mod types;

pub use self::event::{Event, MispError, read_events};
pub use self::export::{Origin, to_event};
pub use self::import::to_stix;
pub use self::made::{Audience, Made, MadeObject, Options};
pub use self::node::Node;

/// The id of our property extension on objects made from MISP.
pub const EXTENSION_ID: &str = "extension-definition--6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b52";

/// The STIX object that defines the extension.
pub const EXTENSION_DEFINITION: &str = include_str!("extension-definition.json");

/// How a custom property names the event an object belongs to when the event's report, in another group, does not.
pub const EVENT_REF: &str = "x_misp_event_ref";

/// What MISP calls the STIX types this module makes beside the standard's.
pub mod custom {
    /// An attribute that is no indicator.
    pub const ATTRIBUTE: &str = "x-misp-attribute";
    /// An object.
    pub const OBJECT: &str = "x-misp-object";
    /// A sighting that is no STIX sighting.
    pub const SIGHTING: &str = "x-misp-sighting";
    /// A galaxy.
    pub const GALAXY: &str = "x-misp-galaxy";
    /// A galaxy cluster.
    pub const CLUSTER: &str = "x-misp-galaxy-cluster";
    /// Who made an event.
    pub const ORGANISATION: &str = "x-misp-organisation";
}

#[cfg(test)]
mod tests;
