//! [`Dialer`]: connects to a backend, and again whenever the connection is gone: when that is tried, how long an attempt
//! may take, and the pause after it. It knows neither addresses nor what passes over a connection that stands.

use std::borrow::Cow;
use std::time::Duration;

use crate::limits::Limits;
use crate::time::Time;

/// Why a connection to a backend is of no use, for people.
pub(crate) type Reason = Cow<'static, str>;

/// `Down → Connecting → Connected`, and from each of them back to `Down`. A connection that stands has phases of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State<P> {
    Down { retry_at: Time },
    Connecting { give_up_at: Time },
    Connected(P),
}

/// What the driver is to do with the socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Connect,
    Close(Reason),
}

#[derive(Debug)]
pub(crate) struct Dialer<P> {
    state: State<P>,
    /// The pause after the next failure. Only a backend that has proved to be of use makes it short again: what merely
    /// accepts connections, or greets and then fails, is not to be connected to without a pause.
    backoff: Duration,
}

impl<P: Copy> Dialer<P> {
    /// One that wants to connect at once.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { state: State::Down { retry_at: Time::default() }, backoff: limits.backoff_min }
    }

    /// Whether there is neither a connection nor one that is being made.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.state, State::Down { .. })
    }

    /// Whether the connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.phase().is_some()
    }

    /// The phase of the connection that stands.
    pub(crate) fn phase(&self) -> Option<P> {
        match self.state {
            State::Connected(phase) => Some(phase),
            State::Down { .. } | State::Connecting { .. } => None,
        }
    }

    /// The connection stands, and is in this phase.
    ///
    /// # Panics
    /// Nobody has asked for a connection.
    pub(crate) fn connected(&mut self, phase: P) {
        assert!(
            matches!(self.state, State::Connecting { .. }),
            "a driver connected to a backend that did not ask for it"
        );
        self.state = State::Connected(phase);
    }

    /// The connection goes on to this phase.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn enter(&mut self, phase: P) {
        assert!(self.is_connected(), "what does not stand has no phases");
        self.state = State::Connected(phase);
    }

    /// Another connection takes the place of the one that stands, and is made at once: nothing has failed.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn renew(&mut self, now: Time, limits: &Limits) {
        assert!(self.is_connected(), "what does not stand is being made anew already");
        self.state = State::Connecting { give_up_at: now + limits.connect_timeout };
    }

    /// The backend is of use.
    pub(crate) fn works(&mut self, limits: &Limits) {
        self.backoff = limits.backoff_min;
    }

    /// The connection is gone, or could not be made.
    pub(crate) fn disconnected(&mut self, now: Time, limits: &Limits) {
        self.state = State::Down { retry_at: now + self.backoff };
        self.backoff = (self.backoff * 2).min(limits.backoff_max);
    }

    /// When [`Dialer::expire`] should be called next.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Down { retry_at } => Some(retry_at),
            State::Connecting { give_up_at } => Some(give_up_at),
            State::Connected(_) => None,
        }
    }

    /// Takes the step that is due.
    pub(crate) fn expire(&mut self, now: Time, limits: &Limits) -> Option<Action> {
        match self.state {
            State::Down { retry_at } if retry_at <= now => {
                self.state = State::Connecting { give_up_at: now + limits.connect_timeout };
                Some(Action::Connect)
            }
            State::Connecting { give_up_at } if give_up_at <= now => {
                Some(Action::Close(within("no connection", limits.connect_timeout)))
            }
            _ => None,
        }
    }
}

/// That something has not come in time.
pub(crate) fn within(what: &str, timeout: Duration) -> Reason {
    format!("{what} within {} ms", timeout.as_millis()).into()
}
