//! `db_customer`: accounts, sessions, carts, purchases, and how sellers are rated.
//!
//! It does not know items: what an item costs, and whether it is there, the frontends have asked `db_product`.

pub(crate) mod accounts;
pub(crate) mod cart;
pub(crate) mod clock;
mod passwords;
mod replies;
pub(crate) mod rows;
pub(crate) mod sessions;
mod throttle;

use std::collections::{HashMap, VecDeque};

use net::{Time, Worker};

use self::accounts::{Accounts, Identity, Purchase, no_buyer, no_seller};
use self::cart::Cart;
pub use self::passwords::HashCost;
pub(crate) use self::passwords::{PasswordDone, PasswordJob, Passwords};
use self::replies::{
    BuyerCreated, Carried, Cleared, Counted, LoggedIn, LoggedOut, Purchases, Rated, Rating, Saved,
    SellerCreated, Validated,
};
use self::rows::{CustomerRow, Loaded};
use self::sessions::Sessions;
use self::throttle::Throttle;
use crate::api::envelope::{Code, Error, encode};
use crate::api::fields::{Fields, invalid};
use crate::api::requests::{Credentials, NewAccount, Page, SessionCheck};
use crate::api::values::{Ballot, Limit, Quantity, QuantityDelta, Role, UserId, Value};
use crate::engine::database::{Domain, Job, Outcome};
use crate::engine::metrics::Holding;

/// Passwords that wait to be hashed. Each connection has one under way at a time.
const PASSWORD_JOBS_MAX: usize = 1024;

/// The state of `db_customer` in memory.
pub(crate) struct Customer {
    accounts: Accounts,
    sessions: Sessions,
    /// The purchases of each buyer, oldest first.
    purchases: HashMap<u32, Vec<Purchase>>,
    throttle: Throttle,
    passwords: Box<dyn Worker<PasswordJob, PasswordDone>>,
    /// The requests whose passwords are being hashed, in the order in which they will be done.
    waiting: VecDeque<Waiting>,
    last_job: u64,
    random: Box<dyn FnMut() -> u128>,
}

/// What follows once a password is hashed.
enum Waiting {
    Create { role: Role, username: Box<str>, name: Box<str> },
    Login { role: Role, username: Box<str>, user_id: Option<u32> },
}

#[derive(Clone, Copy)]
pub(crate) enum Api {
    CreateBuyer,
    CreateSeller,
    Login,
    Logout,
    ValidateSession,
    GetSellerRating,
    RateSeller,
    GetBuyerPurchases,
    GetCart,
    UpdateCart,
    ClearCart,
    SaveCart,
}

/// Whose cart a request is about.
enum Owner {
    Session(SessionCheck),
    /// The saved cart of a buyer.
    Buyer(u32),
}

const ACCOUNTS: &str = "Accounts of sellers and of buyers.";
const SESSIONS: &str = "Sessions that are kept: those that are open, and for an hour those that timed out.";

impl Customer {
    /// `passwords` hashes; `random` is a source of unpredictable bits.
    pub(crate) fn new(
        loaded: Loaded,
        passwords: Box<dyn Worker<PasswordJob, PasswordDone>>,
        random: Box<dyn FnMut() -> u128>,
    ) -> Self {
        let Loaded { accounts, sessions, purchases } = loaded;
        Self {
            accounts,
            sessions,
            purchases,
            throttle: Throttle::default(),
            passwords,
            waiting: VecDeque::new(),
            last_job: 0,
            random,
        }
    }

    fn create(&mut self, role: Role, mut fields: Fields<'_>) -> Result<Job, Error> {
        let NewAccount { name, username, password } = NewAccount::decode(&mut fields)?;
        fields.finish()?;
        self.accounts.check_username(role, &username.0)?;
        let job = PasswordJob::Hash { password: password.0.into(), salt: (self.random)().to_be_bytes() };
        self.offload(job, Waiting::Create { role, username: username.0.into(), name: name.0.into() })
    }

