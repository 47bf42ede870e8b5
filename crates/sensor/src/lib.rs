//! The agent in a member's network: read telemetry, match, remember, report.

mod aggregate;
pub mod config;
pub mod disk;
pub mod follow;
mod lines;
pub mod spool;
pub mod wire;
