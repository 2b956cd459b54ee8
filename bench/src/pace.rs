//! Sending on schedule. [`Schedule`] says when each call is due; [`Pacer`] is the thread that wakes the load generator
//! then, because the event loop's own timers count in milliseconds.

use std::thread;
use std::time::Duration;

use net::{Time, Work};

/// Evenly spaced calls, dealt to the clients in turn: call k is that of client k modulo their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: Time,
    /// Calls a second.
    rate: f64,
    clients: usize,
}

impl Schedule {
    pub(crate) fn new(start: Time, rate: f64, clients: usize) -> Self {
        Self { start, rate, clients }
    }

    /// All calls, if each client makes so many.
    pub(crate) fn calls(&self, of_client: usize) -> usize {
        of_client * self.clients
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
        let schedule = Schedule::new(Time::from_millis(5), 1000.0, 3);
        assert_eq!(schedule.due(0), Time::from_millis(5));
        assert_eq!(schedule.due(10), Time::from_millis(15));
        assert_eq!([0, 1, 2, 3].map(|number| schedule.client(number)), [0, 1, 2, 0]);
        assert_eq!(schedule.due_of_client(1, 2), schedule.due(7));
    }
}
