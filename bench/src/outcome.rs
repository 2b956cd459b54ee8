//! [`Outcome`]: what came of a benchmark, whether or not all of it could be measured.

use std::fmt;

/// What was measured, and why it is not all that was asked for, or not right.
#[derive(Debug)]
pub struct Outcome<R> {
    /// All that was complete when it ended.
    pub results: R,
    /// `None`: all was measured, and every reply was right.
    pub failure: Option<Failure>,
}

/// Why a benchmark has ended before all was measured, or is worth nothing.
#[derive(Debug)]
pub enum Failure {
    /// A service cannot be reached.
    CannotConnect(String),
    /// The services, or the machine, did not do what they must.
    Failed(String),
    /// It was asked to end.
    Interrupted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotConnect(message) | Self::Failed(message) => f.write_str(message),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Why there is less than was asked for: `failure` came after so many of `all` of what is counted. `None`: it is all
/// there.
pub(crate) fn incomplete(failure: Option<&Failure>, done: usize, all: usize, what: &str) -> Option<String> {
    let failure = failure.filter(|_| done < all)?;
    Some(match done {
        0 => format!("{failure} before any of {all} {what} was complete"),
        _ => format!("{failure} after {done} of {all} {what}"),
    })
}
