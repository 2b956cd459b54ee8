//! Where the databases keep their rows.

pub(crate) mod memory;
pub mod postgres;
pub mod sqlite;

#[cfg(test)]
mod tests;
