//! [`Links`]: the connections of each lane, and which of them a call takes. Where a lane has one, there is nothing to
//! choose.
//!
//! It makes no call and knows none: it counts them.

mod renewals;

use std::ops::Range;
use std::time::Duration;

use net::{Backend, Time};

use self::renewals::Renewals;
use super::backends::Backends;
use super::lane::Lane;
use crate::api::Database;

/// A connection over which the oldest call has waited for so long is left, where there is another one. Half of a call's
/// time if that is less, so that a call may be made elsewhere.
const SUSPECT_AFTER: Duration = Duration::from_millis(500);
/// The time until it is looked again whether a silent connection can be left that could not be.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// All connections of a frontend to databases.
pub(super) struct Links {
    links: Vec<Link>,
    /// Where those of each lane begin, and where the last ones end.
    starts: [usize; Lane::COUNT + 1],
    suspect_after: Duration,
    /// Where the search for the best one of each lane begins, so that equals take turns.
    turns: [usize; Lane::COUNT],
    /// When the next one may have been silent for too long. `None`: none owes anything.
    look_at: Option<Time>,
    renewals: Renewals,
}

struct Link {
    lane: Lane,
    /// The number of the address to which it leads.
    replica: usize,
    /// Since when it stands, if it does.
    up_since: Option<Time>,
    /// Calls that were handed to it and came to no end, those that were made again elsewhere among them.
    calls: usize,
    /// It is silent, and what can be made again elsewhere was.
    is_left: bool,
}

/// How good a choice a connection is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Up,
    /// It stands, and is to be made anew once it owes nothing.
    Draining,
    /// It stands, and nothing comes.
    Silent,
    Down,
}

impl Links {
    /// `call` is how long a call may take.
    pub(super) fn new(backends: &Backends, call: Duration) -> Self {
        let link = |(lane, replica)| Link { lane, replica, up_since: None, calls: 0, is_left: false };
        let links: Vec<Link> = backends.links().map(link).collect();
        let mut starts = [links.len(); Lane::COUNT + 1];
        for (place, link) in links.iter().enumerate().rev() {
            starts[link.lane as usize] = place;
        }
        let suspect_after = SUSPECT_AFTER.min(call / 2);
        let renewals = Renewals::new(backends);
        Self { links, starts, suspect_after, turns: [0; Lane::COUNT], look_at: None, renewals }
    }

    /// The lane of a connection.
    pub(super) fn lane(&self, Backend(place): Backend) -> Lane {
        self.links[place].lane
    }

    /// The number of the address to which a connection leads.
    pub(super) fn replica(&self, Backend(place): Backend) -> usize {
        self.links[place].replica
    }

    /// Whether a lane has several connections.
    pub(super) fn are_several(&self, lane: Lane) -> bool {
        self.of(lane).len() > 1
    }

    /// The connection that the next call over a lane takes: of those that stand and are not silent, the one with the
    /// fewest calls. `owes_since` tells since when the oldest call over one waits.
    pub(super) fn choose(
        &mut self,
        lane: Lane,
        now: Time,
        owes_since: impl Fn(Backend) -> Option<Time>,
    ) -> Backend {
        let places = self.places(lane);
        if places.len() == 1 {
            return Backend(places.start);
        }
        let turn = &mut self.turns[lane as usize];
        *turn = (*turn + 1) % places.len();
        let begin = places.start + *turn;
        let in_turn = (begin..places.end).chain(places.start..begin);
        let best =
            in_turn.min_by_key(|place| (self.rank(*place, now, &owes_since), self.links[*place].calls));
        Backend(best.expect("each lane has a connection"))
    }

    /// A call was handed to a connection.
    pub(super) fn called(&mut self, now: Time, Backend(place): Backend) {
        self.links[place].calls += 1;
        self.look(now, place);
    }

    /// A call has come to its end: it is answered, or lost.
    pub(super) fn ended(&mut self, Backend(place): Backend, is_answered: bool) {
        let link = &mut self.links[place];
        link.calls -= 1;
        link.is_left &= !is_answered;
    }

