//! The matching engine and telemetry decoders: the hot path.

mod exact;
pub mod generate;
mod hash;
pub mod mapping;
pub mod matcher;
mod offer;
pub mod pattern;
mod simd;
mod table;
mod text;
pub mod value;
pub mod watchlist;
