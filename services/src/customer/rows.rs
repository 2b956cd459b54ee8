//! What `db_customer` stores, whatever it is stored in, and how memory is made of it.

use std::time::Duration;

use net::Time;

use super::accounts::{Accounts, Buyer, Seller};
use super::purchases::{Purchases, Record, State};
use super::sessions::{Session, Sessions};
use crate::api::values::{Ballot, ItemId, PurchaseId, Role};
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
    /// A purchase, begun or made, by its ID.
    Purchase(PurchaseId, Record),
    /// A purchase that was refused, and is no more.
    PurchaseRemoved(PurchaseId),
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
    /// By its ID.
    Purchase(PurchaseId),
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
            Self::Purchase(id, _) | Self::PurchaseRemoved(id) => CustomerKey::Purchase(*id),
            Self::Clock(_) => CustomerKey::Clock,
        }
    }

    fn is_removal(&self) -> bool {
        matches!(self, Self::SessionClosed(_) | Self::PurchaseRemoved(_))
    }
}

/// What was stored, as it is in memory at start.
pub(crate) struct Loaded {
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) purchases: Purchases,
}

impl Loaded {
    /// Nothing yet.
    pub(crate) fn new(session_timeout: Duration) -> Self {
        Self {
            accounts: Accounts::new(),
            sessions: Sessions::new(session_timeout),
            purchases: Purchases::new(),
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
            CustomerRow::SessionClosed(_) | CustomerRow::PurchaseRemoved(_) => false,
            CustomerRow::Vote(buyer_id, item, ballot) => {
                accounts.votes.load((buyer_id, item), ballot);
                true
            }
            CustomerRow::Purchase(id, record) => {
                sessions.clock.load(record.at);
                let has_session = match record.state {
                    State::Begun { session_number, .. } => sessions.load_number(session_number),
                    State::Made(_) => true,
                };
                accounts.exists(Role::Buyer, record.buyer_id) && has_session && purchases.load(id, record)
            }
            CustomerRow::Clock(at) => {
                sessions.clock.load(at);
                true
            }
        }
    }
}
