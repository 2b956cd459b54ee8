//! [`Script`]: a user who asks what stands on a list, each once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use net::Time;

use crate::client::User;
use crate::request::{Outcome, Request, Span};

/// What came of one request of a list.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) span: Span,
    pub(crate) outcome: Outcome,
}

/// The answers to a list, in its order.
pub(crate) type Answers = Vec<Answer>;

pub(crate) struct Script {
    requests: VecDeque<Request>,
    answers: Rc<RefCell<Answers>>,
}

impl Script {
    pub(crate) fn new(requests: Vec<Request>, answers: Rc<RefCell<Answers>>) -> Self {
        Self { requests: requests.into(), answers }
    }
}

impl User for Script {
    fn next(&mut self, _: Time) -> Option<Request> {
        self.requests.pop_front()
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        self.answers.borrow_mut().push(Answer { span, outcome });
    }
}
