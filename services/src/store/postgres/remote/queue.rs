//! [`Queue`]: the requests of a connection that were not answered, in their order, and which of them may be under way side
//! by side.
//!
//! Requests of one connection are carried out one after another as far as that can be seen. What has the same key is put in
//! order by the pool; what has different keys does not meet. But what looks at more than one thing must see what was
//! changed before it, and nothing that is changed after it, so it and changes wait for each other.

use std::collections::VecDeque;
use std::mem;

use net::Time;

use super::super::operation::{Next, Transaction};
use crate::api::error::Code;
use crate::engine::metrics::Started;

/// The requests of a connection. There are never more than `in_flight_max`, because the node then delivers no more lines.
pub(super) struct Queue<D> {
    pending: VecDeque<Pending<D>>,
    /// Of those under way, how many change something, and how many look at more than one thing.
    writes: usize,
    wides: usize,
    /// How many wait for those before them.
    held: usize,
}

/// A request that was not answered.
pub(super) struct Pending<D> {
    /// Numbers count up.
    pub(super) number: u64,
    pub(super) id: Box<str>,
    /// `None`: it was no request, and is not counted.
    pub(super) started: Option<Started>,
    /// Nobody waits for what is done later.
    pub(super) deadline: Time,
    pub(super) state: State<D>,
}

/// How far a request has come.
pub(super) enum State<D> {
    /// Its first transaction waits for those before it.
    Held(Transaction, Next<D>),
    /// A transaction of it is under way.
    UnderWay(Scope),
    /// Its reply waits for those before it.
    Answered(Written),
}

/// The line of a reply, and the error that it says, if it does.
pub(super) struct Written {
    pub(super) line: Vec<u8>,
    pub(super) error: Option<Code>,
}

/// What a request is about, as its first transaction tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// One thing, which it reads.
    Narrow,
    /// More than one thing, which it reads.
    Wide,
    /// What it changes.
    Write,
}

/// A request whose time has come.
pub(super) struct Begun<D> {
    pub(super) number: u64,
    pub(super) deadline: Time,
    pub(super) transaction: Transaction,
    pub(super) next: Next<D>,
}

impl Scope {
    /// That of a request with this first transaction.
    pub(super) fn of(transaction: &Transaction) -> Self {
        match transaction.key {
            _ if transaction.effect.is_write() => Self::Write,
            Some(_) => Self::Narrow,
            None => Self::Wide,
        }
    }
}

impl<D> Queue<D> {
    pub(super) fn new() -> Self {
        Self { pending: VecDeque::new(), writes: 0, wides: 0, held: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a request that comes now has to wait for those that are under way, or that wait themselves.
    pub(super) fn holds_back(&self, scope: Scope) -> bool {
        self.held > 0 || self.is_in_the_way_of(scope)
    }

    /// Puts a request behind the others.
    pub(super) fn push(&mut self, pending: Pending<D>) {
        match pending.state {
            State::Held(..) => self.held += 1,
            State::UnderWay(scope) => self.count(scope, |count| count + 1),
            State::Answered(_) => {}
        }
        self.pending.push_back(pending);
        self.invariants();
    }

    /// The request of this number, which is under way.
    pub(super) fn find(&self, number: u64) -> &Pending<D> {
        &self.pending[self.place(number)]
    }

    /// A request that was under way has its reply.
    pub(super) fn answer(&mut self, number: u64, reply: Written) {
        let place = self.place(number);
        let State::UnderWay(scope) = self.pending[place].state else {
            panic!("a request is answered that was not under way")
        };
        self.pending[place].state = State::Answered(reply);
        self.count(scope, |count| count - 1);
        self.invariants();
    }

    /// The next request that has waited and need not any more. It is under way now.
    pub(super) fn begin_held(&mut self) -> Option<Begun<D>> {
        if self.held == 0 {
            return None;
        }
        let is_held = |pending: &Pending<D>| matches!(pending.state, State::Held(..));
        let place = self.pending.iter().position(is_held).expect("some are held");
        let State::Held(transaction, _) = &self.pending[place].state else { unreachable!("it is held") };
        let scope = Scope::of(transaction);
        if self.is_in_the_way_of(scope) {
            return None;
        }
        let first = &mut self.pending[place];
        let before = mem::replace(&mut first.state, State::UnderWay(scope));
        let State::Held(transaction, next) = before else { unreachable!("it was held") };
        let begun = Begun { number: first.number, deadline: first.deadline, transaction, next };
        self.held -= 1;
        self.count(scope, |count| count + 1);
        self.invariants();
        Some(begun)
    }

    /// Takes the reply to the first request, if there is one, and with it what is to be counted.
    pub(super) fn pop_answered(&mut self) -> Option<(Option<Started>, Written)> {
        match self.pending.pop_front()? {
            Pending { started, state: State::Answered(reply), .. } => Some((started, reply)),
            first => {
                self.pending.push_front(first);
                None
            }
        }
    }

    fn is_in_the_way_of(&self, scope: Scope) -> bool {
        match scope {
            Scope::Narrow => false,
            Scope::Wide => self.writes > 0,
            Scope::Write => self.wides > 0,
        }
    }

    fn place(&self, number: u64) -> usize {
        let place = self.pending.binary_search_by_key(&number, |pending| pending.number);
        place.expect("a request waits until it is answered")
    }

    fn count(&mut self, scope: Scope, count: impl FnOnce(usize) -> usize) {
        match scope {
            Scope::Narrow => {}
            Scope::Wide => self.wides = count(self.wides),
            Scope::Write => self.writes = count(self.writes),
        }
    }

    /// What was counted is there, and changes are under way or what looks at more than one thing, never both.
    fn invariants(&self) {
        assert!(self.writes == 0 || self.wides == 0, "they wait for each other");
        debug_assert_eq!(
            self.held,
            self.pending.iter().filter(|pending| matches!(pending.state, State::Held(..))).count()
        );
    }
}
