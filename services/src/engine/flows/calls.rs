//! The calls of a [`Frontend`]: over which connection each is made, and when it is made again or not at all.

use std::mem;

use net::{Backend, Call, Out, Time};

use super::Frontend;
use crate::api::envelope::{OnBehalf, Request};
use crate::engine::flow::Flow;
use crate::engine::lane::Lane;
use crate::engine::parked::{Parked, Slot};

/// The fewest calls over a lane that make a queue. As many may always wait: they are answered within moments once their
/// database goes on, and by them it is seen that it does.
pub(super) const QUEUED_CALLS_MIN: usize = 16;

impl<F: Flow> Frontend<F> {
    /// Whether a database has fallen behind: calls queue up, and the oldest one has waited so long that one more would
    /// hardly be answered in time. Replies leave in order, so it would come after all others.
    pub(super) fn is_behind(&self, lane: Lane, now: Time, out: &Out<'_>) -> bool {
        let is_late = |since| now.since(since) >= self.deadlines.behind_after;
        let is_behind = |backend| out.owes_since(backend).is_some_and(is_late);
        let has_queue = self.calls[lane as usize] >= QUEUED_CALLS_MIN;
        has_queue && self.links.are_behind(lane, QUEUED_CALLS_MIN, is_behind)
    }

    /// Makes a call. If no connection stands, it waits for one as long as any call may take.
    pub(super) fn call(&mut self, mut parked: Parked<F>, out: &mut Out<'_>) {
        parked.waits_until = parked.deadline.min(out.now() + self.deadlines.call);
        self.call_again(parked, out);
    }

    /// Makes a call whose wait for a connection has begun.
    pub(super) fn call_again(&mut self, mut parked: Parked<F>, out: &mut Out<'_>) {
        let now = out.now();
        self.last_number += 1;
        parked.number = self.last_number;
        parked.backend = self.links.choose(parked.call.lane, now, |backend| out.owes_since(backend));
        let Parked { call, number, deadline, client_address, .. } = &parked;
        self.line.clear();
        let deadline_ms = || u64::try_from(deadline.since(now).as_millis()).unwrap_or(u64::MAX);
        let on_behalf =
            client_address.map(|client_address| OnBehalf { client_address, deadline_ms: deadline_ms() });
        Request::encode(&mut self.line, *number, call.api, on_behalf, &call.data);
        let (lane, backend, deadline) = (call.lane, parked.backend, *deadline);
        self.count_calls(lane, |calls| calls + 1);
        self.links.called(now, backend);
        let key = self.parked.insert(Slot::Flow(parked));
        out.call(backend, Call(key), &self.line, deadline);
    }

    /// Makes calls again that wait for a connection over which nothing comes, if there is a better one.
    pub(super) fn leave_silent(&mut self, now: Time, out: &mut Out<'_>) {
        while let Some(backend) = self.links.next_to_leave(now, |backend| out.owes_since(backend)) {
            let leaves = |parked: &Parked<F>| parked.backend == backend && parked.may_leave(now);
            let leaving = self.parked.iter().filter(|(_, slot)| slot.flow().is_some_and(leaves));
            for key in leaving.map(|(key, _)| key).collect::<Vec<_>>() {
                let number = self.parked[key].number();
                let slot = mem::replace(&mut self.parked[key], Slot::Nobody { number, backend });
                let Slot::Flow(mut parked) = slot else { unreachable!("a flow waits for it") };
                parked.repeated = true;
                self.count_calls(parked.call.lane, |calls| calls - 1);
                self.call(parked, out);
            }
        }
    }

    /// Has connections made anew that have been used for long enough.
    pub(super) fn renew_links(&mut self, now: Time, out: &mut Out<'_>) {
        while let Some(backend) = self.links.next_to_renew(now, |backend| out.owes_since(backend)) {
            out.renew(backend);
        }
    }

    /// Whether there is another connection for the calls of this one.
    pub(super) fn may_be_left(&self, backend: Backend) -> bool {
        self.links.are_several(self.links.lane(backend))
    }

    /// How many flows wait for a call.
    pub(super) fn flows(&self) -> usize {
        self.calls.iter().sum()
    }

    pub(super) fn count_calls(&mut self, lane: Lane, count: impl FnOnce(usize) -> usize) {
        let calls = &mut self.calls[lane as usize];
        *calls = count(*calls);
        self.metrics.calls[lane as usize].set(*calls as u64);
    }
}
