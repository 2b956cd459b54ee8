//! [`Frontend`]: the service around a [`Flow`]. It decodes requests, lets the flow decide which database to
//! call, parks the flow under its call and resumes it with the reply.
//!
//! Time starts a flow too, that of its recovery, if it has one: it is a flow like any other, but it answers nobody.
//!
//! It keeps nothing between requests, and does not know what the APIs do.

mod calls;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use net::{Backend, Call, Conn, Event, Lost, Metrics, Out, Service, Time};
use slab::Slab;

use super::backends::Backends;
use super::call::DatabaseCall;
use super::caller::Caller;
use super::databases::Databases;
use super::fair_queue::{FairQueue, Popped};
use super::flow::{Flow, Starter, Step};
use super::greeting::Greeting;
use super::intake::Intake;
use super::lane::{Deadlines, Lane, PASSWORD_CALLS_FOR};
use super::links::Links;
use super::metrics::{FrontendMetrics, UNKNOWN};
use super::parked::{Client, Origin, Parked, Slot};
use super::recoveries::Recoveries;
use super::secrets::Secrets;
use crate::api::accounts::ChangePassword;
use crate::api::envelope::{self, Reply, Request};
use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::api::service::END;
use crate::api::sessions::{Login, SessionCheck};
use crate::api::values::Role;
use crate::api::{Api, Database, Effect};

/// The calls for which a password is compared with that of an account.
const CHECKING_PASSWORDS: [&str; 2] =
    [<Login<Role> as Api>::NAME, <ChangePassword<SessionCheck> as Api>::NAME];

/// A frontend as a service.
pub(crate) struct Frontend<F: Flow> {
    /// The requests in flight, by the number of their call. The node lets each connection have one.
    parked: Slab<Slot<F>>,
    /// How many of them wait for which lane.
    calls: [usize; Lane::COUNT],
    links: Links,
    /// Those that wait for their turn to call, because a password is to be hashed for them.
    passwords: FairQueue<Parked<F>>,
    deadlines: Deadlines,
    intake: Intake<Starter<F>>,
    metrics: Arc<FrontendMetrics>,
    databases: Databases,
    greeting: Greeting,
    recoveries: Recoveries,
    /// The number of the last call. Each call, repeated or not, has one of its own, and its reply must carry it.
    last_number: u64,
    /// The line that is being written; kept for its memory.
    line: Vec<u8>,
}

impl<F: Flow> Frontend<F> {
    /// `secrets`, if any, is what it shows the databases.
    pub(crate) fn new(deadlines: Deadlines, secrets: Option<Secrets>, backends: &Backends) -> Self {
        let names = Database::ALL.map(Database::name);
        let lanes = Lane::all().map(Lane::name).collect();
        let apis = F::APIS.iter().map(|entry| entry.name);
        let recovered = F::RECOVERY.map(|recovery| recovery.metric);
        let passwords_max = Lane::CustomerPasswords.calls_max().expect("passwords take turns");
        let passwords = FairQueue::new(passwords_max, PASSWORD_CALLS_FOR);
        let metrics = FrontendMetrics::new(apis, lanes, names, passwords.metrics(), recovered);
        let metrics = Arc::new(metrics);
        Self {
            parked: Slab::new(),
            calls: [0; Lane::COUNT],
            links: Links::new(backends, deadlines.call),
            passwords,
            deadlines,
            intake: Intake::new(F::SERVICE, F::APIS, Arc::clone(&metrics.requests)),
            databases: Databases::new(backends, &metrics.databases),
            metrics,
            greeting: Greeting::new(secrets),
            recoveries: Recoveries::new(F::RECOVERY.is_some()),
            last_number: 0,
            line: Vec::new(),
        }
    }

