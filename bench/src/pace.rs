//! Sending on schedule. [`Schedule`] says when each call is due; [`Pacer`] is the thread that wakes the load generator
//! then, because the event loop's own timers count in milliseconds.

use std::thread;
use std::time::Duration;

use net::{Time, Work};

use crate::length::Length;

/// Evenly spaced calls, dealt to the clients in turn: call k is that of client k modulo their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: Time,
    /// Calls a second.
    rate: f64,
    clients: usize,
    calls: usize,
}

impl Schedule {
    /// All calls that fall due within this length; the first is due at its begin.
    pub(crate) fn new(start: Time, rate: f64, clients: usize, length: Length) -> Self {
        let calls = match length {
            Length::Calls(of_client) => of_client * clients,
            Length::Time(time) => (rate * time.as_secs_f64()).ceil() as usize,
        };
        Self { start, rate, clients, calls }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// How many of them are those of one client.
    pub(crate) fn calls_of_client(&self, client: usize) -> usize {
        self.calls.saturating_sub(client).div_ceil(self.clients)
    }

    /// When call `number` of all is due.
    pub(crate) fn due(&self, number: usize) -> Time {
        self.start + Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// The client whose call that is.
    pub(crate) fn client(&self, number: usize) -> usize {
        number % self.clients
    }

    /// When call `number` of one client is due.
    pub(crate) fn due_of_client(&self, client: usize, number: usize) -> Time {
        self.due(number * self.clients + client)
    }
}

/// Sleeps.
pub(crate) struct Pacer;

impl Work for Pacer {
    type Job = Duration;
    type Done = ();

    fn run(&mut self, pause: Duration) {
        thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_spaced_evenly_and_dealt_in_turn() {
        let schedule = Schedule::new(Time::from_millis(5), 1000.0, 3, Length::Calls(4));
        assert_eq!(schedule.calls(), 12);
        assert_eq!(schedule.due(0), Time::from_millis(5));
        assert_eq!(schedule.due(10), Time::from_millis(15));
        assert_eq!([0, 1, 2, 3].map(|number| schedule.client(number)), [0, 1, 2, 0]);
        assert_eq!(schedule.due_of_client(1, 2), schedule.due(7));
    }

    #[test]
    fn in_a_given_time_fall_the_calls_that_are_due_before_its_end() {
        let calls = |rate, millis, clients| {
            let time = Duration::from_millis(millis);
            let schedule = Schedule::new(Time::default(), rate, clients, Length::Time(time));
            assert!(
                schedule.due(schedule.calls() - 1) < Time::default() + time,
                "the last one is due in time"
            );
            assert!(schedule.due(schedule.calls()) >= Time::default() + time, "the next one is not");
            (0..clients).map(|client| schedule.calls_of_client(client)).collect::<Vec<_>>()
        };
        assert_eq!(calls(100.0, 1000, 3), [34, 33, 33]);
        assert_eq!(calls(2.0, 600, 3), [1, 1, 0], "who has no call is not waited for");
        assert_eq!(calls(0.1, 100, 2), [1, 0]);
    }
}
