//! [`FairQueue`]: what waits for something scarce, such as hashes of passwords, and whose turn it is.
//!
//! Clients take turns, by their networks, and what a client asks for takes turns by the account that it is about. So
//! whoever asks for much waits behind their own requests and not before those of others. What cannot be done before its
//! deadline is refused when it comes, as is what exceeds a share of the queue; what has waited beyond its deadline is
//! handed back to be refused, and never begun. The queue knows neither what waits nor who does it, and has no clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use net::{Counter, Exposition, Gauge, Metrics, Time};

use super::caller::{Caller, ClientNetwork};
use crate::api::error::{Code, Error};

/// How much may wait. One client may hold what this is divided by their number and one, so others find room.
const WAITING_MAX: usize = 512;
/// The pace is that of so many last completions, about.
const PACE_SAMPLES_MAX: u32 = 64;

/// What the pace is taken for before anything was completed.
const PACE_GUESS: Duration = Duration::from_millis(15);
/// So much may be under way however slow it goes.
const UNDER_WAY_MIN: usize = 2;

/// What waits, and how much is under way.
pub(crate) struct FairQueue<T> {
    /// Whose turn it is next is in front. Nobody is here without anything that waits.
    clients: VecDeque<Client<T>>,
    waiting: usize,
    under_way: usize,
    under_way_max: usize,
    under_way_for: Duration,
    pace: Pace,
    metrics: Arc<FairMetrics>,
}

struct Client<T> {
    network: ClientNetwork,
    /// Whose turn it is next is in front. None is empty.
    accounts: VecDeque<Account<T>>,
}

struct Account<T> {
    name: Box<str>,
    items: VecDeque<Waiting<T>>,
}

struct Waiting<T> {
    deadline: Time,
    item: T,
}

/// What has left the queue.
pub(crate) enum Popped<T> {
    /// It is its turn: it is under way from now on.
    Next(T),
    /// Its deadline has passed.
    Stale(T),
}

/// The time from one completion to the next while there is always something to do.
#[derive(Default)]
struct Pace {
    busy: Duration,
    completions: u32,
    /// When something was completed last, or begun after there was nothing.
    busy_since: Time,
}

/// Why something is refused; the numbers are places in [`FairMetrics::CAUSES`].
#[derive(Clone, Copy)]
enum Cause {
    Share,
    Deadline,
    Stale,
}

/// What is counted about a queue.
#[derive(Default)]
pub(crate) struct FairMetrics {
    waiting: Gauge,
    refused: [Counter; FairMetrics::CAUSES.len()],
}