    fn start(&mut self, now: Time, conn: Conn, line: &[u8], out: &mut Out<'_>) {
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err(malformed) => {
                let (_, started) = self.intake.find(UNKNOWN, now);
                let client = Client { conn, id: malformed.id.into(), started, may_have_changed: false };
                return self.refuse(&client, &malformed.error, out);
            }
        };
        let (entry, started) = self.intake.find(&request.api, now);
        let client = Client { conn, id: request.id.into(), started, may_have_changed: false };
        let step = Fields::parse(request.data).and_then(|fields| match entry {
            Some(entry) => (entry.handler)(fields),
            None => Ok(Step::reply(&self.intake.answer_any(&request.api, fields, None)?)),
        });
        self.take(Origin::Client(client), step, None, out);
    }

    /// Begins a recovery, if it is time for one.
    fn recover(&mut self, now: Time, out: &mut Out<'_>) {
        if let Some(recovery) = F::RECOVERY
            && self.recoveries.begin(now)
        {
            self.take(Origin::Recovery, Ok((recovery.start)()), None, out);
        }
    }

    fn resume(&mut self, now: Time, key: usize, result: Result<&[u8], Lost>, out: &mut Out<'_>) {
        let slot = self.parked.remove(key);
        let mut parked = match slot {
            Slot::Flow(parked) => parked,
            Slot::Nobody { backend, .. } => return self.links.ended(backend, result.is_ok()),
        };
        self.links.ended(parked.backend, result.is_ok());
        self.count_calls(parked.call.lane, |calls| calls - 1);
        let is_in_turn = parked.call.lane.calls_max().is_some();
        if let Origin::Client(client) = &mut parked.origin {
            client.may_have_changed |= parked.call.effect.is_write();
        }
        let reply = match result {
            Ok(line) => {
                let reply =
                    Reply::to_call(line, parked.number).expect("the node has asked whether it is one");
                if is_in_turn {
                    match reply.error_code() {
                        // It has waited for a store that is away, or for its turn.
                        Some(Code::Unavailable) => self.passwords.lost(now),
                        _ => self.passwords.done(now),
                    }
                    if CHECKING_PASSWORDS.contains(&parked.call.api) {
                        self.note_password(now, parked.client_address, reply.error_code());
                    }
                }
                Ok(reply)
            }
            // Nobody has seen it.
            Err(Lost::Returned) if now < parked.deadline => return self.call(parked, out),
            Err(Lost::Unsent) if now < parked.waits_until && self.may_be_left(parked.backend) => {
                return self.call_again(parked, out);
            }
            // The connection broke: the database may be on its way back.
            Err(Lost::Unanswered) if parked.call.effect != Effect::Once && now < parked.deadline => {
                parked.repeated = true;
                return self.call(parked, out);
            }
            Err(lost) => {
                if lost == Lost::Overloaded {
                    self.metrics.refusals[parked.call.lane as usize].full.add(1);
                }
                if is_in_turn {
                    self.passwords.lost(now);
                }
                Err(parked.lost(lost))
            }
        };
        let to_relay = reply.as_ref().ok().copied();
        self.take(parked.origin, parked.flow.resume(reply), to_relay, out);
        if is_in_turn {
            self.call_in_turn(now, out);
        }
    }

    /// Takes a step of a flow, or ends it; `reply` is what the step may relay.
    fn take(
        &mut self,
        origin: Origin,
        step: Result<Step<F>, Error>,
        reply: Option<Reply<'_>>,
        out: &mut Out<'_>,
    ) {
        match (step, origin) {
            (Ok(Step::Call(call, flow)), origin) => self.park(origin, call, flow, out),
            (Ok(Step::Relay), Origin::Client(client)) => {
                let reply = reply.expect("only a reply is relayed");
                out.send_vectored(client.conn, &reply.with_id(&client.id));
                self.intake.answered(client.started, reply.error_code(), out);
            }
            (Ok(Step::Reply(data)), Origin::Client(client)) => {
                self.line.clear();
                envelope::begin_ok(&mut self.line, &client.id);
                self.line.extend_from_slice(&data);
                envelope::end_ok(&mut self.line);
                out.send(client.conn, &self.line);
                self.intake.answered(client.started, None, out);
            }
            (Err(error), Origin::Client(client)) => self.refuse(&client, &error, out),
            (Ok(Step::Fork { calls, is_more }), Origin::Recovery) => {
                self.recoveries.fork(out.now(), calls.len(), is_more);
                calls.into_iter().for_each(|(call, flow)| self.park(Origin::Recovery, call, flow, out));
            }
            (Ok(Step::Recovered), Origin::Recovery) => {
                self.metrics.count_recovered();
                self.recoveries.end(out.now());
            }
            (Err(error), Origin::Recovery) => self.recoveries.fail(out.now(), &error),
            (Ok(Step::Relay | Step::Reply(_)), Origin::Recovery)
            | (Ok(Step::Fork { .. } | Step::Recovered), Origin::Client(_)) => {
                unreachable!("a client is answered, and a recovery is not")
            }
        }
    }

    /// Makes the first attempt of a call, and lets the flow wait for its reply.
    fn park(&mut self, origin: Origin, call: DatabaseCall, flow: F, out: &mut Out<'_>) {
        let now = out.now();
        let patience = call.lane.patience(&self.deadlines);
        let is_in_turn = call.lane.calls_max().is_some();
        let mut parked = Parked {
            origin,
            call,
            client_address: None,
            number: 0,
            backend: Backend(0),
            deadline: now + patience,
            waits_until: now,
            repeated: false,
            flow,
        };
        if !is_in_turn {
            return if parked.is_refusable() && self.is_behind(parked.call.lane, now, out) {
                self.metrics.refusals[parked.call.lane as usize].behind.add(1);
                let error = parked.refused_early();
                let step = parked.flow.resume(Err(error));
                self.take(parked.origin, step, None, out);
            } else {
                self.call(parked, out);
            };
        }
        let Origin::Client(Client { conn, .. }) = &parked.origin else {
            unreachable!("a recovery knows no password");
        };
        // A client that is gone needs no turn.
        let Some(address) = out.peer_address(*conn).map(|peer| peer.ip()) else {
            return self.drop_stale(parked, out);
        };
        parked.client_address = Some(address);
        let caller = Caller::new(address, now, patience);
        let account = parked.call.account.clone();
        if let Some((refused, error)) = self.passwords.push(now, caller, &account, parked) {
            self.take(refused.origin, Err(error), None, out);
        }
        self.call_in_turn(now, out);
    }

    /// Takes note of whether a password was right, which decides whose turn is next.
    fn note_password(&mut self, now: Time, client_address: Option<IpAddr>, error: Option<Code>) {
        let network = client_address.expect("calls with passwords are on behalf of a client").into();
        match error {
            None => self.passwords.succeeded(now, network),
            Some(Code::AuthFailed) => self.passwords.failed(now, network),
            // The password was not looked at.
            Some(_) => {}
        }
    }

    /// Makes the calls with passwords whose turn has come.
    fn call_in_turn(&mut self, now: Time, out: &mut Out<'_>) {
        while let Some(popped) = self.passwords.pop(now, |_, _| false) {
            match popped {
                Popped::Next(parked) => self.call(parked, out),
                Popped::Stale(parked) => self.drop_stale(parked, out),
            }
        }
    }

    /// Drops what has waited for its turn until it was too late, or until its client was gone.
    fn drop_stale(&mut self, parked: Parked<F>, out: &mut Out<'_>) {
        let error = self.passwords.stale();
        self.take(parked.origin, Err(error), None, out);
    }

    /// Drops what waits for its turn and need not any more.
    fn drop_waiting(&mut self, is_dropped: impl FnMut(Time, &Parked<F>) -> bool, out: &mut Out<'_>) {
        for parked in self.passwords.take_if(is_dropped) {
            self.drop_stale(parked, out);
        }
    }

    fn refuse(&mut self, client: &Client, error: &Error, out: &mut Out<'_>) {
        self.send_error(client.conn, &client.id, error, out);
        self.intake.answered(client.started, Some(error.code), out);
    }

    fn send_error(&mut self, conn: Conn, id: &str, error: &Error, out: &mut Out<'_>) {
        self.line.clear();
        envelope::encode_error(&mut self.line, id, error);
        out.send(conn, &self.line);
    }

    /// What is true between any two events: each flow waits for one call.
    fn invariants(&self) {
        let flows = || self.parked.iter().filter_map(|(_, slot)| slot.flow());
        assert!(self.flows() <= self.parked.len(), "each flow waits for one call");
        debug_assert_eq!(self.flows(), flows().count(), "each flow waits for one call");
        debug_assert_eq!(self.links.calls(), self.parked.len(), "each call is over a connection");
        debug_assert!(
            self.parked.iter().all(|(_, slot)| slot.number() <= self.last_number),
            "numbers count up"
        );
        debug_assert_eq!(
            flows().filter(|parked| matches!(parked.origin, Origin::Recovery)).count(),
            self.recoveries.under_way(),
            "no client waits for what recoveries have under way"
        );
        self.recoveries.invariants();
    }
}

