//! The services.
#![forbid(unsafe_code)]
