//! `db_customer`: accounts, sessions, carts, purchases, and how sellers are rated.
//!
//! It does not know items: what an item costs, and whether it is there, the frontends have asked `db_product`.

pub(crate) mod accounts;
pub(crate) mod cart;
pub(crate) mod clock;
pub(crate) mod hashing;
mod password_change;
mod passwords;
pub(crate) mod purchases;
mod purchasing;
pub(crate) mod rows;
pub(crate) mod rules;
pub(crate) mod sessions;
pub(crate) mod throttle;

use std::sync::Arc;

use net::{Metrics, Time};
use serde::Serialize;

use self::accounts::Accounts;
use self::cart::Cart;
pub(crate) use self::hashing::Hashers;
use self::hashing::{Attempt, Hashing, Request};
pub use self::passwords::HashCost;
pub(crate) use self::passwords::Passwords;
use self::purchases::Purchases;
use self::rows::{CustomerRow, Loaded};
use self::rules::{check_delta, no_buyer, no_seller, wrong_name_or_password};
use self::sessions::Sessions;
use crate::api::Database;
use crate::api::accounts::{
    AccountCreated, ChangePassword, CreateAccount, CreateBuyer, CreateSeller, GetSellerRating,
    PasswordChanged, Rating, SellerId,
};
use crate::api::carts::{CartHeld, ClearCart, Cleared, Counted, GetCart, Owner, SaveCart, Saved, UpdateCart};
use crate::api::error::Error;
use crate::api::purchases::{BeginPurchase, ClaimPurchases, FinishPurchase, GetBuyerPurchases};
use crate::api::sessions::{LoggedIn, LoggedOut, Login, Logout, SessionCheck, ValidateSession, Validated};
use crate::api::values::{Quantity, Role, UserId};
use crate::api::votes::{RateSeller, Rated};
use crate::engine::caller::Caller;
use crate::engine::domain::{Answer, Begin, Domain, Handler, Job, answered, offloaded};
use crate::engine::intake::Entry;
use crate::engine::metrics::Holding;
use crate::engine::room::Room;

/// The state of `db_customer` in memory.
pub(crate) struct Customer {
    room: Room,
    accounts: Accounts,
    sessions: Sessions,
    purchases: Purchases,
    hashing: Hashing<()>,
    random: Box<dyn FnMut() -> u128>,
}

/// What comes of a password that was hashed.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Hashed {
    Created(AccountCreated),
    LoggedIn(LoggedIn),
    Changed(PasswordChanged),
}

const ACCOUNTS: &str = "Accounts of sellers and of buyers.";
const SESSIONS: &str = "Sessions that are kept: those that are open, and for an hour those that timed out.";
const UNFINISHED: &str = "Purchases that have begun and not ended.";
const UNFINISHED_SINCE: &str =
    "When the oldest of the purchases has begun that have not ended, in seconds since 1970; 0 if all have.";
const PURCHASES: &str = "Purchases that have ended.";

impl Customer {
    /// `hashers` hash passwords; `random` is a source of unpredictable bits.
    pub(crate) fn new(
        loaded: Loaded,
        room: Room,
        hashers: Hashers,
        random: Box<dyn FnMut() -> u128>,
    ) -> Self {
        let Loaded { accounts, sessions, purchases } = loaded;
        Self { room, accounts, sessions, purchases, hashing: Hashing::new(hashers), random }
    }

    fn create(
        &mut self,
        now: Time,
        caller: Caller,
        role: Role,
        account: CreateAccount,
    ) -> Result<Job, Error> {
        self.accounts.check_username(role, &account.username.0)?;
        self.room.check_new(now)?;
        let salt = (self.random)().to_be_bytes();
        let job = self.hashing.submit(now, caller, Request::create(role, account, salt))?;
        self.start_hashing(now);
        Ok(job)
    }

    fn start_hashing(&mut self, now: Time) {
        self.hashing.start(now, |role, username, ()| self.accounts.find(role, username));
    }