    /// The calls that have come to no end.
    pub(super) fn calls(&self) -> usize {
        self.links.iter().map(|link| link.calls).sum()
    }

    /// A connection stands.
    pub(super) fn is_up(&mut self, now: Time, Backend(place): Backend) {
        self.links[place].up_since = Some(now);
        self.look(now, place);
    }

    /// A connection is gone, or could not be made. Returns whether it stood.
    pub(super) fn is_down(&mut self, Backend(place): Backend) -> bool {
        let link = &mut self.links[place];
        link.is_left = false;
        link.up_since.take().is_some()
    }

    /// Whether all connections to an address stand.
    pub(super) fn all_are_up(&self, replica: usize) -> bool {
        self.links.iter().all(|link| link.replica != replica || link.is_up())
    }

    /// Whether a connection of each kind to a database stands.
    pub(super) fn reach(&self, database: Database) -> bool {
        let is_up = |lane| self.of(lane).iter().any(Link::is_up);
        Lane::all().all(|lane| lane.database() != database || is_up(lane))
    }

    /// Whether each of a lane's connections that stand has at least so many calls, of which the oldest has waited for so
    /// long, and one stands.
    pub(super) fn are_behind(&self, lane: Lane, calls_min: usize, is_late: impl Fn(Backend) -> bool) -> bool {
        let start = self.starts[lane as usize];
        let mut standing = self.of(lane).iter().enumerate().filter(|(_, link)| link.is_up()).peekable();
        standing.peek().is_some()
            && standing.all(|(place, link)| link.calls >= calls_min && is_late(Backend(start + place)))
    }

    /// A connection that has become silent and for which there is a better one: what can be made again of its calls
    /// should be. Each is returned once, until it has answered.
    pub(super) fn next_to_leave(
        &mut self,
        now: Time,
        owes_since: impl Fn(Backend) -> Option<Time>,
    ) -> Option<Backend> {
        self.look_at.take_if(|at| *at <= now)?;
        for place in 0..self.links.len() {
            let lane = self.links[place].lane;
            let Some(since) = owes_since(Backend(place)).filter(|_| self.are_several(lane)) else { continue };
            let is_silent = self.rank(place, now, &owes_since) == Rank::Silent;
            let places = self.places(lane);
            let is_better = |other: usize| self.rank(other, now, &owes_since) == Rank::Up;
            if !is_silent {
                self.look_by(since + self.suspect_after);
            } else if !self.links[place].is_left && places.into_iter().any(is_better) {
                self.links[place].is_left = true;
                // There may be more.
                self.look_by(now);
                return Some(Backend(place));
            } else if !self.links[place].is_left {
                self.look_by(now + LOOK_AGAIN_AFTER);
            }
        }
        None
    }

    /// When [`Links::next_to_leave`] is to be asked next.
    pub(super) fn look_at(&self) -> Option<Time> {
        self.look_at
    }

    fn of(&self, lane: Lane) -> &[Link] {
        &self.links[self.places(lane)]
    }

    fn places(&self, lane: Lane) -> Range<usize> {
        self.starts[lane as usize]..self.starts[lane as usize + 1]
    }

    fn rank(&self, place: usize, now: Time, owes_since: &impl Fn(Backend) -> Option<Time>) -> Rank {
        let is_silent =
            || owes_since(Backend(place)).is_some_and(|since| now.since(since) >= self.suspect_after);
        match self.links[place].is_up() {
            false => Rank::Down,
            true if is_silent() => Rank::Silent,
            true if self.renewals.is_draining(place) => Rank::Draining,
            true => Rank::Up,
        }
    }

    /// A connection may owe something from now on.
    fn look(&mut self, now: Time, place: usize) {
        if self.look_at.is_none() && self.are_several(self.links[place].lane) {
            self.look_at = Some(now + self.suspect_after);
        }
    }

    fn look_by(&mut self, at: Time) {
        self.look_at = Some(self.look_at.map_or(at, |look_at| look_at.min(at)));
    }
}

impl Link {
    fn is_up(&self) -> bool {
        self.up_since.is_some()
    }
}
