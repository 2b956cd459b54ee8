//! Where the databases keep their rows.

pub(crate) mod memory;
pub mod sqlite;

#[cfg(test)]
mod tests;
