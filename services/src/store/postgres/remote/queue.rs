//! [`Queue`]: the requests of a connection that were not answered, in their order, and which of them may be under way side
//! by side.
//!
//! Requests of one connection are carried out one after another as far as that can be seen. What has different keys does not
//! meet, and what has the same key is put in order by the pool. But that knows transactions and not requests: one that reads
//! before it changes something has the later ones of its key wait until it is answered. And what looks at more than one thing
//! must see what was changed before it, and nothing that is changed after it, so it and changes wait for each other.

use std::collections::VecDeque;
use std::mem;

use net::Time;

use super::super::operation::{Next, Transaction};
use crate::api::Effect;
use crate::api::error::Code;
use crate::engine::metrics::Started;

/// The requests of a connection. There are never more than `in_flight_max`, because the node then delivers no more lines.
pub(super) struct Queue<D> {
    pending: VecDeque<Pending<D>>,
    /// Of those under way, how many change something, and how many look at more than one thing.
    writes: usize,
    wides: usize,
    /// The keys of those under way that have changed nothing yet, and will.
    reading: Vec<u64>,
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
    Held(Scope, Transaction, Next<D>),
    /// A transaction of it is under way.
    UnderWay(Scope),
    /// Its reply waits for those before it.
    Answered(Written),
}

/// What is sent to a client.
pub(super) enum Written {
    /// The JSON of the reply's `data`.
    Data(Vec<u8>),
    /// A line, and the error that it says if it is a reply.
    Line(Vec<u8>, Option<Code>),
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    kind: Kind,
    /// That of its first transaction.
    key: Option<u64>,
    /// It changes something, but not by its first transaction.
    reads_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It reads one thing.
    Narrow,
    /// It reads more than one thing.
    Wide,
    /// It changes something.
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
    /// That of a request with this effect and this first transaction.
    pub(super) fn of(effect: Effect, transaction: &Transaction) -> Self {
        let key = transaction.key;
        let kind = match key {
            _ if effect.is_write() => Kind::Write,
            Some(_) => Kind::Narrow,
            None => Kind::Wide,
        };
        Self { kind, key, reads_first: effect.is_write() && !transaction.effect.is_write() }
    }

    /// That of a request that begins off the thread.
    pub(super) fn of_work() -> Self {
        Self { kind: Kind::Narrow, key: None, reads_first: false }
    }
}

impl<D> Queue<D> {
    pub(super) fn new() -> Self {
        Self { pending: VecDeque::new(), writes: 0, wides: 0, reading: Vec::new(), held: 0 }
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
            State::UnderWay(scope) => self.begins(scope),
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
        self.ends(scope);
        self.invariants();
    }

    /// The next request that has waited and need not any more. It is under way now.
    pub(super) fn begin_held(&mut self) -> Option<Begun<D>> {
        if self.held == 0 {
            return None;
        }
        let is_held = |pending: &Pending<D>| matches!(pending.state, State::Held(..));
        let place = self.pending.iter().position(is_held).expect("some are held");
        let State::Held(scope, ..) = self.pending[place].state else { unreachable!("it is held") };
        if self.is_in_the_way_of(scope) {
            return None;
        }
        let first = &mut self.pending[place];
        let before = mem::replace(&mut first.state, State::UnderWay(scope));
        let State::Held(_, transaction, next) = before else { unreachable!("it was held") };
        let begun = Begun { number: first.number, deadline: first.deadline, transaction, next };
        self.held -= 1;
        self.begins(scope);
        self.invariants();
        Some(begun)
    }

    /// Takes the reply to the first request, if there is one, and with it the request's ID and what is to be counted.
    pub(super) fn pop_answered(&mut self) -> Option<(Box<str>, Option<Started>, Written)> {
        match self.pending.pop_front()? {
            Pending { id, started, state: State::Answered(reply), .. } => Some((id, started, reply)),
            first => {
                self.pending.push_front(first);
                None
            }
        }
    }

    fn is_in_the_way_of(&self, scope: Scope) -> bool {
        let of_kind = match scope.kind {
            Kind::Narrow => false,
            Kind::Wide => self.writes > 0,
            Kind::Write => self.wides > 0,
        };
        of_kind || scope.key.is_some_and(|key| self.reading.contains(&key))
    }

