//! [`Renewals`]: which connections are made anew, so that calls come to databases that are added behind a name, and to those
//! that are back. In each lane it is one at a time, the one that stands for longest, and only while another one stands. It is
//! given no more calls, and goes when it has come to the end of those it has.

use std::time::Duration;

use net::{Backend, Time};

use super::{Links, Rank};
use crate::engine::backends::Backends;
use crate::engine::lane::Lane;

/// Pauses are longer or shorter by up to this part, so that the frontends that began at the same time do not go on alike. As
/// much as `max_connection_age` of gRPC has.
const JITTER_DIVISOR: u32 = 10;

pub(super) struct Renewals {
    /// Of each lane, the usual pause before the next one, if its connections are made anew at all.
    intervals: [Option<Duration>; Lane::COUNT],
    states: [State; Lane::COUNT],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has looked yet.
    New,
    Resting {
        until: Time,
    },
    /// The connection at this place takes no more calls.
    Draining {
        place: usize,
    },
    /// The connection at this place is being made anew.
    Connecting {
        place: usize,
    },
}

impl Renewals {
    pub(super) fn new(backends: &Backends) -> Self {
        let mut intervals = [None; Lane::COUNT];
        Lane::all().for_each(|lane| intervals[lane as usize] = backends.renewal_interval(lane));
        Self { intervals, states: [State::New; Lane::COUNT] }
    }

    /// Whether a connection takes no more calls.
    pub(super) fn is_draining(&self, place: usize) -> bool {
        self.states.contains(&State::Draining { place })
    }

    /// When [`Links::next_to_renew`] is to be asked next, whatever happens until then.
    fn next_at(&self) -> Option<Time> {
        let until = |state: &State| if let State::Resting { until } = state { Some(*until) } else { None };
        self.states.iter().filter_map(until).min()
    }
}

impl Links {
    /// A connection that stands, owes nobody anything and is to be made anew now. From here on it counts as one that does
    /// not stand. It is to be asked until there is none, at the end of each turn.
    pub(in crate::engine) fn next_to_renew(
        &mut self,
        now: Time,
        owes_since: impl Fn(Backend) -> Option<Time>,
    ) -> Option<Backend> {
        Lane::all().find_map(|lane| {
            let interval = self.renewals.intervals[lane as usize]?;
            self.renewals.states[lane as usize] = self.next_state(lane, interval, now, &owes_since);
            let State::Draining { place } = self.renewals.states[lane as usize] else { return None };
            if self.links[place].calls > 0 {
                return None;
            }
            self.links[place].up_since = None;
            self.renewals.states[lane as usize] = State::Connecting { place };
            Some(Backend(place))
        })
    }

    /// When [`Links::next_to_renew`] is to be asked next, whatever happens until then.
    pub(in crate::engine) fn renew_at(&self) -> Option<Time> {
        self.renewals.next_at()
    }

    /// What follows from what has happened in a lane, and from the time.
    fn next_state(
        &self,
        lane: Lane,
        interval: Duration,
        now: Time,
        owes_since: &impl Fn(Backend) -> Option<Time>,
    ) -> State {
        let rests = State::Resting { until: now + jittered(interval, chance(now, lane)) };
        let is_good = |place: &usize| self.rank(*place, now, owes_since) == Rank::Up;
        match self.renewals.states[lane as usize] {
            // Frontends that start together begin at different times.
            State::New => State::Resting { until: now + interval.mul_f64(chance(now, lane)) },
            State::Resting { until } if until <= now => {
                let oldest =
                    self.places(lane).filter(is_good).min_by_key(|place| self.links[*place].up_since);
                match oldest {
                    Some(place) if self.places(lane).filter(is_good).count() > 1 => State::Draining { place },
                    _ => rests,
                }
            }
            // It has gone by itself, or it is the last one that is good, and is to be used again.
            State::Draining { place }
                if !self.links[place].is_up() || !self.places(lane).any(|place| is_good(&place)) =>
            {
                rests
            }
            State::Connecting { place } if self.links[place].is_up() => rests,
            same => same,
        }
    }
}

/// A pause that is about as long as this one.
fn jittered(interval: Duration, chance: f64) -> Duration {
    let jitter = interval / JITTER_DIVISOR;
    interval - jitter + (2 * jitter).mul_f64(chance)
}

/// A number from 0 to 1. It is a matter of chance because no two frontends look at the same nanosecond.
fn chance(now: Time, lane: Lane) -> f64 {
    let mixed = now.as_nanos().wrapping_add(lane as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    f64::from((mixed >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn pauses_differ_by_a_tenth_at_most() {
        let pauses =
            (0..1000).map(|nanos| jittered(INTERVAL, chance(Time::from_nanos(nanos), Lane::Product)));
        let (least, most) =
            pauses.fold((INTERVAL, INTERVAL), |(least, most), it| (least.min(it), most.max(it)));
        let tenth = INTERVAL / 10;
        assert!((INTERVAL - tenth..INTERVAL - tenth * 9 / 10).contains(&least), "{least:?}");
        assert!((INTERVAL + tenth * 9 / 10..=INTERVAL + tenth).contains(&most), "{most:?}");
    }

    #[test]
    fn lanes_do_not_begin_together() {
        let now = Time::from_millis(1);
        let [one, other] = [Lane::Product, Lane::ProductWrites].map(|lane| chance(now, lane));
        assert!((one - other).abs() > 0.01, "{one} {other}");
    }
}
