//! The contract as types, used by both sides of each connection. No state, no store.

pub(crate) mod envelope;
pub(crate) mod fields;
pub(crate) mod requests;
pub(crate) mod values;