    /// What follows once the password of a request is hashed.
    fn finish(&mut self, now: Time, hashed: Result<hashing::Done, Error>) -> Result<Hashed, Error> {
        match hashed? {
            hashing::Done::Create { role, identity } => {
                let id = self.accounts.create(role, identity)?;
                Ok(Hashed::Created(rules::created(role, id)))
            }
            hashing::Done::Failed(_) => Err(wrong_name_or_password()),
            hashing::Done::Login { from: Attempt { role, .. }, account: (user_id, password_hash) } => {
                // It may have been changed since it was compared, and then it opens nothing any more.
                if !self.accounts.has_hash(role, user_id, &password_hash) {
                    return Err(wrong_name_or_password());
                }
                let buyer = self.accounts.buyers.latest(&user_id).filter(|_| role == Role::Buyer);
                let cart = buyer.map(|buyer| buyer.saved_cart.clone()).unwrap_or_default();
                let session_id = self.sessions.open(now, (self.random)(), role, user_id, cart)?;
                Ok(Hashed::LoggedIn(LoggedIn { session_id, user_id, role }))
            }
            hashing::Done::Change { account, session, new_hash, .. } => {
                self.change_password(now, session, account, new_hash).map(Hashed::Changed)
            }
        }
    }

    /// Changes a cart, unless the change is refused.
    fn change_cart<T>(
        &mut self,
        now: Time,
        owner: Owner,
        change: impl FnOnce(&mut Cart) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match owner {
            Owner::Session(check) => {
                let mut cart = self.sessions.check_latest(now, check)?.cart.clone();
                let result = change(&mut cart)?;
                self.sessions.put_cart(now, check.session_id.number, cart);
                Ok(result)
            }
            Owner::Buyer { buyer_id: UserId(buyer_id) } => {
                let buyer = self.accounts.buyers.latest(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?;
                let mut buyer = buyer.clone();
                let result = change(&mut buyer.saved_cart)?;
                self.accounts.buyers.put(buyer_id, buyer);
                Ok(result)
            }
        }
    }
}

impl Begin<CreateBuyer> for Customer {
    fn begin(&mut self, now: Time, caller: Caller, CreateBuyer(account): CreateBuyer) -> Result<Job, Error> {
        self.create(now, caller, Role::Buyer, account)
    }
}

impl Begin<CreateSeller> for Customer {
    fn begin(
        &mut self,
        now: Time,
        caller: Caller,
        CreateSeller(account): CreateSeller,
    ) -> Result<Job, Error> {
        self.create(now, caller, Role::Seller, account)
    }
}

impl Begin<Login<Role>> for Customer {
    fn begin(&mut self, now: Time, caller: Caller, login: Login<Role>) -> Result<Job, Error> {
        self.room.check_new(now)?;
        let job = self.hashing.submit(now, caller, Request::login(login, ()))?;
        self.start_hashing(now);
        Ok(job)
    }
}

impl Answer<Logout<SessionCheck>> for Customer {
    fn answer(&mut self, now: Time, Logout(check): Logout<SessionCheck>) -> Result<LoggedOut, Error> {
        // A session that is gone already is what was asked for; but one of the other role is not for us to end.
        let any_role = SessionCheck { role: None, ..check };
        if self.sessions.check_latest(now, any_role).is_ok() {
            self.sessions.check_latest(now, check)?;
            self.sessions.close(check.session_id.number);
        }
        Ok(LoggedOut { logged_out: true })
    }
}

impl Answer<ValidateSession> for Customer {
    fn answer(&mut self, now: Time, ValidateSession(check): ValidateSession) -> Result<Validated, Error> {
        let session = self.sessions.check(now, check)?;
        Ok(Validated { role: session.role, user_id: session.user_id })
    }
}

/// The rating of a seller, or of the seller whose session it is. A session that is sent is checked.
impl Answer<GetSellerRating<Option<SessionCheck>, Option<SellerId>>> for Customer {
    fn answer(
        &mut self,
        now: Time,
        request: GetSellerRating<Option<SessionCheck>, Option<SellerId>>,
    ) -> Result<Rating<'_>, Error> {
        let session = request.session.map(|check| self.sessions.check(now, check)).transpose()?;
        let own_id = session.filter(|session| session.role == Role::Seller).map(|session| session.user_id);
        let asked_id = request.of.map(|SellerId { seller_id: UserId(seller_id) }| seller_id);
        let seller_id = asked_id.or(own_id).ok_or_else(SellerId::missing)?;
        let seller = self.accounts.sellers.get(&seller_id).ok_or_else(|| no_seller(seller_id))?;
        let (name, feedback, items_sold) = (&*seller.identity.name, seller.feedback, seller.items_sold);
        Ok(Rating { seller_id, name, feedback, items_sold })
    }
}

