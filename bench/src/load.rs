//! [`Load`]: the service that drives all clients of a run, each over a connection of its own, and records what it sees.
//!
//! It goes through stages: each begins for all clients at once, when the last of them has ended the one before. Times
//! are those of the event loop's turns: a call begins with the turn in which it is written and ends with the turn that
//! reads its reply, so the generator's own work counts as response time, and in a closed loop the response times of a
//! client add up to the whole run. It makes no system call but to drain its reactor; what its clients say is their own
//! knowledge.

mod break_off;
mod call;
mod stage;

use std::collections::VecDeque;
use std::time::Duration;

use net::reactor::Handle;
use net::{Call, Event, Out, Service, Time, Worker};

use crate::api::Api;
use crate::client::{Client, World};
use crate::length::Length;
use crate::pace::Schedule;
use crate::record::Record;
use call::InFlight;

pub(crate) use call::{CANNOT_CONNECT, CONNECTION_LOST};
pub(crate) use stage::{Observer, Stage, Verdict, Workload};

/// Clients that are set up at the same time. Hashing a password is slow on purpose, and frontends refuse a flood.
const SETUPS_MAX: usize = 64;

/// The observer is asked at least so often whether to go on, also while nobody answers.
const TICK: Duration = Duration::from_millis(100);

/// All clients of a run.
pub(crate) struct Load<'a> {
    slots: Vec<Slot>,
    world: World,
    workload: Workload,
    /// Reply lengths by API, if the clients call a relay.
    relay: Option<[usize; Api::COUNT]>,
    stage: Stage,
    /// Clients that have not ended the stage.
    busy: usize,
    /// Clients whose setup has not begun.
    waiting: VecDeque<usize>,
    /// The stage that begins after this moment, when the observer was told: what it does then must not count.
    next: Option<(Stage, Time)>,
    /// When the run is ended although it is not torn down. Only one that was broken off has such a moment.
    give_up_at: Option<Time>,
    schedule: Option<Schedule>,
    /// Scheduled calls whose moment has come.
    due: usize,
    /// The pacer's wake-up is on its way.
    pacing: bool,
    pacer: Box<dyn Worker<Duration, ()>>,
    measured: usize,
    record: Record,
    observer: &'a mut dyn Observer,
    reactor: Handle,
}

struct Slot {
    client: Client,
    in_flight: Option<InFlight>,
    /// The request of the last call.
    line: Vec<u8>,
    /// Calls of the stage that were begun.
    begun: usize,
    /// Calls of the stage.
    calls: usize,
    /// How many calls have failed, or were made again, since the last one that was right.
    failures: usize,
}

impl<'a> Load<'a> {
    /// `matches` are those of the search before the run. Of the clients, those that take part in the mix stand first;
    /// each is the backend of its place. The reactor is drained when all is done.
    pub(crate) fn new(
        clients: Vec<Client>,
        matches: u64,
        workload: Workload,
        pacer: Box<dyn Worker<Duration, ()>>,
        observer: &'a mut dyn Observer,
        reactor: Handle,
    ) -> Self {
        assert!(clients.is_sorted_by_key(|client| !client.takes_part()), "those that take part stand first");
        let slot =
            |client| Slot { client, in_flight: None, line: Vec::new(), begun: 0, calls: 0, failures: 0 };
        Self {
            slots: clients.into_iter().map(slot).collect(),
            world: World::new(matches),
            workload,
            relay: None,
            stage: Stage::Setup,
            busy: 0,
            waiting: VecDeque::new(),
            next: Some((Stage::Setup, Time::default())),
            give_up_at: None,
            schedule: None,
            due: 0,
            pacing: false,
            pacer,
            measured: 0,
            record: Record::new(),
            observer,
            reactor,
        }
    }

    /// The clients call a relay, which answers with lines of these lengths. They pretend to be set up.
    pub(crate) fn for_relay(mut self, reply_bytes: [usize; Api::COUNT]) -> Self {
        self.relay = Some(reply_bytes);
        if self.slots.iter().any(|slot| slot.client.is_seller()) {
            self.world.add_item("1:100", 100, true);
        }
        for slot in &mut self.slots {
            slot.client.pretend();
        }
        self
    }

