//! The agent in a member's network: read telemetry, match, remember, report.

mod aggregate;
mod backoff;
mod blocklist;
pub mod client;
pub mod config;
pub mod disk;
mod events;
pub mod follow;
pub mod knowledge;
mod lines;
pub mod spool;
pub mod wire;
