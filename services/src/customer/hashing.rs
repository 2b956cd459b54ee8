//! [`Hashing`]: the requests for which passwords are hashed, from their coming to their end. They wait for their turn in
//! a [`FairQueue`]; each thread does one at a time.
//!
//! A request is looked at anew when its turn comes: what is stale or guesses too often is refused without a hash, and a
//! password is compared with the account as it is by then, where that can be looked up at once. One client has one hash of an account under way at a time, so
//! what it asks for of an account is done in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use net::{Exposition, Histogram, Metrics, Time, Worker};

use super::accounts::Identity;
use super::passwords::{PasswordDone, PasswordJob};
use super::throttle::{Failures, Throttle};
use crate::api::accounts::{ChangePassword, CreateAccount};
use crate::api::error::Error;
use crate::api::sessions::{Login, SessionCheck};
use crate::api::values::Role;
use crate::engine::caller::{Caller, ClientNetwork};
use crate::engine::domain::Job;
use crate::engine::fair_queue::{FairMetrics, FairQueue, Popped};
use crate::engine::metrics::DURATIONS;

/// Who hashes, each one password at a time.
pub(crate) type Hashers = Vec<Box<dyn Worker<PasswordJob, PasswordDone>>>;

/// The requests that wait for a hash. With each comes what is known of its account already, an `A`.
pub(crate) struct Hashing<A> {
    queue: FairQueue<Waiting<A>>,
    slots: Vec<Slot>,
    /// What was refused when its turn came.
    refused: VecDeque<(Job, Error)>,
    throttle: Throttle,
    last_job: u64,
    metrics: Arc<HashMetrics>,
}

/// A thread that hashes, and what it does.
struct Slot {
    hasher: Box<dyn Worker<PasswordJob, PasswordDone>>,
    running: Option<Running>,
}

/// A request for which a password is to be hashed. It has no `Debug`, so that the password reaches no log.
pub(crate) struct Request<A> {
    role: Role,
    username: Box<str>,
    password: Box<str>,
    kind: Kind<A>,
}

enum Kind<A> {
    Create { name: Box<str>, salt: [u8; 16] },
    Login { known: A },
    Change { known: A, session: SessionCheck, new_password: Box<str>, salt: [u8; 16] },
}

/// The number and the password hash of an account.
pub(crate) type Account = (u32, Box<str>);

struct Waiting<A> {
    job: Job,
    client: ClientNetwork,
    request: Request<A>,
}

struct Running {
    job: Job,
    client: ClientNetwork,
    role: Role,
    username: Box<str>,
    began_at: Time,
    then: Then,
}

enum Then {
    Create { name: Box<str> },
    Login { account: Option<Account> },
    Change { account: Option<Account>, session: SessionCheck },
}

/// What may be done now that a password is hashed.
pub(crate) enum Done {
    Create {
        role: Role,
        identity: Identity,
    },
    /// The password is that of this account, as it was when it was compared.
    Login {
        from: Attempt,
        account: Account,
    },
    /// The same, whose password is to have this hash from now on.
    Change {
        from: Attempt,
        account: Account,
        session: SessionCheck,
        new_hash: Box<str>,
    },
    /// The name or the password is wrong.
    Failed(Attempt),
}

/// Of which account a password was tried, and from where.
pub(crate) struct Attempt {
    pub(crate) client: ClientNetwork,
    pub(crate) role: Role,
    pub(crate) username: Box<str>,
}

struct HashMetrics {
    queue: Arc<FairMetrics>,
    duration: Histogram,
}

impl<A> Request<A> {
    /// A new account, whose password is hashed with this salt.
    pub(crate) fn create(role: Role, account: CreateAccount, salt: [u8; 16]) -> Self {
        let CreateAccount { name, username, password } = account;
        let kind = Kind::Create { name: name.0.into(), salt };
        Self { role, username: username.0.into(), password: password.0.into(), kind }
    }

    /// A login to an account of which this is known.
    pub(crate) fn login(login: Login<Role>, known: A) -> Self {
        let Login { username, password, role } = login;
        let kind = Kind::Login { known };
        Self { role, username: username.0.into(), password: password.0.into(), kind }
    }

    /// Another password for the account of this user name, of which this is known. It is hashed with this salt.
    pub(crate) fn change(
        (role, username): (Role, Box<str>),
        change: ChangePassword<SessionCheck>,
        known: A,
        salt: [u8; 16],
    ) -> Self {
        let ChangePassword { session, password, new_password } = change;
        let kind = Kind::Change { known, session, new_password: new_password.0.into(), salt };
        Self { role, username, password: password.0.into(), kind }
    }
}

impl<A> Hashing<A> {
    pub(crate) fn new(hashers: Hashers) -> Self {
        let slots: Vec<_> = hashers.into_iter().map(|hasher| Slot { hasher, running: None }).collect();
        let queue = FairQueue::new(slots.len(), Duration::MAX);
        let metrics = HashMetrics { queue: queue.metrics(), duration: Histogram::new(DURATIONS) };
        Self {
            queue,
            slots,
            refused: VecDeque::new(),
            throttle: Throttle::default(),
            last_job: 0,
            metrics: Arc::new(metrics),
        }
    }

    /// Lets a request wait for its turn. [`Hashing::start`] is to follow.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`, with when to come back.
    pub(crate) fn submit(&mut self, now: Time, caller: Caller, request: Request<A>) -> Result<Job, Error> {
        let client = caller.client;
        self.check(now, client, &request)?;
        self.last_job += 1;
        let job = Job(self.last_job);
        let username = request.username.clone();
        match self.queue.push(now, caller, &username, Waiting { job, client, request }) {
            Some((refused, error)) if refused.job == job => return Err(error),
            Some((refused, error)) => self.refused.push_back((refused.job, error)),
            None => {}
        }
        Ok(job)
    }

