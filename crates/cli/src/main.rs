//! One binary for every job of the alliance.

fn main() {}