    /// What was recorded. Of an item whose registration was not answered nobody knows whether it is for sale.
    pub(crate) fn into_record(mut self) -> Record {
        let registers = |slot: &Slot| {
            slot.in_flight.as_ref().is_some_and(|call| call.api == Api::RegisterItemForSale)
                && self.relay.is_none()
        };
        let left = |slot: &Slot| slot.client.items_for_sale() + usize::from(registers(slot));
        self.record.left_for_sale = self.slots.iter().map(left).sum();
        self.record
    }

    fn begin(&mut self, now: Time, stage: Stage, out: &mut Out<'_>) {
        self.stage = stage;
        for slot in &mut self.slots {
            let client = &slot.client;
            slot.begun = 0;
            slot.calls = match stage {
                // The relay needs no accounts, but connections.
                Stage::Setup if self.relay.is_some() => 1,
                Stage::Setup => client.setup_len(),
                Stage::Warmup if client.takes_part() => self.workload.warmup,
                Stage::Measure if client.takes_part() => match self.workload.length {
                    Length::Calls(calls) => calls,
                    Length::Time(_) => usize::MAX,
                },
                // Each client goes on until nothing is left to do.
                Stage::Teardown => usize::from(self.relay.is_none() && client.has_teardown()),
                Stage::Warmup | Stage::Measure | Stage::Done => 0,
            };
        }
        let taking_part: Vec<usize> = (0..self.slots.len()).filter(|&n| self.slots[n].calls > 0).collect();
        self.busy = taking_part.len();
        match stage {
            Stage::Done => self.reactor.drain(),
            _ if self.busy == 0 => self.end_stage(now),
            Stage::Setup => {
                self.waiting = taking_part.into();
                for _ in 0..SETUPS_MAX.min(self.waiting.len()) {
                    self.begin_next_setup(now, out);
                }
            }
            Stage::Measure => {
                (self.record.started_at, self.record.ended_at) = (now, now);
                match self.workload.rate {
                    Some(rate) => self.begin_schedule(now, rate),
                    None => taking_part.into_iter().for_each(|number| self.call(now, number, now, out)),
                }
            }
            Stage::Warmup | Stage::Teardown => {
                taking_part.into_iter().for_each(|number| self.call(now, number, now, out));
            }
        }
    }

    fn end_stage(&mut self, now: Time) {
        let next = match self.stage {
            Stage::Setup => {
                self.world.matches += self.world.matching_items();
                Stage::Warmup
            }
            Stage::Warmup => Stage::Measure,
            Stage::Measure => {
                self.schedule = None;
                self.record.is_complete = true;
                Stage::Teardown
            }
            Stage::Teardown | Stage::Done => Stage::Done,
        };
        self.observer.stage(next);
        self.next = Some((next, now));
    }

    fn begin_next_setup(&mut self, now: Time, out: &mut Out<'_>) {
        if let Some(number) = self.waiting.pop_front() {
            self.call(now, number, now, out);
        }
    }

    /// Goes on with a client whose call has ended.
    fn go_on(&mut self, now: Time, number: usize, out: &mut Out<'_>) {
        let Slot { ref client, begun, calls, .. } = self.slots[number];
        let more = match self.stage {
            Stage::Teardown => client.has_teardown(),
            Stage::Measure if self.is_over(now) => self.end_measuring(number),
            _ => begun < calls,
        };
        if more {
            match &self.schedule {
                None => self.call(now, number, now, out),
                // What fell due while the client was busy is sent at once, and counts from its moment.
                Some(schedule) => {
                    let since = schedule.due_of_client(number, begun);
                    if since <= now {
                        self.call(now, number, since, out);
                    }
                }
            }
            return;
        }
        self.busy -= 1;
        if self.busy == 0 {
            self.end_stage(now);
        } else if self.stage == Stage::Setup {
            self.begin_next_setup(now, out);
        }
    }

