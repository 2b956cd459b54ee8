//! [`Starts`]: the connections of a pool start one after another. For each of them an engine begins a process, which reads what
//! it has to know about its tables; eight of them at once take the processors from those that serve others.

use std::time::Duration;

use net::Time;

use super::place::Place;

/// How long the next one waits for one that has not started: several times what a start takes, and little beside what is lost
/// anyway when a host does not answer.
const TURN_MAX: Duration = Duration::from_millis(100);

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// When the last one has begun.
    last_at: Option<Time>,
}

impl Starts {
    /// Lets those start whose turn it is.
    pub(super) fn start(&mut self, now: Time, places: &mut [Place]) {
        if self.next_at(places).is_some_and(|at| at <= now)
            && let Some(place) = places.iter_mut().find(|place| place.is_waiting())
        {
            place.start(now);
            self.last_at = Some(now);
        }
    }

    /// When that is to be looked at again at the latest, if one waits.
    pub(super) fn next_at(&self, places: &[Place]) -> Option<Time> {
        if !places.iter().any(Place::is_waiting) {
            return None;
        }
        let turn = if places.iter().any(Place::is_starting) { TURN_MAX } else { Duration::ZERO };
        Some(self.last_at.map_or(Time::default(), |at| at + turn))
    }
}
