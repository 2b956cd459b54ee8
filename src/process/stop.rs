//! Signals that ask this process to end, and which of them are one and the same request. One of them may ask for
//! something else instead.
//!
//! A stop arrives in several ways at once: systemd and `killall` signal each process of the marketplace, while `up`
//! passes on what it was told. What to do about a stop is not known here.

use std::io;
use std::time::{Duration, Instant};

use procfs::process::Process;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::signals::CaughtSignals;

/// The signals that ask a process to end.
pub(crate) const STOP_SIGNALS: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// Signals that come so soon after the first are the same stop. A little less than the second after which somebody is
/// taken to have lost patience, because the first one may have been noticed late.
pub(crate) const SAME_STOP: Duration = Duration::from_millis(950);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Finish what is in flight.
    InOrder,
    /// Leave everything: somebody asked again.
    AtOnce,
}

/// Requests to end that are caught, and those of them that nobody has looked at yet.
pub(crate) struct StopSignals {
    signals: CaughtSignals,
    /// What SIGHUP asks for, if it does not ask for an end.
    reload: Option<Box<dyn Fn() + Send>>,
}

impl StopSignals {
    /// Catches [`STOP_SIGNALS`] from now on. SIGHUP stays ignored if it was when the process was started, as by `nohup`.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn catch() -> io::Result<Self> {
        let signals = STOP_SIGNALS.into_iter().filter(|&signal| signal != SIGHUP || !is_ignored(SIGHUP));
        Ok(Self { signals: CaughtSignals::catch(signals)?, reload: None })
    }

    /// From now on, SIGHUP is no request to end, ignored or not: it has a process read again what it was given in files.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn reload_on_hangup(mut self, reload: impl Fn() + Send + 'static) -> io::Result<Self> {
        self.signals.add(SIGHUP)?;
        self.reload = Some(Box::new(reload));
        Ok(self)
    }

    /// Has a thread tell `on_stop` of each request from now on, those that were caught before with them, and of the
    /// signal.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn watch(self, mut on_stop: impl FnMut(Stop, i32) + Send + 'static) -> io::Result<()> {
        let Self { signals, reload } = self;
        let mut first_at = None;
        let watch = signals.watch(move |signal| {
            if let (SIGHUP, Some(reload)) = (signal, &reload) {
                reload();
            } else if let Some(stop) = meaning(&mut first_at, Instant::now()) {
                on_stop(stop, signal);
            }
        });
        watch.map(drop)
    }
}

/// What a signal means that comes `now`; nothing if it belongs to the first one.
fn meaning(first_at: &mut Option<Instant>, now: Instant) -> Option<Stop> {
    match *first_at {
        None => {
            *first_at = Some(now);
            Some(Stop::InOrder)
        }
        Some(at) if now.duration_since(at) < SAME_STOP => None,
        Some(_) => Some(Stop::AtOnce),
    }
}

/// Whether the process was started with this signal ignored, as far as the system tells.
fn is_ignored(signal: i32) -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & 1 << (signal - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_within_a_second_is_one_stop_and_what_comes_later_ends_at_once() {
        let (mut first_at, start) = (None, Instant::now());
        let mut after = |ms| meaning(&mut first_at, start + Duration::from_millis(ms));
        assert_eq!(after(0), Some(Stop::InOrder));
        assert_eq!([after(0), after(1), after(900)], [None; 3]);
        assert_eq!(after(1000), Some(Stop::AtOnce));
    }
}