impl<F: Flow> Service for Frontend<F> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => self.start(now, conn, line, out),
            Event::Reply(Call(key), result) => self.resume(now, key, result, out),
            Event::Reject(conn, reject) => self.send_error(conn, "null", &reject.into(), out),
            // A request goes on without its client: a vote that is counted for an item is to be counted for the
            // seller too. What was not begun is not.
            Event::Closed(conn) if !self.passwords.is_empty() => {
                let is_of = |parked: &Parked<F>| matches!(&parked.origin, Origin::Client(client) if client.conn == conn);
                self.drop_waiting(|_, parked| is_of(parked), out);
            }
            Event::Closed(_) => {}
            Event::Up(backend) => {
                self.links.is_up(now, backend);
                self.databases.link_is_up(now, backend, &self.links);
            }
            Event::Down(backend, reason) => {
                let was_up = self.links.is_down(backend);
                self.databases.link_is_down(now, backend, was_up, reason, &self.links);
            }
            Event::Stream(..) => unreachable!("databases are told lines"),
            Event::Timer => {
                self.drop_waiting(|deadline, _| deadline <= now, out);
                self.recover(now, out);
            }
            Event::Drain => self.recoveries.drain(),
            Event::Wake => {}
        }
        self.invariants();
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        self.renew_links(now, out);
        self.leave_silent(now, out);
        let links = [self.links.look_at(), self.links.renew_at()];
        let next = [self.recoveries.next_at(), self.passwords.next_deadline()].into_iter().chain(links);
        out.wake_at(next.flatten().min());
    }

    fn greeting(&self, backend: Backend, number: usize) -> Option<Cow<'static, [u8]>> {
        self.greeting.line(number, self.may_be_left(backend)).map(Cow::Owned)
    }

    fn check_greeting(&self, backend: Backend, number: usize, line: &[u8]) -> Result<(), Cow<'static, str>> {
        self.greeting.check(self.links.lane(backend), number, line)
    }

    fn is_end(&self, backend: Backend, line: &[u8]) -> bool {
        line == END && self.may_be_left(backend)
    }

    fn is_reply(&self, Call(key): Call, line: &[u8]) -> bool {
        let slot = self.parked.get(key).expect("a call waits until it is answered");
        Reply::to_call(line, slot.number()).is_some() && std::str::from_utf8(line).is_ok()
    }

    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        Some(Arc::clone(&self.metrics) as Arc<dyn Metrics>)
    }

    /// Nothing is under way but what recoveries may leave.
    fn is_drained(&self) -> bool {
        self.flows() == self.recoveries.under_way() && self.passwords.is_empty()
    }
}

#[cfg(test)]
mod tests;
