//! The whole house, from outside: a hub that listens, clients and sensors that speak to it, and the binary itself.
//!
//! One binary, so that it is linked once. Each module starts what it needs by [`support::World`] and shares nothing
//! with the others. What a test measures it prints and does not assert: this machine may be any.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod access;
mod authorisation;
mod correlation;
mod demo;
mod durability;
mod evtx;
mod explore;
mod feeds;
mod flow;
mod golden;
mod import;
mod inputs;
mod life;
mod memory;
mod misp;
mod non_interference;
mod notify;
mod openapi;
mod patterning;
mod peers;
mod rules;
mod search;
mod sources;
mod stix_door;
mod support;
mod taxii;
mod taxii_client;
mod taxii_conformance;
mod taxii_polls;
mod taxii_traps;
mod the_loop;
