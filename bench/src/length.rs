//! [`Length`]: when the measured part of a run ends.

use std::time::Duration;

/// How long a run measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Each client makes so many calls.
    Calls(usize),
    /// No client begins a call when so much time has passed since the first.
    Time(Duration),
}

impl Length {
    /// What a run of so many clients is made of, where it is shown how far it has come: calls, or milliseconds.
    pub(crate) fn steps(self, clients: usize) -> usize {
        match self {
            Self::Calls(calls) => clients.saturating_mul(calls),
            Self::Time(time) => usize::try_from(time.as_millis()).unwrap_or(usize::MAX).max(1),
        }
    }

    /// Whether nobody is to begin a call any more, so long after the first.
    pub(crate) fn is_over(self, elapsed: Duration) -> bool {
        match self {
            Self::Calls(_) => false,
            Self::Time(time) => elapsed >= time,
        }
    }
}
