//! The agent in a member's network: read telemetry, match, remember, report.
//!
//! ```text
//!  inputs ──► matching thread ──► spool ──► delivery ──► hub
//!                  ▲                                      │
//!            live watchlist ◄── sync ◄── stream ◄─────────┘
//!                                └──► blocklist.txt
//! ```
//!
//! Logs never leave the member's network: what goes out is that an indicator was seen, how often, when, in which
//! field, and as much of the value as [`config::Tell`] allows. Every report is on disk before it is sent, and the
//! place in the inputs is part of it, so that neither a crash nor an outage of the hub loses or doubles anything.
//! What passes is [remembered](memory), so that indicators learnt later can be asked for, and those that would touch a
//! great part of this network are withheld until a person has looked. [`agent::run`] is the way in.

mod aggregate;
mod backoff;
mod blocklist;
mod deliver;
mod events;
mod feed;
mod guard;
mod lines;
mod matching;
mod outlet;
mod retrospect;
mod rules;
mod shared;
mod stream;
mod sync;

pub mod agent;
pub mod client;
pub mod config;
pub mod disk;
pub mod evtx;
pub mod follow;
pub mod knowledge;
pub mod listen;
pub mod memory;
pub mod nats;
pub mod packed;
pub mod spool;
pub mod wire;
pub mod work;