    /// Sees to it that each client makes those of the calls that are due to it. Where there are fewer calls than clients,
    /// some have none.
    fn begin_schedule(&mut self, now: Time, rate: f64) {
        let schedule = Schedule::new(now, rate, self.busy, self.workload.length);
        for (number, slot) in self.slots.iter_mut().take(self.busy).enumerate() {
            slot.calls = schedule.calls_of_client(number);
        }
        self.busy = self.busy.min(schedule.calls());
        self.schedule = Some(schedule);
    }

    /// Whether the time is up for which calls may begin.
    fn is_over(&self, now: Time) -> bool {
        self.workload.length.is_over(now.since(self.record.started_at))
    }

    /// Ends what a client measures, as its time is up. What fell due while it was busy is never made. It has no more
    /// calls, which is returned.
    fn end_measuring(&mut self, number: usize) -> bool {
        let slot = &mut self.slots[number];
        if self.schedule.is_some() {
            self.record.unmade += (slot.calls - slot.begun) as u64;
        }
        slot.calls = slot.begun;
        false
    }

    /// What holds between any two turns, whatever the services answer.
    fn invariants(&self) {
        assert!(self.next.is_none() || (self.busy == 0 && self.stage != Stage::Done), "a stage has ended");
        assert!(self.schedule.is_none() || self.stage == Stage::Measure, "only measured calls are scheduled");
        let sets_up = matches!(self.stage, Stage::Setup | Stage::Done);
        assert!(self.waiting.is_empty() || sets_up, "clients wait for their setup only");
        let most = self.workload.length.steps(self.slots.len());
        let is_timed = matches!(self.workload.length, Length::Time(_));
        assert!(is_timed || self.measured <= most, "so many calls were asked for");
        let in_flight = || self.slots.iter().filter(|slot| slot.in_flight.is_some()).count();
        let is_regular = self.stage != Stage::Done && self.give_up_at.is_none();
        debug_assert!(!is_regular || in_flight() <= self.busy, "who has a call in flight is busy");
    }

    /// Makes the scheduled calls whose moment has come, of clients that are free, and sees to being woken for the next.
    fn follow_schedule(&mut self, now: Time, out: &mut Out<'_>) {
        let Some(schedule) = self.schedule else { return };
        let all = schedule.calls();
        while self.due < all && schedule.due(self.due) <= now {
            let (number, since) = (schedule.client(self.due), schedule.due(self.due));
            let slot = &self.slots[number];
            if slot.in_flight.is_none() && slot.begun < slot.calls {
                self.record.late(now.since(since));
                self.call(now, number, since, out);
            }
            self.due += 1;
        }
        if self.due < all && !self.pacing {
            self.pacing = true;
            self.pacer.submit(schedule.due(self.due).since(now));
        }
    }
}

impl Service for Load<'_> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        let Event::Reply(Call(number), reply) = event else { return };
        // What is in flight when a run is broken off is of no interest.
        if self.stage == Stage::Done {
            return;
        }
        let broken_off = self.give_up_at.is_some();
        if let Err(lost) = reply
            && !broken_off
            && self.repeat(now, number, lost, out)
        {
            return;
        }
        let right = self.take(now, number, reply);
        if broken_off {
            self.clean_up(now, number, right, out);
        } else if self.has_failed_too_often(number, right) {
            self.break_off(now, out);
        } else {
            self.go_on(now, number, out);
        }
        self.invariants();
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        while self.pacer.poll().is_some() {
            self.pacing = false;
        }
        if let Some((stage, _)) = self.next.take_if(|(_, told_at)| *told_at < now) {
            self.begin(now, stage, out);
        }
        self.follow_schedule(now, out);
        if self.stage != Stage::Done {
            match self.observer.progress(self.measured) {
                Verdict::GoOn => {}
                Verdict::BreakOff => self.break_off(now, out),
                Verdict::GiveUp => self.end(),
            }
        }
        if self.stage != Stage::Done && self.give_up_at.is_some_and(|at| at <= now) {
            self.end();
        }
        // The next stage begins in the next turn, which is to come at once.
        let pause = if self.next.is_some() { Duration::ZERO } else { TICK };
        out.wake_at((self.stage != Stage::Done).then(|| now + pause));
        self.invariants();
    }

    fn is_drained(&self) -> bool {
        self.stage == Stage::Done
    }
}

#[cfg(test)]
mod tests;
