//! What `db_customer` stores, whatever it is stored in, and how memory is made of it.

use std::collections::HashMap;
use std::time::Duration;

use net::Time;

use super::accounts::{Accounts, Buyer, Seller};
use super::sessions::{Session, Sessions};
use crate::api::purchases::Purchase;
use crate::api::values::{Ballot, ItemId, Role};
use crate::engine::storage::Row;

/// A row of `db_customer`. Outside, it is only handed on.
#[derive(Clone, Debug)]
pub enum CustomerRow {
    /// A seller's account, by its number.
    Seller(u32, Seller),
    /// A buyer's account, by its number.
    Buyer(u32, Buyer),
    /// A session, by its number.
    Session(u64, Session),
    /// A session that is no more.
    SessionClosed(u64),
    /// A buyer's vote for an item, as it was counted for the item's seller.
    Vote(u32, ItemId, Ballot),
    /// A purchase of a buyer.
    Purchase(u32, Purchase),
    /// What time it is.
    Clock(Time),
}

/// Which row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CustomerKey {
    /// By its number.
    Seller(u32),
    /// By its number.
    Buyer(u32),
    /// By its number.
    Session(u64),
    /// By voter and item.
    Vote(u32, ItemId),
    /// By its number.
    Purchase(i64),
    /// There is one.
    Clock,
}

impl Row for CustomerRow {
    type Key = CustomerKey;

    fn key(&self) -> CustomerKey {
        match self {
            Self::Seller(id, _) => CustomerKey::Seller(*id),
            Self::Buyer(id, _) => CustomerKey::Buyer(*id),
            Self::Session(number, _) | Self::SessionClosed(number) => CustomerKey::Session(*number),
            Self::Vote(buyer_id, item, _) => CustomerKey::Vote(*buyer_id, *item),
            Self::Purchase(_, purchase) => CustomerKey::Purchase(purchase.purchase_id),
            Self::Clock(_) => CustomerKey::Clock,
        }
    }

    fn is_removal(&self) -> bool {
        matches!(self, Self::SessionClosed(_))
    }
}

/// What was stored, as it is in memory at start.
pub(crate) struct Loaded {
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) purchases: HashMap<u32, Vec<Purchase>>,
}

impl Loaded {
    /// Nothing yet.
    pub(crate) fn new(session_timeout: Duration) -> Self {
        Self {
            accounts: Accounts::new(),
            sessions: Sessions::new(session_timeout),
            purchases: HashMap::new(),
        }
    }

    /// Takes the next row that is stored. False if it makes no sense beside those before it.
    pub(crate) fn load(&mut self, row: CustomerRow) -> bool {
        let Self { accounts, sessions, purchases } = self;
        match row {
            CustomerRow::Seller(id, seller) => accounts.load_seller(id, seller),
            CustomerRow::Buyer(id, buyer) => accounts.load_buyer(id, buyer),
            CustomerRow::Session(number, session) => {
                accounts.exists(session.role, session.user_id) && sessions.load(number, session)
            }
            // What is no more is not stored.
            CustomerRow::SessionClosed(_) => false,
            CustomerRow::Vote(buyer_id, item, ballot) => {
                accounts.votes.load((buyer_id, item), ballot);
                true
            }
            CustomerRow::Purchase(buyer_id, purchase) => {
                let Ok(at) = u64::try_from(purchase.at) else { return false };
                sessions.clock.load(Time::from_millis(at));
                purchases.entry(buyer_id).or_default().push(purchase);
                accounts.exists(Role::Buyer, buyer_id)
            }
            CustomerRow::Clock(at) => {
                sessions.clock.load(at);
                true
            }
        }
    }
}