    /// How often passwords of an account were wrong, as others have counted it.
    pub(crate) fn learn(&mut self, attempt: &Attempt, from_there: Failures, from_all: Failures) {
        let Attempt { client, role, username } = attempt;
        self.throttle.learn(*client, *role, username, from_there, from_all);
    }

    /// Begins what can be begun. `find` finds an account, of which something may be known.
    pub(crate) fn start(&mut self, now: Time, find: impl Fn(Role, &str, A) -> Option<Account>) {
        loop {
            let Self { queue, slots, .. } = self;
            let is_busy = |client, username: &str| {
                let mut running = slots.iter().filter_map(|slot| slot.running.as_ref());
                running.any(|running| running.client == client && *running.username == *username)
            };
            match queue.pop(now, is_busy) {
                Some(Popped::Next(Waiting { job, client, request })) => {
                    match self.check(now, client, &request) {
                        Ok(()) => self.run(now, job, client, request, &find),
                        Err(error) => {
                            self.queue.lost(now);
                            self.refused.push_back((job, error));
                        }
                    }
                }
                Some(Popped::Stale(waiting)) => {
                    let error = self.queue.stale();
                    self.refused.push_back((waiting.job, error));
                }
                None => return,
            }
        }
    }

    /// Refuses to try a password of an account of which too many were wrong.
    fn check(&self, now: Time, client: ClientNetwork, request: &Request<A>) -> Result<(), Error> {
        match request.kind {
            Kind::Login { .. } | Kind::Change { .. } => {
                self.throttle.check(now, client, request.role, &request.username)
            }
            Kind::Create { .. } => Ok(()),
        }
    }

    fn run(
        &mut self,
        now: Time,
        job: Job,
        client: ClientNetwork,
        request: Request<A>,
        find: impl Fn(Role, &str, A) -> Option<Account>,
    ) {
        let Request { role, username, password, kind } = request;
        let look_up = |known| {
            let account = find(role, &username, known);
            let hash = account.as_ref().map(|(_, hash)| hash.clone());
            (account, hash)
        };
        let (password_job, then) = match kind {
            Kind::Create { name, salt } => (PasswordJob::Hash { password, salt }, Then::Create { name }),
            Kind::Login { known } => {
                let (account, hash) = look_up(known);
                (PasswordJob::Verify { password, hash }, Then::Login { account })
            }
            Kind::Change { known, session, new_password, salt } => {
                let (account, hash) = look_up(known);
                (
                    PasswordJob::Change { password, hash, new_password, salt },
                    Then::Change { account, session },
                )
            }
        };
        let idle = self.slots.iter_mut().find(|slot| slot.running.is_none());
        let slot = idle.expect("no more is under way than there are slots");
        slot.hasher.submit(password_job);
        slot.running = Some(Running { job, client, role, username, began_at: now, then });
    }

    /// Takes a request that has come to its end. [`Hashing::start`] is to follow, once what it leads to is there: a login may
    /// have waited for its account.
    pub(crate) fn poll(&mut self, now: Time) -> Option<(Job, Result<Done, Error>)> {
        for slot in &mut self.slots {
            if slot.running.is_some()
                && let Some(done) = slot.hasher.poll()
            {
                let running = slot.running.take().expect("it was there");
                self.metrics.duration.observe_duration(now.since(running.began_at));
                self.queue.done(now);
                let job = running.job;
                return Some((job, Ok(self.finish(now, running, done))));
            }
        }
        let (job, error) = self.refused.pop_front()?;
        Some((job, Err(error)))
    }

    fn finish(&mut self, now: Time, running: Running, done: PasswordDone) -> Done {
        let Running { client, role, username, then, .. } = running;
        match (then, done) {
            (Then::Create { name }, PasswordDone::Hashed(password_hash)) => {
                Done::Create { role, identity: Identity { username, name, password_hash } }
            }
            (Then::Login { account: Some(account) }, PasswordDone::Verified(true)) => {
                let from = self.succeeded(now, Attempt { client, role, username });
                Done::Login { from, account }
            }
            (Then::Change { account: Some(account), session }, PasswordDone::Changed(Some(new_hash))) => {
                let from = self.succeeded(now, Attempt { client, role, username });
                Done::Change { from, account, session, new_hash }
            }
            (Then::Login { .. }, PasswordDone::Verified(_))
            | (Then::Change { .. }, PasswordDone::Changed(_)) => {
                self.throttle.failed(now, client, role, &username);
                self.queue.failed(now, client);
                Done::Failed(Attempt { client, role, username })
            }
            _ => unreachable!("what a slot has done is what it was given"),
        }
    }

    fn succeeded(&mut self, now: Time, attempt: Attempt) -> Attempt {
        self.throttle.succeeded(attempt.client, attempt.role, &attempt.username);
        self.queue.succeeded(now, attempt.client);
        attempt
    }

    /// Drops a request that nobody waits for, unless it has been begun.
    pub(crate) fn abandon(&mut self, job: Job) {
        self.queue.take_if(|_, waiting| waiting.job == job);
    }

    pub(crate) fn metrics(&self) -> Arc<dyn Metrics> {
        Arc::clone(&self.metrics) as Arc<dyn Metrics>
    }
}

impl Metrics for HashMetrics {
    fn expose(&self, out: &mut Exposition) {
        self.queue.expose(out);
        let name = "marketplace_hash_duration_seconds";
        out.histogram_seconds(name, "Time that hashing a password took.", &[], &self.duration);
    }
}
