//! How a run ends before its time: nothing more is measured, and what it has put up for sale is taken off the market.

use net::{Out, Time};

use super::{Load, Slot, Stage};

impl Load<'_> {
    /// Ends what is measured, whatever is left of it. The sellers still take their items off the market, each with one
    /// attempt for each item and as long as none fails, once what they have called is answered.
    pub(super) fn break_off(&mut self, now: Time, out: &mut Out<'_>) {
        if self.give_up_at.is_some() {
            return;
        }
        self.give_up_at = Some(now + self.workload.cleanup_max);
        if self.relay.is_some() || self.workload.cleanup_max.is_zero() {
            return self.end();
        }
        self.next = None;
        self.schedule = None;
        self.waiting.clear();
        self.stage = Stage::Teardown;
        self.busy = 0;
        for number in 0..self.slots.len() {
            let Slot { client, in_flight, begun, .. } = &mut self.slots[number];
            client.confirm_nothing();
            *begun = 0;
            let begins = in_flight.is_none() && client.has_teardown();
            self.busy += usize::from(begins || (in_flight.is_some() && client.is_seller()));
            if begins {
                self.call(now, number, now, out);
            }
        }
        if self.busy == 0 {
            return self.end();
        }
        self.observer.stage(Stage::Teardown);
    }

    /// Goes on with the teardown of a run that was broken off, with a client whose call has ended.
    pub(super) fn clean_up(&mut self, now: Time, number: usize, right: bool, out: &mut Out<'_>) {
        let Slot { client, begun, .. } = &self.slots[number];
        let first = *begun == 0;
        if client.has_teardown() && (right || first) {
            return self.call(now, number, now, out);
        }
        self.busy -= usize::from(client.is_seller());
        if self.busy == 0 {
            self.end();
        }
    }

    /// Ends the run at once.
    pub(super) fn end(&mut self) {
        self.stage = Stage::Done;
        self.next = None;
        self.schedule = None;
        self.observer.stage(Stage::Done);
        self.reactor.drain();
    }
}
