//! What `db_customer` stores, whatever it is stored in.

use std::collections::HashMap;

use net::Time;

use super::accounts::{Accounts, Buyer, Seller};
use super::sessions::{Session, Sessions};
use crate::api::purchases::Purchase;
use crate::api::values::{Ballot, ItemId};

/// A row of `db_customer`.
#[derive(Debug)]
pub(crate) enum CustomerRow {
    /// A seller's account, by its number.
    Seller(u32, Seller),
    /// A buyer's account, by its number.
    Buyer(u32, Buyer),
    /// A session, by its number.
    Session(u64, Session),
    /// A session that is no more.
    SessionClosed(u64),
    /// What time it is.
    Clock(Time),
    /// A buyer's vote for an item, as it was counted for the item's seller.
    Vote(u32, ItemId, Ballot),
}

/// All that is stored, as it is at start.
pub(crate) struct Loaded {
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) purchases: HashMap<u32, Vec<Purchase>>,
}
