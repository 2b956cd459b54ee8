//! What buyers and sellers ask for, as flows through the databases.

mod browse;
pub(crate) mod buyer;
mod cart;
mod login;
mod purchase;
mod recovery;
mod sell;
pub(crate) mod seller;
mod vote;
