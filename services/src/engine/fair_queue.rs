//! [`FairQueue`]: what waits for something scarce, such as hashes of passwords, and whose turn it is.
//!
//! Clients take turns, by their networks, and what a client asks for takes turns by the account that it is about. So
//! whoever asks for much waits behind their own requests and not before those of others. Clients from whose network a login
//! has failed lately come second: while others wait, they have one turn of four. So a flood of wrong passwords waits behind
//! itself, from however many networks it comes, and whoever was only mistaken still gets through.
//!
//! What cannot be done before its deadline is refused when it comes. In a full queue, whoever holds most of it gives way,
//! those first who come second. What has waited beyond its deadline is handed back to be refused, and never begun. The
//! queue knows neither what waits nor who does it, and has no clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use net::{Counter, Exposition, Gauge, Metrics, Time};

use super::caller::{Caller, ClientNetwork};
use super::failures::Failures;
use crate::api::error::{Code, Error};

/// How much may wait.
const WAITING_MAX: usize = 512;
/// So many turns are those of others before clients that have failed lately have one.
const TURNS_BEFORE_FAILED: usize = 3;
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
    failures: Failures,
    /// Turns since one of those who have failed lately, up to [`TURNS_BEFORE_FAILED`].
    turns: usize,
    under_way: usize,
    under_way_max: usize,
    under_way_for: Duration,
    pace: Pace,
    metrics: Arc<FairMetrics>,
}

struct Client<T> {
    network: ClientNetwork,
    /// Whether it had failed lately when it last asked for something, or has since.
    has_failed: bool,
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
            failures: Failures::default(),
            turns: 0,
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

    /// Lets something wait for its turn. Returns what is refused, if anything is: this, or what gives way to it.
    ///
    /// It is refused with `RESOURCE_EXHAUSTED` and when to come back if the queue is full, or it would be too late when its
    /// turn came, and with `UNAVAILABLE` if it is too late already.
    #[must_use]
    pub(crate) fn push(&mut self, now: Time, caller: Caller, account: &str, item: T) -> Option<(T, Error)> {
        let Caller { client: network, deadline } = caller;
        if deadline <= now {
            return Some((item, self.stale()));
        }
        let has_failed = self.failures.has(now, network);
        let place = self.clients.iter().position(|client| client.network == network);
        let own = place.map_or(0, |place| self.clients[place].len());
        let wait = self.wait(own, has_failed);
        if now + wait > deadline {
            let message = format!("too many passwords wait to be checked: {}", try_again(wait));
            return Some((item, self.refuse(Cause::Deadline, message)));
        }
        let refused = if self.waiting < WAITING_MAX {
            None
        } else if let Some((item, held)) = self.give_way((has_failed, own + 1)) {
            Some((item, self.refuse_share(held, self.pace.duration(self.waiting))))
        } else {
            return Some((item, self.refuse_share(own, wait)));
        };
        self.insert(network, has_failed, account, Waiting { deadline, item });
        refused
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
        let (client, account) = self.next_turn(is_busy)?;
        let mut served = self.clients.remove(client).expect("it was found there");
        let waiting = served.pop(account);
        self.turns = if served.has_failed { 0 } else { TURNS_BEFORE_FAILED.min(self.turns + 1) };
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

    /// The places of a client and of its account whose turn it is.
    fn next_turn(&self, is_busy: impl Fn(ClientNetwork, &str) -> bool) -> Option<(usize, usize)> {
        let find = |has_failed: bool| {
            let clients =
                self.clients.iter().enumerate().filter(|(_, client)| client.has_failed == has_failed);
            let account = |client: &Client<T>| {
                client.accounts.iter().position(|account| !is_busy(client.network, &account.name))
            };
            clients.into_iter().find_map(|(place, client)| Some((place, account(client)?)))
        };
        let is_turn_of_failed = self.turns >= TURNS_BEFORE_FAILED;
        find(is_turn_of_failed).or_else(|| find(!is_turn_of_failed))
    }

    /// How long it takes until something new is done, of a client of which so much waits.
    fn wait(&self, own: usize, has_failed: bool) -> Duration {
        if self.has_room() && self.is_empty() {
            return Duration::ZERO;
        }
        let (alike, others): (Vec<_>, Vec<_>) =
            self.clients.iter().partition(|client| client.has_failed == has_failed);
        let ahead: usize = alike.iter().map(|client| client.len().min(own + 1)).sum();
        let others: usize = others.iter().map(|client| client.len()).sum();
        let turns_of_others =
            if has_failed { (ahead + 1) * TURNS_BEFORE_FAILED } else { ahead / TURNS_BEFORE_FAILED + 1 };
        self.pace.duration(ahead + others.min(turns_of_others) + self.under_way + 1)
    }

    fn insert(&mut self, network: ClientNetwork, has_failed: bool, account: &str, waiting: Waiting<T>) {
        if self.clients.iter().all(|client| client.network != network) {
            self.clients.push_back(Client { network, has_failed, accounts: VecDeque::new() });
        }
        let client = self.clients.iter_mut().find(|client| client.network == network);
        let client = client.expect("it is there by now");
        client.has_failed = has_failed;
        client.push(account, waiting);
        self.count(self.waiting + 1);
    }

    /// Takes out the newest item of the client that holds most, if that is more than this claim, and how much it held.
    fn give_way(&mut self, claim: (bool, usize)) -> Option<(T, usize)> {
        let place = (0..self.clients.len()).max_by_key(|&place| self.clients[place].claim())?;
        let client = &mut self.clients[place];
        let held = client.len();
        if client.claim() <= claim {
            return None;
        }
        let item = client.pop_newest().item;
        if client.accounts.is_empty() {
            self.clients.remove(place);
        }
        self.count(self.waiting - 1);
        Some((item, held))
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

    /// A login from this network has failed.
    pub(crate) fn failed(&mut self, now: Time, network: ClientNetwork) {
        self.failures.failed(now, network);
        if let Some(client) = self.clients.iter_mut().find(|client| client.network == network) {
            client.has_failed = true;
        }
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

    fn refuse_share(&self, held: usize, wait: Duration) -> Error {
        let message = format!("{held} passwords of your address wait to be checked: {}", try_again(wait));
        self.refuse(Cause::Share, message)
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

    /// What is compared where somebody has to give way: the greatest does.
    fn claim(&self) -> (bool, usize) {
        (self.has_failed, self.len())
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

    /// Takes what waits last at the account that holds most.
    fn pop_newest(&mut self) -> Waiting<T> {
        let most = (0..self.accounts.len()).max_by_key(|&place| self.accounts[place].items.len());
        let most = most.expect("no client is without accounts");
        let waiting = self.accounts[most].items.pop_back().expect("no account is empty");
        if self.accounts[most].items.is_empty() {
            self.accounts.remove(most);
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
            let help = "Passwords that were not checked: the queue was full, or it would be or was too late.";
            out.counter("marketplace_passwords_refused_total", help, &[("cause", cause)], count.get());
        }
    }
}

#[cfg(test)]
mod tests;
