//! What leaves the pool, and over which connection.

use super::Pool;
use super::asked::Asked;
use super::lane::{Departed, Room};
use super::place::Place;

impl Pool {
    /// Sends what may leave. Several lanes share a connection while others are down, so the one comes first that has waited
    /// longest for its turn.
    pub(super) fn dispatch(&mut self) {
        let may_leave = |lane: &usize| self.is_open || *lane == self.lane_of_first();
        let waits = |lane: &usize| self.lanes[*lane].len() > 0 && may_leave(lane);
        let mut lanes: Vec<usize> = (0..self.lanes.len()).filter(waits).collect();
        lanes.sort_by_key(|lane| self.lanes[*lane].departed_last);
        for lane in lanes {
            if lane < self.places.len() {
                self.dispatch_lane(lane);
            } else {
                self.dispatch_keyless(lane);
            }
        }
        for place in 0..self.places.len() {
            self.settle(place);
        }
    }

    /// A lane leads to the connection where it is at home, or else to the next one that is ready. One that may not answer for
    /// long is the last to be taken. That another has nothing to do is no reason to take that one: with few clients more
    /// connections then share the same processors, and fewer lookups a flight, which has cost more than the wait.
    fn dispatch_lane(&mut self, lane: usize) {
        let count = self.places.len();
        let places =
            (0..count).map(|step| (lane + step) % count).filter(|place| self.places[*place].is_ready());
        if let Some(place) = places.min_by_key(|place| self.places[*place].is_doubtful()) {
            let room = self.room(place);
            self.depart(lane, place, room);
        }
    }

    /// What has no key goes to wherever the least is under way, one after another.
    fn dispatch_keyless(&mut self, lane: usize) {
        loop {
            let roomy = (0..self.places.len()).filter(|place| self.room(*place).reads > 0);
            let load = |place: &usize| (self.places[*place].is_doubtful(), self.places[*place].load());
            let Some(place) = roomy.min_by_key(load) else { return };
            let room = Room { reads: 1, ..self.room(place) };
            if !self.depart(lane, place, room) {
                return;
            }
        }
    }

    /// What a connection takes. While commits are not answered, one at a time is tried.
    fn room(&self, place: usize) -> Room {
        let room = self.places[place].room(self.group_max);
        if self.commits.are_stalled() && self.places.iter().any(Place::is_doubtful) {
            return Room { writes: 0, ..room };
        }
        room
    }

    /// Sends what may leave a lane over a connection. Returns whether anything did.
    fn depart(&mut self, lane: usize, place: usize, room: Room) -> bool {
        if room.reads + room.writes == 0 || self.lanes[lane].len() == 0 {
            return false;
        }
        let Departed { reads, writes } = self.lanes[lane].depart(self.now, room);
        let (lookups, reads): (Vec<_>, Vec<_>) = reads.into_iter().partition(Asked::is_lookup);
        let flights = [lookups].into_iter().chain(reads.into_iter().map(|read| vec![read])).chain([writes]);
        let flights: Vec<_> = flights.filter(|members| !members.is_empty()).collect();
        if flights.is_empty() {
            return false;
        }
        self.departures += 1;
        self.lanes[lane].departed_last = self.departures;
        for members in flights {
            self.metrics.sends(&members);
            self.places[place].send(self.now, lane, members, self.commits.doublings());
        }
        true
    }
}