    fn login(&mut self, now: Time, mut fields: Fields<'_>) -> Result<Job, Error> {
        let Credentials { username, password } = Credentials::decode(&mut fields)?;
        let role = fields.required("role")?;
        fields.finish()?;
        self.throttle.check(now, role, &username.0)?;
        let (user_id, hash) = self.accounts.find(role, &username.0).unzip();
        let job = PasswordJob::Verify { password: password.0.into(), hash };
        self.offload(job, Waiting::Login { role, username: username.0.into(), user_id })
    }

    fn offload(&mut self, job: PasswordJob, waiting: Waiting) -> Result<Job, Error> {
        if self.waiting.len() >= PASSWORD_JOBS_MAX {
            return Err(Error::new(
                Code::ResourceExhausted,
                format!("{PASSWORD_JOBS_MAX} passwords are being checked: try again"),
            ));
        }
        self.passwords.submit(job);
        self.waiting.push_back(waiting);
        self.last_job += 1;
        Ok(Job(self.last_job))
    }

    fn finish_login(
        &mut self,
        now: Time,
        role: Role,
        username: &str,
        user_id: Option<u32>,
    ) -> Result<LoggedIn, Error> {
        let Some(user_id) = user_id else {
            self.throttle.failed(now, role, username);
            return Err(Error::new(Code::AuthFailed, "wrong name or password"));
        };
        self.throttle.succeeded(role, username);
        let buyer = self.accounts.buyers.latest(&user_id).filter(|_| role == Role::Buyer);
        let cart = buyer.map(|buyer| buyer.saved_cart.clone()).unwrap_or_default();
        let session_id = self.sessions.open(now, (self.random)(), role, user_id, cart)?;
        Ok(LoggedIn { session_id, user_id, role })
    }

    fn logout(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let check = required_session(&mut fields)?;
        fields.finish()?;
        // A session that is gone already is what was asked for; but one of the other role is not for us to end.
        let any_role = SessionCheck { role: None, ..check };
        if self.sessions.check_latest(now, any_role).is_ok() {
            self.sessions.check_latest(now, check)?;
            self.sessions.close(check.session_id.number);
        }
        encode(data, &LoggedOut { logged_out: true });
        Ok(())
    }

    fn validate(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let check = required_session(&mut fields)?;
        fields.finish()?;
        let session = self.sessions.check(now, check)?;
        encode(data, &Validated { role: session.role, user_id: session.user_id });
        Ok(())
    }

    /// The rating of a seller, or of the seller whose session it is. A session that is sent is checked.
    fn rating(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let check = SessionCheck::decode(&mut fields)?;
        let seller_id = fields.optional("seller_id")?.map(|UserId(seller_id)| seller_id);
        fields.finish()?;
        let session = check.map(|check| self.sessions.check(now, check)).transpose()?;
        let own_id = session.filter(|session| session.role == Role::Seller).map(|session| session.user_id);
        let missing = || invalid(format!("`seller_id` is missing: it must be {}", UserId::RULE));
        let seller_id = seller_id.or(own_id).ok_or_else(missing)?;
        let seller = self.accounts.sellers.get(&seller_id).ok_or_else(|| no_seller(seller_id))?;
        let (name, feedback, items_sold) = (&*seller.identity.name, seller.feedback, seller.items_sold);
        encode(data, &Rating { seller_id, name, feedback, items_sold });
        Ok(())
    }

    fn rate_seller(&mut self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let UserId(buyer_id) = fields.required("buyer_id")?;
        let item_id = fields.required("item_id")?;
        let UserId(seller_id) = fields.required("seller_id")?;
        let ballot = Ballot { vote: fields.required("vote")?, revision: fields.required("revision")? };
        fields.finish()?;
        self.accounts.vote(buyer_id, item_id, seller_id, ballot)?;
        encode(data, &Rated { rated: true });
        Ok(())
    }