impl<T> FairQueue<T> {
    /// An empty queue. At most `under_way_max` of what was in it are under way at a time, and no more than, at the present
    /// pace, are done within `under_way_for`, but for two.
    pub(crate) fn new(under_way_max: usize, under_way_for: Duration) -> Self {
        Self {
            clients: VecDeque::new(),
            waiting: 0,
            under_way: 0,
            under_way_max,
            under_way_for,
            pace: Pace::default(),
            metrics: Arc::default(),
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether something may be begun.
    pub(crate) fn has_room(&self) -> bool {
        let next = self.under_way + 1;
        let is_soon = next <= UNDER_WAY_MIN || self.pace.duration(next) <= self.under_way_for;
        next <= self.under_way_max && is_soon
    }

    /// Lets something wait for its turn.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`, with when to come back: the client holds its share of the queue, or it would be too late
    /// when its turn came. `UNAVAILABLE`: it is too late already. The item is handed back.
    pub(crate) fn push(
        &mut self,
        now: Time,
        caller: Caller,
        account: &str,
        item: T,
    ) -> Result<(), (T, Error)> {
        let Caller { client: network, deadline } = caller;
        if deadline <= now {
            return Err((item, self.stale()));
        }
        let place = self.clients.iter().position(|client| client.network == network);
        let own = place.map_or(0, |place| self.clients[place].len());
        let ahead: usize = self.clients.iter().map(|client| client.len().min(own + 1)).sum();
        let wait = if self.has_room() && self.is_empty() {
            Duration::ZERO
        } else {
            self.pace.duration(ahead + self.under_way + 1)
        };
        let others = self.clients.len() - usize::from(place.is_some());
        if self.waiting >= WAITING_MAX || own >= (WAITING_MAX / (others + 2)).max(1) {
            let message = format!("{own} passwords of your address wait to be checked: {}", try_again(wait));
            return Err((item, self.refuse(Cause::Share, message)));
        }
        if now + wait > deadline {
            let message = format!("too many passwords wait to be checked: {}", try_again(wait));
            return Err((item, self.refuse(Cause::Deadline, message)));
        }
        let place = place.unwrap_or_else(|| {
            self.clients.push_back(Client { network, accounts: VecDeque::new() });
            self.clients.len() - 1
        });
        self.clients[place].push(account, Waiting { deadline, item });
        self.count(self.waiting + 1);
        Ok(())
    }

    /// Takes what is to be done next: what is stale at once, and something else if its turn has come, which it has not
    /// while something of the same client and account is under way (`is_busy`).
    pub(crate) fn pop(
        &mut self,
        now: Time,
        is_busy: impl Fn(ClientNetwork, &str) -> bool,
    ) -> Option<Popped<T>> {
        if !self.has_room() {
            return None;
        }
        let place = |client: &Client<T>| {
            client.accounts.iter().position(|account| !is_busy(client.network, &account.name))
        };
        let mut clients = self.clients.iter().enumerate();
        let (client, account) = clients.find_map(|(index, client)| Some((index, place(client)?)))?;
        let mut served = self.clients.remove(client).expect("it was found there");
        let waiting = served.pop(account);
        if !served.accounts.is_empty() {
            self.clients.push_back(served);
        }
        self.count(self.waiting - 1);
        if waiting.deadline <= now {
            return Some(Popped::Stale(waiting.item));
        }
        self.begin(now);
        Some(Popped::Next(waiting.item))
    }

    fn begin(&mut self, now: Time) {
        if self.under_way == 0 {
            self.pace.busy_since = now;
        }
        self.under_way += 1;
    }

    /// Something that was under way is done.
    pub(crate) fn done(&mut self, now: Time) {
        self.under_way -= 1;
        self.pace.completed(now);
    }

    /// Something that was under way is not any more, and nobody knows how long it would have taken.
    pub(crate) fn lost(&mut self, now: Time) {
        self.under_way -= 1;
        self.pace.busy_since = now;
    }

    /// Takes out everything of which this is true, by its deadline and itself.
    pub(crate) fn take_if(&mut self, mut is_taken: impl FnMut(Time, &T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for client in &mut self.clients {
            for account in &mut client.accounts {
                for waiting in std::mem::take(&mut account.items) {
                    if is_taken(waiting.deadline, &waiting.item) {
                        taken.push(waiting.item);
                    } else {
                        account.items.push_back(waiting);
                    }
                }
            }
            client.accounts.retain(|account| !account.items.is_empty());
        }
        self.clients.retain(|client| !client.accounts.is_empty());
        self.count(self.waiting - taken.len());
        taken
    }

    /// The first deadline of what waits.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let accounts = self.clients.iter().flat_map(|client| &client.accounts);
        accounts.flat_map(|account| &account.items).map(|waiting| waiting.deadline).min()
    }

    /// What is to be said of something whose deadline has passed.
    pub(crate) fn stale(&self) -> Error {
        self.metrics.count(Cause::Stale);
        let message =
            format!("the password was not checked in time, {}", try_again(self.pace.duration(self.waiting)));
        Error::new(Code::Unavailable, message)
    }

    fn refuse(&self, cause: Cause, message: String) -> Error {
        self.metrics.count(cause);
        Error::new(Code::ResourceExhausted, message)
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> Arc<FairMetrics> {
        Arc::clone(&self.metrics)
    }

    fn count(&mut self, waiting: usize) {
        self.waiting = waiting;
        self.metrics.waiting.set(waiting as u64);
    }
}

/// When to come back, for people.
pub(crate) fn try_again(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    format!("try again in {seconds} s")
}

impl<T> Client<T> {
    fn len(&self) -> usize {
        self.accounts.iter().map(|account| account.items.len()).sum()
    }

    fn push(&mut self, account: &str, waiting: Waiting<T>) {
        match self.accounts.iter_mut().find(|other| &*other.name == account) {
            Some(account) => account.items.push_back(waiting),
            None => self.accounts.push_back(Account { name: account.into(), items: [waiting].into() }),
        }
    }

    /// Takes what waits first at an account, whose next turn comes after those of the others.
    fn pop(&mut self, account: usize) -> Waiting<T> {
        let mut served = self.accounts.remove(account).expect("the caller found it");
        let waiting = served.items.pop_front().expect("no account is empty");
        if !served.items.is_empty() {
            self.accounts.push_back(served);
        }
        waiting
    }
}

impl Pace {
    fn completed(&mut self, now: Time) {
        self.busy += now.since(self.busy_since);
        self.busy_since = now;
        self.completions += 1;
        if self.completions >= PACE_SAMPLES_MAX {
            (self.busy, self.completions) = (self.busy / 2, self.completions / 2);
        }
    }

    /// How long so many completions take.
    fn duration(&self, count: usize) -> Duration {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match self.completions {
            0 => PACE_GUESS.saturating_mul(count),
            completions => self.busy.saturating_mul(count) / completions,
        }
    }
}

impl FairMetrics {
    /// Why something is refused, in the order of [`Cause`].
    const CAUSES: [&str; 3] = ["share", "deadline", "stale"];

    fn count(&self, cause: Cause) {
        self.refused[cause as usize].add(1);
    }
}

impl Metrics for FairMetrics {
    fn expose(&self, out: &mut Exposition) {
        let help = "Passwords that wait to be checked.";
        out.gauge("marketplace_passwords_waiting", help, &[], self.waiting.get());
        for (cause, count) in Self::CAUSES.iter().zip(&self.refused) {
            let help = "Passwords that were not checked: the share of an address was full, or it would be or was too late.";
            out.counter("marketplace_passwords_refused_total", help, &[("cause", cause)], count.get());
        }
    }
}

#[cfg(test)]
mod tests;
