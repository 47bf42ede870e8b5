//! What commands read: files as they come (plain, gzip, zstd, standard input), and indicators out of them.

pub(crate) mod directory;
pub(crate) mod indicators;
pub(crate) mod input;
pub(crate) mod pieces;
