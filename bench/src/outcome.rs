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

/// Why there is less than was asked for: so many of `all` of what is counted were complete when it failed. `None`: all
/// are there.
pub(crate) fn incomplete(failure: Option<&Failure>, done: usize, all: usize, what: &str) -> Option<String> {
    let failure = failure.filter(|_| done < all)?;
    let when = match done {
        0 => format!("before any of {all} {what} was complete"),
        _ => format!("after {done} of {all} {what}"),
    };
    Some(match failure {
        Failure::Interrupted => format!("{failure} {when}"),
        Failure::CannotConnect(_) | Failure::Failed(_) => format!("{when}: {failure}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_reason() {
        let missing = |failure, done| incomplete(Some(failure), done, 3, "runs");
        assert_eq!(missing(&Failure::Interrupted, 2).as_deref(), Some("interrupted after 2 of 3 runs"));
        let failure = Failure::Failed("no".to_owned());
        assert_eq!(missing(&failure, 0).as_deref(), Some("before any of 3 runs was complete: no"));
        assert_eq!(missing(&failure, 3), None);
        assert_eq!(incomplete(None, 3, 3, "runs"), None);
    }
}
