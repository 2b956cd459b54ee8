//! [`Accounts`]: the sellers and buyers. It knows nothing of sessions or of how passwords are hashed.

use std::collections::HashMap;

use super::cart::Cart;
use super::rules::{ITEMS_SOLD_MAX, no_numbers_left, no_seller, username_taken};
use crate::api::error::Error;
use crate::api::values::{Ballot, Feedback, ItemId, Role, nfc};
use crate::engine::table::Table;

/// What every account has.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) username: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) password_hash: Box<str>,
}

/// A seller's account.
#[derive(Clone, Debug)]
pub struct Seller {
    pub(crate) identity: Identity,
    pub(crate) feedback: Feedback,
    pub(crate) items_sold: u64,
}

/// A buyer's account.
#[derive(Clone, Debug)]
pub struct Buyer {
    pub(crate) identity: Identity,
    pub(crate) saved_cart: Cart,
}

/// All accounts, by their numbers and user names.
pub(crate) struct Accounts {
    pub(crate) sellers: Table<u32, Seller>,
    pub(crate) buyers: Table<u32, Buyer>,
    /// The vote of each buyer for each item, as it was counted for the item's seller.
    pub(crate) votes: Table<(u32, ItemId), Ballot>,
    /// Every user name that is taken, on disk or not, in the form NFC.
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

    /// Takes a seller from disk. False if it is not the next one, or its user name, letter by letter, is another's.
    pub(crate) fn load_seller(&mut self, id: u32, seller: Seller) -> bool {
        let is_own = self.load_username(Role::Seller, id, &seller.identity.username);
        let is_next = self.last_seller.checked_add(1) == Some(id);
        self.last_seller = id;
        self.sellers.load(id, seller);
        is_next && is_own
    }

    /// Takes a buyer from disk. False if it is not the next one, or its user name, letter by letter, is another's.
    pub(crate) fn load_buyer(&mut self, id: u32, buyer: Buyer) -> bool {
        let is_own = self.load_username(Role::Buyer, id, &buyer.identity.username);
        let is_next = self.last_buyer.checked_add(1) == Some(id);
        self.last_buyer = id;
        self.buyers.load(id, buyer);
        is_next && is_own
    }

    /// Takes the user name of an account from disk. Those from before names were brought to the form NFC may be alike
    /// in it; then the older account keeps the name.
    fn load_username(&mut self, role: Role, id: u32, username: &str) -> bool {
        let key = (role, nfc(username.into()).into());
        let Some(&owner_id) = self.usernames.get(&key) else {
            self.usernames.insert(key, id);
            return true;
        };
        if self.identity(role, owner_id).is_some_and(|owner| &*owner.username == username) {
            return false;
        }
        log::warn!("event=username_taken role={} user_id={id} owner_id={owner_id}", role.as_str());
        true
    }

