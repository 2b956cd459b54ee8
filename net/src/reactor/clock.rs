//! [`Clock`]: where the reactor's [`Time`] comes from.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Time;

/// The wall clock as it was at the start, carried on by the monotonic one.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    epoch: Time,
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { epoch: Time::default() + since_epoch, start: Instant::now() }
    }

    pub(super) fn now(&self) -> Time {
        self.epoch + self.start.elapsed()
    }
}
