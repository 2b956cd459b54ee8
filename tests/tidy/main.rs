//! The shape of the house, as a test: which way imports run, how long functions and files are, and what each part must
//! not know. It reads the sources, and knows nothing of what they do.
//!
//! `cargo test --test tidy -- --ignored --nocapture` prints the figures.

mod figures;
mod functions;
mod imports;
mod layers;
mod links;
mod names;
mod portable;
mod source;
