//! [`StoredClock`]: what time it was, for the next start. If the wall clock is behind it then, because somebody set it back
//! or a machine without a battery has lost it, time goes on from here, so that no session lives twice.

use net::Time;

/// The first moment of the year 2500. No clock is so far ahead: where a file says so, it is damaged, and not believed.
pub(crate) const END_OF_TIME: Time = Time::from_millis(16_725_225_600_000);

/// The latest time that is on disk or on its way there.
#[derive(Debug, Default)]
pub(crate) struct StoredClock {
    latest: Time,
    is_dirty: bool,
}

impl StoredClock {
    /// Takes a time from disk, whatever it is the time of.
    pub(crate) fn load(&mut self, at: Time) {
        if at < END_OF_TIME {
            self.latest = self.latest.max(at);
        }
    }

    /// Has the present stored.
    pub(crate) fn put(&mut self, now: Time) {
        self.latest = self.latest.max(now);
        self.is_dirty = true;
    }

    pub(crate) fn latest(&self) -> Time {
        self.latest
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// What is to be stored, if something is.
    pub(crate) fn seal(&mut self) -> Option<Time> {
        std::mem::take(&mut self.is_dirty).then_some(self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_late_as_the_latest_time_that_can_be_believed() {
        let mut clock = StoredClock::default();
        clock.load(Time::from_millis(2000));
        clock.load(Time::from_millis(1000));
        clock.load(END_OF_TIME);
        assert_eq!((clock.latest(), clock.seal()), (Time::from_millis(2000), None));
        clock.put(Time::from_millis(3000));
        assert_eq!((clock.seal(), clock.seal()), (Some(Time::from_millis(3000)), None));
    }
}
