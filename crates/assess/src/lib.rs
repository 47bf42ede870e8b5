//! What sightings mean together: warnings, what to do about them, and which of them belong together.
//!
//! Pure: time comes in with the entries, nothing here stores or sends. [`entries`] are the facts recorded,
//! [`rules`] what follows from them, [`view`] the warning people see, folded from the facts; [`correlation`] what objects
//! have in common.
//!
//! ```
//! use shieldwall_assess::rules::{Advice, Step, advice};
//! use shieldwall_model::indicator::IndicatorRole;
//!
//! // Blocking a stop switch lets the malware run: the advice must never say "block".
//! assert_eq!(advice(IndicatorRole::KillSwitch, "domain-name").blocking, Step::DoNotBlock);
//! ```

pub mod correlation;
pub mod entries;
pub mod rules;
pub mod view;