    fn purchases(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let owner = Owner::decode(&mut fields)?;
        let page = Page::decode(&mut fields)?;
        fields.finish()?;
        let buyer_id = match owner {
            Owner::Session(check) => self.sessions.check(now, check)?.user_id,
            Owner::Buyer(buyer_id) => buyer_id,
        };
        self.accounts.buyers.get(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?;
        let Limit(limit) = page.limit;
        let after = page.after(|cursor| cursor.parse().ok())?.unwrap_or(0);

        let all = self.purchases.get(&buyer_id).map_or(&[][..], Vec::as_slice);
        let rest = &all[all.partition_point(|purchase| purchase.purchase_id <= after)..];
        let purchases = &rest[..limit.min(rest.len())];
        let next_cursor = purchases.last().filter(|_| rest.len() > limit);
        let next_cursor = next_cursor.map(|purchase| purchase.purchase_id.to_string());
        encode(data, &Purchases { buyer_id, purchases_count: all.len(), purchases, next_cursor });
        Ok(())
    }

    fn get_cart(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let owner = Owner::decode(&mut fields)?;
        fields.finish()?;
        let cart = match owner {
            Owner::Session(check) => &self.sessions.check(now, check)?.cart,
            Owner::Buyer(buyer_id) => {
                &self.accounts.buyers.get(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?.saved_cart
            }
        };
        encode(data, &Carried { cart });
        Ok(())
    }

    fn update_cart(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let owner = Owner::decode(&mut fields)?;
        let item_id = fields.required("item_id")?;
        let QuantityDelta(delta) = fields.required("quantity_delta")?;
        let quantity_max = fields.optional("quantity_max")?.map(|Quantity(quantity)| quantity);
        fields.finish()?;
        if delta == 0 {
            return Err(invalid("`quantity_delta` must not be 0"));
        }
        let quantity = self.change_cart(now, &owner, |cart| cart.update(item_id, delta, quantity_max))?;
        encode(data, &Counted { item_id, quantity });
        Ok(())
    }

    fn clear_cart(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let owner = Owner::decode(&mut fields)?;
        fields.finish()?;
        self.change_cart(now, &owner, |cart| {
            cart.clear();
            Ok(())
        })?;
        encode(data, &Cleared { cleared: true });
        Ok(())
    }

    fn save_cart(&mut self, now: Time, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let check = required_session(&mut fields)?;
        fields.finish()?;
        let check = SessionCheck { role: Some(Role::Buyer), ..check };
        let session = self.sessions.check_latest(now, check)?;
        let buyer_id = session.user_id;
        let buyer = self.accounts.buyers.latest(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?;
        let mut buyer = buyer.clone();
        if buyer.saved_cart != session.cart {
            buyer.saved_cart = session.cart.clone();
            self.accounts.buyers.put(buyer_id, buyer);
        }
        encode(data, &Saved { saved: true });
        Ok(())
    }

    /// Changes a cart, unless the change is refused.
    fn change_cart<T>(
        &mut self,
        now: Time,
        owner: &Owner,
        change: impl FnOnce(&mut Cart) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match owner {
            Owner::Session(check) => {
                let mut cart = self.sessions.check_latest(now, *check)?.cart.clone();
                let result = change(&mut cart)?;
                self.sessions.put_cart(now, check.session_id.number, cart);
                Ok(result)
            }
            Owner::Buyer(buyer_id) => {
                let buyer = self.accounts.buyers.latest(buyer_id).ok_or_else(|| no_buyer(*buyer_id))?;
                let mut buyer = buyer.clone();
                let result = change(&mut buyer.saved_cart)?;
                self.accounts.buyers.put(*buyer_id, buyer);
                Ok(result)
            }
        }
    }
}

impl Owner {
    fn decode(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let buyer_id = fields.optional("buyer_id")?;
        match (SessionCheck::decode(fields)?, buyer_id) {
            (Some(check), _) => Ok(Self::Session(SessionCheck { role: Some(Role::Buyer), ..check })),
            (None, Some(UserId(buyer_id))) => Ok(Self::Buyer(buyer_id)),
            (None, None) => Err(invalid("`session_id` or `buyer_id` must be there: whose is it?")),
        }
    }
}

impl Domain for Customer {
    const SERVICE: &'static str = "db_customer";
    type Api = Api;
    type Row = CustomerRow;
    const APIS: &'static [(&'static str, Api)] = &[
        ("CreateBuyer", Api::CreateBuyer),
        ("CreateSeller", Api::CreateSeller),
        ("Login", Api::Login),
        ("Logout", Api::Logout),
        ("ValidateSession", Api::ValidateSession),
        ("GetSellerRating", Api::GetSellerRating),
        ("RateSeller", Api::RateSeller),
        ("GetBuyerPurchases", Api::GetBuyerPurchases),
        ("GetCart", Api::GetCart),
        ("UpdateCart", Api::UpdateCart),
        ("ClearCart", Api::ClearCart),
        ("SaveCart", Api::SaveCart),
    ];
    const HOLDINGS: &'static [Holding] = &[
        Holding { name: "marketplace_accounts", help: ACCOUNTS, labels: &[("role", "seller")] },
        Holding { name: "marketplace_accounts", help: ACCOUNTS, labels: &[("role", "buyer")] },
        Holding { name: "marketplace_sessions", help: SESSIONS, labels: &[] },
    ];

