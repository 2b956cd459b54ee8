//! [`Prepared`]: which statements the server of a connection has prepared.
//!
//! A statement is parsed in the flight that needs it first, so that takes no round trip of its own. Until the server has
//! confirmed it, other flights parse it for themselves, without a name: the first one may fail before it gets there.

use std::collections::HashMap;

use super::flight::{Statement, Ticket};

/// What a connection knows of its server's memory. There is one entry at most for each statement of the program.
#[derive(Debug)]
pub(super) struct Prepared {
    states: HashMap<&'static str, State>,
    /// Whether the server remembers any.
    is_named: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// This flight parses it.
    Sent(Ticket),
    /// The server has it.
    Confirmed,
}

/// How a flight refers to a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// By this name, which may be empty.
    pub(super) name: &'static str,
    /// Whether it has to be parsed first.
    pub(super) is_new: bool,
}

impl Prepared {
    /// Nothing is prepared. If nothing is to be named, that stays so.
    pub(super) fn new(is_named: bool) -> Self {
        Self { states: HashMap::new(), is_named }
    }

    /// How a flight is to refer to a statement.
    pub(super) fn refer(&mut self, ticket: Ticket, statement: Statement) -> Reference {
        let name = statement.name;
        if !self.is_named || name.is_empty() {
            return Reference { name: "", is_new: true };
        }
        match self.states.get(name) {
            None => {
                self.states.insert(name, State::Sent(ticket));
                Reference { name, is_new: true }
            }
            Some(State::Sent(other)) if *other != ticket => Reference { name: "", is_new: true },
            Some(_) => Reference { name, is_new: false },
        }
    }

    /// The server has parsed a statement for a flight.
    pub(super) fn parsed(&mut self, ticket: Ticket, statement: Statement) {
        if let Some(state) = self.states.get_mut(statement.name)
            && *state == State::Sent(ticket)
        {
            *state = State::Confirmed;
        }
    }

    /// A flight has ended: what the server has not confirmed by now, it never will.
    pub(super) fn ended(&mut self, ticket: Ticket) {
        self.states.retain(|_, state| *state != State::Sent(ticket));
    }

    /// Names lead to other servers than they were given to, so from now on there are none.
    pub(super) fn distrust(&mut self) {
        if self.is_named {
            log::warn!(
                "event=store_statements_unnamed reason=pooler what=\"prepared statements are not kept\""
            );
        }
        self.is_named = false;
        self.states.clear();
    }
}