    /// # Errors
    /// `ALREADY_EXISTS`.
    pub(crate) fn check_username(&self, role: Role, username: &str) -> Result<(), Error> {
        if self.usernames.contains_key(&(role, username.into())) {
            return Err(username_taken(username));
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
        *last = last.checked_add(1).ok_or_else(no_numbers_left)?;
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

    /// Counts units that a seller has sold. Whoever sells without an account has nothing to count them in.
    pub(crate) fn count_sold(&mut self, seller_id: u32, units: u32) {
        let Some(seller) = self.sellers.latest(&seller_id) else { return };
        let items_sold = seller.items_sold.saturating_add(units.into()).min(ITEMS_SOLD_MAX);
        let seller = Seller { items_sold, ..seller.clone() };
        self.sellers.put(seller_id, seller);
    }

    /// Whether there is such an account on disk.
    pub(crate) fn exists(&self, role: Role, id: u32) -> bool {
        match role {
            Role::Seller => self.sellers.get(&id).is_some(),
            Role::Buyer => self.buyers.get(&id).is_some(),
        }
    }

    /// The number and the password hash of an account, on disk or not: a login is answered no sooner than the
    /// creation of its account.
    pub(crate) fn find(&self, role: Role, username: &str) -> Option<(u32, Box<str>)> {
        let id = *self.usernames.get(&(role, username.into()))?;
        Some((id, self.identity(role, id)?.password_hash.clone()))
    }

    /// By what an account is logged in to, unless another one has that name.
    pub(crate) fn username(&self, role: Role, id: u32) -> Option<Box<str>> {
        self.identity(role, id).map(|identity| nfc((&*identity.username).into()).into())
    }

    /// Whether this is the hash of an account's password.
    pub(crate) fn has_hash(&self, role: Role, id: u32, password_hash: &str) -> bool {
        self.identity(role, id).is_some_and(|identity| &*identity.password_hash == password_hash)
    }

    /// Gives an account that is there another password.
    pub(crate) fn change_password(&mut self, role: Role, id: u32, password_hash: Box<str>) {
        match role {
            Role::Seller => {
                let mut seller = self.sellers.latest(&id).expect("it is there").clone();
                seller.identity.password_hash = password_hash;
                self.sellers.put(id, seller);
            }
            Role::Buyer => {
                let mut buyer = self.buyers.latest(&id).expect("it is there").clone();
                buyer.identity.password_hash = password_hash;
                self.buyers.put(id, buyer);
            }
        }
    }

    fn identity(&self, role: Role, id: u32) -> Option<&Identity> {
        match role {
            Role::Seller => self.sellers.latest(&id).map(|seller| &seller.identity),
            Role::Buyer => self.buyers.latest(&id).map(|buyer| &buyer.identity),
        }
    }

    /// Counts a buyer's vote for an item of a seller. It replaces an earlier one; a vote that comes again, or
    /// was overtaken by a later one on its way, changes nothing.
    ///
    /// # Errors
    /// `NOT_FOUND`: no such seller.
    pub(crate) fn vote(
        &mut self,
        buyer_id: u32,
        item: ItemId,
        seller_id: u32,
        ballot: Ballot,
    ) -> Result<(), Error> {
        let seller = self.sellers.latest(&seller_id).ok_or_else(|| no_seller(seller_id))?;
        let before = self.votes.latest(&(buyer_id, item)).copied();
        if before.is_none_or(|before| before.revision < ballot.revision) {
            let mut seller = seller.clone();
            seller.feedback.count(ballot.vote, before.map(|before| before.vote));
            self.sellers.put(seller_id, seller);
            self.votes.put((buyer_id, item), ballot);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::Code;
    use crate::api::values::{Revision, Vote};

    const ITEM: ItemId = ItemId { category: 1, n: 1 };

    fn sold_by_one() -> Accounts {
        let mut accounts = Accounts::new();
        let identity = Identity { username: "sam".into(), name: "Sam".into(), password_hash: "".into() };
        assert_eq!(accounts.create(Role::Seller, identity), Ok(1));
        accounts
    }

    fn vote(accounts: &mut Accounts, vote: Vote, revision: u32) -> Feedback {
        let ballot = Ballot { vote, revision: Revision(revision) };
        assert_eq!(accounts.vote(7, ITEM, 1, ballot), Ok(()));
        accounts.sellers.latest(&1).expect("the seller is there").feedback
    }

    #[test]
    fn the_last_vote_counts_in_whatever_order_votes_arrive() {
        let mut accounts = sold_by_one();
        assert_eq!(vote(&mut accounts, Vote::Down, 2), Feedback { up: 0, down: 1 });
        assert_eq!(vote(&mut accounts, Vote::Up, 1), Feedback { up: 0, down: 1 }, "it was overtaken");
        assert_eq!(vote(&mut accounts, Vote::Down, 2), Feedback { up: 0, down: 1 }, "it came again");
        assert_eq!(vote(&mut accounts, Vote::Up, 3), Feedback { up: 1, down: 0 });
    }

    #[test]
    fn what_is_sold_is_counted_as_far_as_can_be_kept() {
        let mut accounts = sold_by_one();
        let sold = |accounts: &Accounts| accounts.sellers.latest(&1).expect("the seller is there").items_sold;
        accounts.count_sold(1, 2);
        accounts.count_sold(1, 3);
        accounts.count_sold(2, 3);
        assert_eq!(sold(&accounts), 5);
        let seller = accounts.sellers.latest(&1).expect("the seller is there").clone();
        accounts.sellers.put(1, Seller { items_sold: ITEMS_SOLD_MAX - 1, ..seller });
        accounts.count_sold(1, 1_000_000_000);
        assert_eq!(sold(&accounts), 9_223_372_036_854_775_807);
    }

    #[test]
    fn of_names_that_are_alike_the_older_account_keeps_it_and_no_account_is_lost() {
        let buyer = |username: &str, password_hash: &str| Buyer {
            identity: Identity {
                username: username.into(),
                name: "Zoe".into(),
                password_hash: password_hash.into(),
            },
            saved_cart: Cart::default(),
        };
        let mut accounts = Accounts::new();
        for (id, username) in [(1, "Zoe\u{301}"), (2, "Zo\u{e9}")] {
            assert!(accounts.load_buyer(id, buyer(username, &id.to_string())));
        }
        assert_eq!(accounts.find(Role::Buyer, "Zoé"), Some((1, "1".into())));
        assert!(accounts.check_username(Role::Buyer, "Zoé").is_err());
        assert!(accounts.buyers.get(&2).is_some());
        assert!(!accounts.load_buyer(3, buyer("Zoe\u{301}", "")), "a name that is there twice is damage");
    }

    #[test]
    fn nobody_votes_for_a_seller_who_is_not_there() {
        let ballot = Ballot { vote: Vote::Up, revision: Revision(1) };
        let error = sold_by_one().vote(7, ITEM, 2, ballot).expect_err("there is one seller");
        assert_eq!(error.code, Code::NotFound);
    }
}