impl Answer<RateSeller> for Customer {
    fn answer(&mut self, now: Time, request: RateSeller) -> Result<Rated, Error> {
        let RateSeller { buyer_id: UserId(buyer_id), item_id, seller, ballot } = request;
        let SellerId { seller_id: UserId(seller_id) } = seller;
        self.accounts.sellers.latest(&seller_id).ok_or_else(|| no_seller(seller_id))?;
        if self.accounts.votes.latest(&(buyer_id, item_id)).is_none() {
            self.room.check_new(now)?;
        }
        self.accounts.vote(buyer_id, item_id, seller_id, ballot)?;
        Ok(Rated { rated: true })
    }
}

impl Answer<GetCart> for Customer {
    fn answer(&mut self, now: Time, GetCart(owner): GetCart) -> Result<CartHeld<'_>, Error> {
        let cart = match owner {
            Owner::Session(check) => &self.sessions.check(now, check)?.cart,
            Owner::Buyer { buyer_id: UserId(buyer_id) } => {
                &self.accounts.buyers.get(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?.saved_cart
            }
        };
        Ok(CartHeld { cart: cart.lines() })
    }
}

impl Answer<UpdateCart> for Customer {
    fn answer(&mut self, now: Time, update: UpdateCart) -> Result<Counted, Error> {
        let UpdateCart { owner, item_id, quantity_delta, quantity_max } = update;
        let delta = check_delta(quantity_delta)?;
        let quantity_max = quantity_max.map(|Quantity(quantity)| quantity);
        let room = if delta > 0 { self.room.check_new(now) } else { Ok(()) };
        let quantity = self.change_cart(now, owner, |cart| {
            let before = cart.lines().len();
            let quantity = cart.update(item_id, delta, quantity_max)?;
            if cart.lines().len() > before { room.map(|()| quantity) } else { Ok(quantity) }
        })?;
        Ok(Counted { item_id, quantity })
    }
}

impl Answer<ClearCart<Owner>> for Customer {
    fn answer(&mut self, now: Time, ClearCart(owner): ClearCart<Owner>) -> Result<Cleared, Error> {
        self.change_cart(now, owner, |cart| {
            cart.clear();
            Ok(())
        })?;
        Ok(Cleared { cleared: true })
    }
}

