//! The catalogue on a real engine, where one is installed.

mod differential;
mod forgetting;
mod harness;
mod holdings;
mod interleaved;
mod races;
mod refusals;
