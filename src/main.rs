#![forbid(unsafe_code)]
//! The marketplace.
fn main() {}
