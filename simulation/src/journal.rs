//! [`Journal`]: what all clients of a run have asked for, when, and what came of it. It judges nothing.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use net::Time;
use serde_json::Value;

use crate::request::Outcome;

/// Every request of a run, in the order in which they were made.
///
/// Times are those of the network, whatever the clocks of hosts say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Rc<RefCell<Vec<Operation>>>);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) api: &'static str,
    pub(crate) data: Value,
    pub(crate) start: Time,
    /// When the client learned of the outcome; none if it never did.
    pub(crate) end: Option<Time>,
    /// [`Outcome::Unknown`] until it is known. Such a request may take effect at any time after its start, later than its
    /// end too, or never.
    pub(crate) outcome: Outcome,
}

impl Journal {
    /// A request is made; returns its place.
    pub(crate) fn asked(&self, api: &'static str, data: Value, start: Time) -> usize {
        let mut operations = self.0.borrow_mut();
        operations.push(Operation { api, data, start, end: None, outcome: Outcome::Unknown });
        operations.len() - 1
    }

    /// The outcome of the request at this place is known.
    pub(crate) fn answered(&self, place: usize, end: Time, outcome: Outcome) {
        let operation = &mut self.0.borrow_mut()[place];
        assert!(operation.end.is_none(), "a request has one outcome");
        operation.end = Some(end);
        operation.outcome = outcome;
    }

    /// How many requests have come to such an outcome.
    pub(crate) fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> u64 {
        self.0.borrow().iter().filter(|operation| is_counted(&operation.outcome)).count() as u64
    }

    /// All of it so far.
    pub(crate) fn operations(&self) -> Ref<'_, Vec<Operation>> {
        self.0.borrow()
    }
}
