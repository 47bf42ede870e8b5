//! The composition root: HTTP API, TAXII routes, web pages, live stream, sessions and tokens.
//!
//! A request goes route table → authentication → access rule → handler → store or rule → answer. Everything recorded is
//! an entry in the ledger, everything shown is a view folded from entries ([`fold`]). [`Hub::start`] puts it together.

pub mod api;
pub mod app;
pub mod ask;
pub mod auth;
pub mod config;
pub mod correlation;
pub mod cursor;
pub mod feeds;
pub mod fold;
pub mod i18n;
pub mod intake;
pub mod misp;
mod multipart;
pub mod notify;
pub mod pages;
pub mod peers;
pub mod problem;
pub mod quarantine;
pub mod rota;
pub mod routes;
pub mod searches;
pub mod secrets;
pub mod serve;
pub mod sources;
pub mod start;
pub mod stream;
pub mod taxii;

pub use config::{Config, Mail, TlsFiles};
pub use start::{Hub, Running, StartError};
