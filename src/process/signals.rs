//! [`CaughtSignals`]: the one way in which this program catches signals. What they mean is not known here: to a service,
//! to `up` and to a benchmark they are a [`stop`](super::stop), and to a shell they come from its terminal.

use std::io;

use net::spawn_thread;
use signal_hook::iterator::{Handle, Signals};

/// Signals that are caught, and those of them that nobody has looked at yet.
pub(crate) struct CaughtSignals(Signals);

impl CaughtSignals {
    /// Catches these signals from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn catch(signals: impl IntoIterator<Item = i32>) -> io::Result<Self> {
        Signals::new(signals).map(Self)
    }

    /// Catches this signal as well.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn add(&self, signal: i32) -> io::Result<()> {
        let Self(signals) = self;
        signals.add_signal(signal)
    }

    /// Has a thread tell `on_signal` of each, of those that were caught before first, until the handle is closed.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn watch(self, on_signal: impl FnMut(i32) + Send + 'static) -> io::Result<Handle> {
        let Self(mut signals) = self;
        let handle = signals.handle();
        spawn_thread("signals", move || signals.forever().for_each(on_signal))?;
        Ok(handle)
    }
}