    fn place(&self, number: u64) -> usize {
        let place = self.pending.binary_search_by_key(&number, |pending| pending.number);
        place.expect("a request waits until it is answered")
    }

    fn begins(&mut self, scope: Scope) {
        match scope.kind {
            Kind::Narrow => {}
            Kind::Wide => self.wides += 1,
            Kind::Write => self.writes += 1,
        }
        self.reading.extend(scope.key.filter(|_| scope.reads_first));
    }

    fn ends(&mut self, scope: Scope) {
        match scope.kind {
            Kind::Narrow => {}
            Kind::Wide => self.wides -= 1,
            Kind::Write => self.writes -= 1,
        }
        if let Some(key) = scope.key.filter(|_| scope.reads_first) {
            let place = self.reading.iter().position(|reading| *reading == key);
            self.reading.swap_remove(place.expect("it has begun"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::operation::Step;
    use crate::store::postgres::wire::Statement;

    /// Puts a request behind those of a queue, and returns whether it has to wait.
    fn waits(queue: &mut Queue<()>, number: u64, effect: Effect, transaction: Transaction) -> bool {
        let scope = Scope::of(effect, &transaction);
        let is_held = queue.holds_back(scope);
        let state = match is_held {
            true => State::Held(scope, transaction, Box::new(|(), _, _| Step::reply(&()))),
            false => State::UnderWay(scope),
        };
        queue.push(Pending { number, id: "1".into(), started: None, deadline: Time::default(), state });
        is_held
    }

    fn read(key: impl Into<Option<u64>>) -> Transaction {
        Transaction::read(key.into(), Statement::once("").with([]))
    }

    fn write(key: u64) -> Transaction {
        Transaction::write(key, Effect::Once, vec![Statement::once("").with([])])
    }

    fn answer(queue: &mut Queue<()>, number: u64) {
        queue.answer(number, Written::Data(Vec::new()));
    }

    #[test]
    fn what_reads_or_changes_one_thing_waits_for_nothing() {
        let mut queue = Queue::new();
        assert!(!waits(&mut queue, 1, Effect::Once, write(1)));
        assert!(!waits(&mut queue, 2, Effect::Once, write(1)), "the pool puts them in order");
        assert!(!waits(&mut queue, 3, Effect::Read, read(1)));
        assert!(!waits(&mut queue, 4, Effect::Read, read(2)));
    }

    #[test]
    fn what_looks_at_much_and_what_changes_something_wait_for_each_other() {
        let mut queue = Queue::new();
        assert!(!waits(&mut queue, 1, Effect::Read, read(None)));
        assert!(!waits(&mut queue, 2, Effect::Read, read(None)));
        assert!(waits(&mut queue, 3, Effect::Once, write(1)));
        assert!(waits(&mut queue, 4, Effect::Read, read(1)), "it must see what waits before it");
        assert!(waits(&mut queue, 5, Effect::Read, read(None)));
        answer(&mut queue, 1);
        assert!(queue.begin_held().is_none());
        answer(&mut queue, 2);
        assert_eq!(queue.begin_held().map(|begun| begun.number), Some(3));
        assert_eq!(queue.begin_held().map(|begun| begun.number), Some(4));
        assert!(queue.begin_held().is_none(), "a change is under way");
        answer(&mut queue, 3);
        assert_eq!(queue.begin_held().map(|begun| begun.number), Some(5));
    }

    #[test]
    fn what_is_read_before_it_is_changed_is_left_alone_meanwhile() {
        let mut queue = Queue::new();
        assert!(!waits(&mut queue, 1, Effect::Once, read(1)));
        assert!(!waits(&mut queue, 2, Effect::Once, read(2)));
        assert!(waits(&mut queue, 3, Effect::Read, read(1)));
        answer(&mut queue, 2);
        assert!(queue.begin_held().is_none());
        answer(&mut queue, 1);
        assert_eq!(queue.begin_held().map(|begun| begun.number), Some(3));
    }

    #[test]
    fn replies_leave_in_the_order_of_their_requests() {
        let mut queue = Queue::new();
        waits(&mut queue, 1, Effect::Read, read(1));
        waits(&mut queue, 2, Effect::Read, read(2));
        answer(&mut queue, 2);
        assert!(queue.pop_answered().is_none());
        answer(&mut queue, 1);
        assert!(queue.pop_answered().is_some() && queue.pop_answered().is_some());
        assert!(queue.is_empty());
    }
}