impl Answer<SaveCart<SessionCheck>> for Customer {
    fn answer(&mut self, now: Time, SaveCart(check): SaveCart<SessionCheck>) -> Result<Saved, Error> {
        let check = SessionCheck { role: Some(Role::Buyer), ..check };
        let session = self.sessions.check_latest(now, check)?;
        let buyer_id = session.user_id;
        let buyer = self.accounts.buyers.latest(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?;
        let mut buyer = buyer.clone();
        if session.cart.lines().len() > buyer.saved_cart.lines().len() {
            self.room.check_growth(now)?;
        }
        if buyer.saved_cart != session.cart {
            buyer.saved_cart = session.cart.clone();
            self.accounts.buyers.put(buyer_id, buyer);
        }
        Ok(Saved { saved: true })
    }
}

impl Domain for Customer {
    const DATABASE: Database = Database::Customer;
    type Row = CustomerRow;
    type Finished = Hashed;
    const APIS: &'static [Entry<Handler<Self>>] = &[
        offloaded::<Self, CreateBuyer>(),
        offloaded::<Self, CreateSeller>(),
        offloaded::<Self, Login<Role>>(),
        answered::<Self, Logout<SessionCheck>>(),
        offloaded::<Self, ChangePassword<SessionCheck>>(),
        answered::<Self, ValidateSession>(),
        answered::<Self, GetSellerRating<Option<SessionCheck>, Option<SellerId>>>(),
        answered::<Self, RateSeller>(),
        answered::<Self, BeginPurchase>(),
        answered::<Self, FinishPurchase>(),
        answered::<Self, ClaimPurchases>(),
        answered::<Self, GetBuyerPurchases<Owner>>(),
        answered::<Self, GetCart>(),
        answered::<Self, UpdateCart>(),
        answered::<Self, ClearCart<Owner>>(),
        answered::<Self, SaveCart<SessionCheck>>(),
    ];
    const HOLDINGS: &'static [Holding] = &[
        Holding { name: "marketplace_accounts", help: ACCOUNTS, labels: &[("role", "seller")] },
        Holding { name: "marketplace_accounts", help: ACCOUNTS, labels: &[("role", "buyer")] },
        Holding { name: "marketplace_sessions", help: SESSIONS, labels: &[] },
        Holding { name: "marketplace_purchases_unfinished", help: UNFINISHED, labels: &[] },
        Holding {
            name: "marketplace_purchases_unfinished_since_seconds",
            help: UNFINISHED_SINCE,
            labels: &[],
        },
    ];
    const COUNTS: &'static [Holding] = &[
        Holding { name: "marketplace_purchases_total", help: PURCHASES, labels: &[("outcome", "made")] },
        Holding { name: "marketplace_purchases_total", help: PURCHASES, labels: &[("outcome", "refused")] },
    ];

    fn poll(&mut self, now: Time) -> Option<(Job, Result<Hashed, Error>)> {
        let (job, hashed) = self.hashing.poll(now)?;
        let finished = self.finish(now, hashed);
        self.start_hashing(now);
        Some((job, finished))
    }

    fn abandon(&mut self, job: Job) {
        self.hashing.abandon(job);
    }

    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        Some(self.hashing.metrics())
    }

    fn is_dirty(&self) -> bool {
        let Accounts { sellers, buyers, votes, .. } = &self.accounts;
        let is_dirty = sellers.is_dirty() || buyers.is_dirty() || votes.is_dirty();
        is_dirty || self.sessions.is_dirty() || self.purchases.is_dirty()
    }

    fn seal(&mut self) -> Vec<CustomerRow> {
        let Accounts { sellers, buyers, votes, .. } = &mut self.accounts;
        let mut rows = Vec::new();
        rows.extend(sellers.seal().filter_map(|(id, row)| Some(CustomerRow::Seller(id, row?.clone()))));
        rows.extend(buyers.seal().filter_map(|(id, row)| Some(CustomerRow::Buyer(id, row?.clone()))));
        rows.extend(votes.seal().filter_map(|((id, item), vote)| Some(CustomerRow::Vote(id, item, *vote?))));
        rows.extend(self.sessions.rows.seal().map(|(number, row)| match row {
            Some(session) => CustomerRow::Session(number, session.clone()),
            None => CustomerRow::SessionClosed(number),
        }));
        rows.extend(self.purchases.seal().map(|(id, record)| match record {
            Some(record) => CustomerRow::Purchase(id, record.clone()),
            None => CustomerRow::PurchaseRemoved(id),
        }));
        rows.extend(self.sessions.clock.seal().map(CustomerRow::Clock));
        rows
    }

    fn publish(&mut self, _: usize) -> Option<usize> {
        self.accounts.sellers.publish();
        self.accounts.buyers.publish();
        self.accounts.votes.publish();
        self.sessions.rows.publish();
        self.purchases.publish();
        Some(0)
    }

    fn holdings(&self) -> impl Iterator<Item = usize> {
        let Accounts { sellers, buyers, .. } = &self.accounts;
        let sessions_len = self.sessions.rows.len();
        let since_secs = usize::try_from(self.purchases.unfinished_since_secs()).unwrap_or(usize::MAX);
        [sellers.len(), buyers.len(), sessions_len, self.purchases.unfinished_len(), since_secs].into_iter()
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.purchases.ended_counts().into_iter()
    }

    fn end_turn(&mut self, now: Time) -> Option<Time> {
        self.sessions.expire(now)
    }

    fn drain(&mut self, now: Time) {
        self.sessions.store_clock(now);
    }

    fn clock_floor(&self) -> Time {
        self.sessions.clock.latest()
    }
}
