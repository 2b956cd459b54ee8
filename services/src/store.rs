//! Where the databases keep their rows.

pub mod sqlite;
pub(crate) mod storage;
