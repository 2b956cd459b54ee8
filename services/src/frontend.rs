//! What buyers and sellers ask for, as flows through the databases.

pub(crate) mod buyer;
pub(crate) mod login;
pub(crate) mod seller;
