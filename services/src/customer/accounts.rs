//! [`Accounts`]: the sellers and buyers. It knows nothing of sessions or of how passwords are hashed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::cart::Cart;
use crate::message::{Code, Error, quoted};
use crate::table::Table;
use crate::values::{Feedback, ItemId, Price, Role, Vote};

/// What every account has.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) username: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) password_hash: Box<str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seller {
    pub(crate) identity: Identity,
    pub(crate) feedback: Feedback,
    pub(crate) items_sold: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Buyer {
    pub(crate) identity: Identity,
    pub(crate) saved_cart: Cart,
}

/// A purchase, as it is returned in a buyer's history.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Purchase {
    pub(crate) purchase_id: i64,
    /// Milliseconds since the Unix epoch.
    pub(crate) at: i64,
    pub(crate) items: Vec<PurchasedItem>,
    pub(crate) total: Price,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PurchasedItem {
    pub(crate) item_id: String,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price: f64,
}

/// All accounts, by their numbers and user names.
pub(crate) struct Accounts {
    pub(crate) sellers: Table<u32, Seller>,
    pub(crate) buyers: Table<u32, Buyer>,
    /// The vote of each buyer for each item, as it was counted for the item's seller.
    pub(crate) votes: Table<(u32, ItemId), Vote>,
    /// Every user name that is taken, on disk or not.
    usernames: HashMap<(Role, Box<str>), u32>,
    last_seller: u32,
    last_buyer: u32,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            sellers: Table::new(),
            buyers: Table::new(),
            votes: Table::new(),
            usernames: HashMap::new(),
            last_seller: 0,
            last_buyer: 0,
        }
    }

    /// Takes a seller from disk. False if its user name belongs to another.
    pub(crate) fn load_seller(&mut self, id: u32, seller: Seller) -> bool {
        let key = (Role::Seller, seller.identity.username.clone());
        self.last_seller = self.last_seller.max(id);
        self.sellers.load(id, seller);
        self.usernames.insert(key, id).is_none()
    }

    /// Takes a buyer from disk. False if its user name belongs to another.
    pub(crate) fn load_buyer(&mut self, id: u32, buyer: Buyer) -> bool {
        let key = (Role::Buyer, buyer.identity.username.clone());
        self.last_buyer = self.last_buyer.max(id);
        self.buyers.load(id, buyer);
        self.usernames.insert(key, id).is_none()
    }

    /// # Errors
    /// `ALREADY_EXISTS`.
    pub(crate) fn check_username(&self, role: Role, username: &str) -> Result<(), Error> {
        if self.usernames.contains_key(&(role, username.into())) {
            let message = format!("the user name `{}` is taken", quoted(username));
            return Err(Error::new(Code::AlreadyExists, message));
        }
        Ok(())
    }

    /// Opens an account and returns its number.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`.
    pub(crate) fn create(&mut self, role: Role, identity: Identity) -> Result<u32, Error> {
        self.check_username(role, &identity.username)?;
        let key = (role, identity.username.clone());
        let last = match role {
            Role::Seller => &mut self.last_seller,
            Role::Buyer => &mut self.last_buyer,
        };
        let full = || Error::new(Code::ResourceExhausted, "there are no account numbers left");
        *last = last.checked_add(1).ok_or_else(full)?;
        let id = *last;
        match role {
            Role::Seller => {
                self.sellers.put(id, Seller { identity, feedback: Feedback::default(), items_sold: 0 });
            }
            Role::Buyer => self.buyers.put(id, Buyer { identity, saved_cart: Cart::default() }),
        }
        self.usernames.insert(key, id);
        Ok(id)
    }

    /// The number and the password hash of an account, on disk or not: a login is answered no sooner than the
    /// creation of its account.
    pub(crate) fn find(&self, role: Role, username: &str) -> Option<(u32, Box<str>)> {
        let id = *self.usernames.get(&(role, username.into()))?;
        let identity = match role {
            Role::Seller => &self.sellers.latest(&id)?.identity,
            Role::Buyer => &self.buyers.latest(&id)?.identity,
        };
        Some((id, identity.password_hash.clone()))
    }

    /// Counts a buyer's vote for an item of a seller. It replaces the one before; voting the same again
    /// changes nothing.
    ///
    /// # Errors
    /// `NOT_FOUND`: no such seller.
    pub(crate) fn vote(
        &mut self,
        buyer_id: u32,
        item: ItemId,
        seller_id: u32,
        vote: Vote,
    ) -> Result<(), Error> {
        let seller = self.sellers.latest(&seller_id).ok_or_else(|| no_seller(seller_id))?;
        let before = self.votes.latest(&(buyer_id, item)).copied();
        if before != Some(vote) {
            let mut seller = seller.clone();
            seller.feedback.count(vote, before);
            self.sellers.put(seller_id, seller);
            self.votes.put((buyer_id, item), vote);
        }
        Ok(())
    }
}

pub(crate) fn no_seller(seller_id: u32) -> Error {
    Error::new(Code::NotFound, format!("no seller {seller_id}"))
}

pub(crate) fn no_buyer(buyer_id: u32) -> Error {
    Error::new(Code::NotFound, format!("no buyer {buyer_id}"))
}
