//! `db_customer` on an engine: the same APIs as where its truth lies in memory, in the same words, as statements.
//!
//! It keeps nothing that could not be lost, so any number of it may run: who waits for a hash, which sessions were used in
//! the last second, below which ID all purchases have ended, and how many have not, as of a moment ago.
//!
//! What must be true of several rows at a time is kept by the order in which they are written: a session or a buyer first,
//! then what is theirs. Where two have it in other orders, engines undo one of them, and it is carried out again.

mod accounts;
mod backlog;
mod carts;
mod copied;
mod endings;
mod history;
mod holdings;
mod logins;
mod password_change;
mod purchases;
mod sessions;
mod upkeep;
mod values;
mod votes;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use net::{Metrics, Time};
use siphasher::sip::SipHasher13;

use self::backlog::Backlog;
use self::purchases::{Ended, Sources};
use self::sessions::Activity;
use self::upkeep::Sweeps;
use super::domain::{RemoteDomain, Starter, carried};
use super::holdings::Holdings;
use super::operation::Step;
use super::pool::Lanes;
use crate::api::Database;
use crate::api::accounts::{ChangePassword, CreateBuyer, CreateSeller, GetSellerRating, SellerId};
use crate::api::carts::{ClearCart, GetCart, Owner, SaveCart, UpdateCart};
use crate::api::error::{Code, Error};
use crate::api::purchases::{BeginPurchase, ClaimPurchases, FinishPurchase, GetBuyerPurchases};
use crate::api::sessions::{Login, Logout, SessionCheck, ValidateSession};
use crate::api::values::Role;
use crate::api::votes::RateSeller;
use crate::customer::hashing::{Account, Done, Hashing};
use crate::customer::{Customer, Hashers};
use crate::engine::domain::{Domain, Job};
use crate::engine::intake::Entry;

pub(super) use self::copied::CustomerRows;

/// How often a request begins anew because others have changed what it has read.
const ATTEMPTS_MAX: u32 = 5;

/// What a request does next.
type Flow = Result<Step<RemoteCustomer>, Error>;

/// What `db_customer` keeps between requests.
pub(crate) struct RemoteCustomer {
    /// How long a session may be idle.
    timeout: Duration,
    activity: Activity,
    /// With each password comes the account that was read for it, if there is one.
    hashing: Hashing<Option<Account>>,
    ended: Ended,
    backlog: Backlog,
    sources: Sources,
    sweeps: Sweeps,
    /// When it is found out next how much there is.
    count_at: Time,
    holdings: Arc<Holdings>,
    random: Box<dyn FnMut() -> u128>,
}

impl RemoteCustomer {
    /// `lanes` carry its transactions out; `hashers` hash passwords; `random` is a source of unpredictable bits.
    pub(super) fn new(
        timeout: Duration,
        lanes: Lanes,
        hashers: Hashers,
        mut random: Box<dyn FnMut() -> u128>,
    ) -> Self {
        Self {
            timeout,
            activity: Activity::default(),
            hashing: Hashing::new(hashers),
            ended: Ended::new(),
            backlog: Backlog::new(),
            sources: Sources::new(lanes, random()),
            sweeps: Sweeps::from(random()),
            count_at: Time::default(),
            holdings: Arc::new(Holdings::new(Customer::HOLDINGS)),
            random,
        }
    }

    fn start_hashing(&mut self, now: Time) {
        self.hashing.start(now, |_, _, account| account);
    }

    /// What follows once the password of a request is hashed.
    fn go_on(&mut self, now: Time, hashed: Done) -> Flow {
        match hashed {
            Done::Create { role, identity } => Self::open(role, identity),
            Done::Login { from, account } => self.open_session(now, from, account),
            Done::Change { from, account, session, new_hash } => {
                self.change_password(now, from, session, (account, new_hash))
            }
            Done::Failed(from) => Self::count_failure(now, &from),
        }
    }
}

impl RemoteDomain for RemoteCustomer {
    const DATABASE: Database = Database::Customer;
    const APIS: &'static [Entry<Starter<Self>>] = &[
        carried::<Self, CreateBuyer>(),
        carried::<Self, CreateSeller>(),
        carried::<Self, Login<Role>>(),
        carried::<Self, Logout<SessionCheck>>(),
        carried::<Self, ChangePassword<SessionCheck>>(),
        carried::<Self, ValidateSession>(),
        carried::<Self, GetSellerRating<Option<SessionCheck>, Option<SellerId>>>(),
        carried::<Self, RateSeller>(),
        carried::<Self, BeginPurchase>(),
        carried::<Self, FinishPurchase>(),
        carried::<Self, ClaimPurchases>(),
        carried::<Self, GetBuyerPurchases<Owner>>(),
        carried::<Self, GetCart>(),
        carried::<Self, UpdateCart>(),
        carried::<Self, ClearCart<Owner>>(),
        carried::<Self, SaveCart<SessionCheck>>(),
    ];

    fn poll(&mut self, now: Time) -> Option<(Job, Flow)> {
        let (job, hashed) = self.hashing.poll(now)?;
        let next = hashed.and_then(|hashed| self.go_on(now, hashed));
        self.start_hashing(now);
        Some((job, next))
    }

    fn abandon(&mut self, job: Job) {
        self.hashing.abandon(job);
    }

    fn upkeep(&mut self, now: Time) -> Option<Step<Self>> {
        self.next_upkeep(now)
    }

    fn upkeep_at(&self) -> Option<Time> {
        self.next_upkeep_at()
    }

    fn metrics(&self) -> Vec<Arc<dyn Metrics>> {
        vec![self.hashing.metrics(), Arc::clone(&self.holdings) as Arc<dyn Metrics>]
    }
}

/// One attempt fewer.
///
/// # Errors
/// There is none left.
fn again(attempts: u32) -> Result<u32, Error> {
    let message = "others change the same all the time; nothing was changed: try again";
    attempts.checked_sub(1).ok_or_else(|| Error::new(Code::Unavailable, message))
}

/// What is about an account is carried out in order.
fn account_lane(role: Role, id: u32) -> u64 {
    lane((role, id))
}

/// The same, of an account that is known by its user name.
fn username_lane(role: Role, username: &str) -> u64 {
    lane((role, username))
}

fn lane(of: impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
