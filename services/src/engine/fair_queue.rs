//! [`FairQueue`]: what waits for something scarce, such as hashes of passwords, and whose turn it is.
//!
//! Clients take turns, by their networks, and what a client asks for takes turns by the account that it is about. So
//! whoever asks for much waits behind their own requests and not before those of others. Networks from which a login has
//! succeeded come first, then those of which nothing is known, and then those from which one has failed lately; each kind
//! has a turn for three of the one before it. So a flood of wrong passwords waits behind itself, from however many networks
//! it comes, and whoever is new or was only mistaken still gets through.
//!
//! What cannot be done before its deadline is refused when it comes. In a full queue, whoever holds most of it gives way,
//! those first who come last. What has waited beyond its deadline is handed back to be refused, and never begun. The
//! queue knows neither what waits nor who does it, and has no clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use net::{Counter, Exposition, Gauge, Metrics, Time};

use super::caller::{Caller, ClientNetwork};
use super::pace::Pace;
use super::standings::{Standing, Standings};
use crate::api::error::{Code, Error};

/// How much may wait.
const WAITING_MAX: usize = 512;
/// What a turn costs, by the standing of who takes it: a turn is theirs of whom turns have cost least.
const TURN_COSTS: [u64; 3] = [1, 3, 9];
/// So much may be under way however slow it goes.
const UNDER_WAY_MIN: usize = 2;

/// What waits, and how much is under way.
pub(crate) struct FairQueue<T> {
    /// Whose turn it is next is in front. Nobody is here without anything that waits.
    clients: VecDeque<Client<T>>,
    waiting: usize,
    standings: Standings,
    /// What the turns of each standing have cost, but for the time when it had nothing to take.
    costs: [u64; 3],
    /// The same of the standing that had the last turn, before it.
    cost: u64,
    under_way: usize,
    under_way_max: usize,
    under_way_for: Duration,
    pace: Pace,
    metrics: Arc<FairMetrics>,
}

struct Client<T> {
    network: ClientNetwork,
    /// As it was when it last asked for something, or has become since.
    standing: Standing,
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

/// What is compared where somebody has to give way, as the greatest does: whether a client holds more than its share, so
/// that no standing buys the whole queue, how its logins have ended, and how much it holds.
type Claim = (bool, Standing, usize);

impl<T> FairQueue<T> {
    /// An empty queue. At most `under_way_max` of what was in it are under way at a time, and no more than, at the present
    /// pace, are done within `under_way_for`, but for two.
    pub(crate) fn new(under_way_max: usize, under_way_for: Duration) -> Self {
        Self {
            clients: VecDeque::new(),
            waiting: 0,
            standings: Standings::default(),
            costs: [0; 3],
            cost: 0,
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
        let standing = self.standings.of(now, network);
        let place = self.clients.iter().position(|client| client.network == network);
        let own = place.map_or(0, |place| self.clients[place].len());
        let wait = self.wait(own, standing);
        if now + wait > deadline {
            let message = format!("too many passwords wait to be checked: {}", try_again(wait));
            return Some((item, self.refuse(Cause::Deadline, message)));
        }
        let others = self.clients.len() - usize::from(place.is_some());
        let share = (WAITING_MAX / (others + 1)).max(1);
        let refused = if self.waiting < WAITING_MAX {
            None
        } else if let Some((item, held)) = self.give_way(share, (own >= share, standing, own + 1)) {
            Some((item, self.refuse_share(held, self.pace.duration(self.waiting))))
        } else {
            return Some((item, self.refuse_share(own, wait)));
        };
        self.insert(network, standing, account, Waiting { deadline, item });
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
        self.cost = self.cost_of(served.standing);
        self.costs[served.standing as usize] = self.cost + TURN_COSTS[served.standing as usize];
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
        let account = |client: &Client<T>| {
            client.accounts.iter().position(|account| !is_busy(client.network, &account.name))
        };
        let clients = self.clients.iter().enumerate();
        let idle = clients.filter_map(|(place, client)| Some((place, account(client)?, client.standing)));
        // Of those alike, the first one.
        let next = idle.min_by_key(|&(_, _, standing)| (self.cost_of(standing), standing));
        next.map(|(place, account, _)| (place, account))
    }

    /// What the turns of those have cost. Who had nothing to take has saved nothing.
    fn cost_of(&self, standing: Standing) -> u64 {
        self.costs[standing as usize].max(self.cost)
    }

    /// How long it takes until something new is done, of a client of which so much waits.
    fn wait(&self, own: usize, standing: Standing) -> Duration {
        if self.has_room() && self.is_empty() {
            return Duration::ZERO;
        }
        let (mut ahead, mut others) = (0, [0; 3]);
        for client in &self.clients {
            if client.standing == standing {
                ahead += client.len().min(own + 1);
            } else {
                others[client.standing as usize] += client.len();
            }
        }
        let cost = (ahead as u64 + 1) * TURN_COSTS[standing as usize];
        let turns = TURN_COSTS.map(|of_others| usize::try_from(cost / of_others + 1).unwrap_or(usize::MAX));
        let others: usize = others.iter().zip(turns).map(|(&waiting, turns)| turns.min(waiting)).sum();
        self.pace.duration(ahead + others + self.under_way + 1)
    }

    fn insert(&mut self, network: ClientNetwork, standing: Standing, account: &str, waiting: Waiting<T>) {
        if self.clients.iter().all(|client| client.network != network) {
            self.clients.push_back(Client { network, standing, accounts: VecDeque::new() });
        }
        let client = self.clients.iter_mut().find(|client| client.network == network);
        let client = client.expect("it is there by now");
        client.standing = standing;
        client.push(account, waiting);
        self.count(self.waiting + 1);
    }

    /// Takes out the newest item of the client with the greatest claim, if that is greater than this one, and how much it
    /// held.
    fn give_way(&mut self, share: usize, claim: Claim) -> Option<(T, usize)> {
        let place = (0..self.clients.len()).max_by_key(|&place| self.clients[place].claim(share))?;
        let client = &mut self.clients[place];
        let held = client.len();
        if client.claim(share) <= claim {
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
            self.pace.resumed(now);
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
        self.standings.failed(now, network);
        self.update(now, network);
    }

    /// A login from this network has succeeded.
    pub(crate) fn succeeded(&mut self, now: Time, network: ClientNetwork) {
        self.standings.succeeded(now, network);
        self.update(now, network);
    }

    fn update(&mut self, now: Time, network: ClientNetwork) {
        if let Some(client) = self.clients.iter_mut().find(|client| client.network == network) {
            client.standing = self.standings.of(now, network);
        }
    }

    /// Something that was under way is not any more, and nobody knows how long it would have taken.
    pub(crate) fn lost(&mut self, now: Time) {
        self.under_way -= 1;
        self.pace.resumed(now);
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

    fn claim(&self, share: usize) -> Claim {
        (self.len() > share, self.standing, self.len())
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
