//! Logs, durability, proofs and views: the only crate that opens a database.