    fn is_write(api: Api) -> bool {
        use Api::{ClearCart, CreateBuyer, CreateSeller, Login, Logout, RateSeller, SaveCart, UpdateCart};
        matches!(
            api,
            CreateBuyer | CreateSeller | Login | Logout | RateSeller | UpdateCart | ClearCart | SaveCart
        )
    }

    fn execute(
        &mut self,
        now: Time,
        api: Api,
        fields: Fields<'_>,
        data: &mut Vec<u8>,
    ) -> Result<Outcome, Error> {
        match api {
            Api::CreateBuyer => return self.create(Role::Buyer, fields).map(Outcome::Offloaded),
            Api::CreateSeller => return self.create(Role::Seller, fields).map(Outcome::Offloaded),
            Api::Login => return self.login(now, fields).map(Outcome::Offloaded),
            Api::Logout => self.logout(now, fields, data),
            Api::ValidateSession => self.validate(now, fields, data),
            Api::GetSellerRating => self.rating(now, fields, data),
            Api::RateSeller => self.rate_seller(fields, data),
            Api::GetBuyerPurchases => self.purchases(now, fields, data),
            Api::GetCart => self.get_cart(now, fields, data),
            Api::UpdateCart => self.update_cart(now, fields, data),
            Api::ClearCart => self.clear_cart(now, fields, data),
            Api::SaveCart => self.save_cart(now, fields, data),
        }
        .map(|()| Outcome::Done)
    }

    fn poll(&mut self, now: Time, data: &mut Vec<u8>) -> Option<(Job, Result<(), Error>)> {
        let done = self.passwords.poll()?;
        let job = Job(self.last_job + 1 - self.waiting.len() as u64);
        let waiting = self.waiting.pop_front().expect("each password that is done was waited for");
        let result = match (waiting, done) {
            (Waiting::Create { role, username, name }, PasswordDone::Hashed(password_hash)) => {
                let identity = Identity { username, name, password_hash };
                self.accounts.create(role, identity).map(|id| match role {
                    Role::Buyer => encode(data, &BuyerCreated { buyer_id: id }),
                    Role::Seller => encode(data, &SellerCreated { seller_id: id }),
                })
            }
            (Waiting::Login { role, username, user_id }, PasswordDone::Verified(verified)) => {
                let logged_in = self.finish_login(now, role, &username, user_id.filter(|_| verified));
                logged_in.map(|logged_in| encode(data, &logged_in))
            }
            _ => unreachable!("passwords are done in the order in which they were submitted"),
        };
        Some((job, result))
    }

    fn is_dirty(&self) -> bool {
        let Accounts { sellers, buyers, votes, .. } = &self.accounts;
        sellers.is_dirty() || buyers.is_dirty() || votes.is_dirty() || self.sessions.is_dirty()
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
        rows.extend(self.sessions.clock.seal().map(CustomerRow::Clock));
        rows
    }

    fn publish(&mut self) {
        self.accounts.sellers.publish();
        self.accounts.buyers.publish();
        self.accounts.votes.publish();
        self.sessions.rows.publish();
    }

    fn holdings(&self) -> impl Iterator<Item = usize> {
        let Accounts { sellers, buyers, .. } = &self.accounts;
        [sellers.len(), buyers.len(), self.sessions.rows.len()].into_iter()
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

fn required_session(fields: &mut Fields<'_>) -> Result<SessionCheck, Error> {
    SessionCheck::decode(fields)?.ok_or_else(not_logged_in)
}

fn not_logged_in() -> Error {
    Error::new(Code::NotLoggedIn, "`session_id` is missing: log in")
}
