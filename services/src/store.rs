//! Where the databases keep their rows.

pub(crate) mod sqlite;
