//! [`expect_linearizable`]: whether operations on one object can have taken effect one after another, each at a moment
//! between its start and its end. The search is that of `todc_utils`; here is how it is told what was asked and answered.
//!
//! What the operations are, and what each makes of the object, is its [`Specification`].

use net::Time;
use todc_utils::{Action, History, Specification, WGLChecker};

/// An operation, with what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Timed<O> {
    pub(crate) start: Time,
    /// None: nobody knows whether it took effect, or will. It counts as one that ends after all others, so its
    /// specification must allow it in every state; an effect that comes last is one that nobody sees.
    pub(crate) end: Option<Time>,
    pub(crate) operation: O,
}

/// Checks the history of an object.
///
/// # Panics
/// There is no such order.
pub(crate) fn expect_linearizable<S: Specification>(name: &str, history: Vec<Timed<S::Operation>>) {
    if !is_linearizable::<S>(&history) {
        let mut history = history;
        history.sort_by_key(|timed| timed.start);
        panic!("the history of {name} is not linearizable: {history:#?}");
    }
}

/// Whether there is such an order.
pub(crate) fn is_linearizable<S: Specification>(history: &[Timed<S::Operation>]) -> bool {
    if history.is_empty() {
        return true;
    }
    // What ends at the moment at which something else begins comes before it, because a request takes its time.
    let mut actions = Vec::new();
    for (number, Timed { start, end, operation }) in history.iter().enumerate() {
        assert!(end.is_none_or(|end| end > *start), "an operation takes its time");
        actions.push(((Some(*start), true), number, Action::Call(operation.clone())));
        let ended = (*end, false);
        actions.push((ended, number, Action::Response(operation.clone())));
    }
    actions.sort_by_key(|((at, is_call), ..)| (at.is_none(), *at, *is_call));
    let actions = actions.into_iter().map(|(_, number, action)| (number, action)).collect();
    WGLChecker::<S>::is_linearizable(History::from_actions(actions))
}
