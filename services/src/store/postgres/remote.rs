//! [`Remote`]: the service around a [`RemoteDomain`]. It decodes requests, has the transactions that follow from them
//! carried out by the [`Pool`], and releases replies in the order of the requests.
//!
//! It keeps nothing of what is stored, so any number of it may run. It knows neither what the APIs do nor how an engine is
//! spoken to.

mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use net::{Backend, Conn, Event, Exposition, Metrics, Out, Reject, Service, StreamEvent, Time};
use slab::Slab;

use self::queue::{Begun, Pending, Queue, Scope, State, Written};
use super::domain::{RemoteDomain, Starter};
use super::operation::{Answer, Next, Refused, Step, Transaction};
use super::pool::{Action, Pool};
use super::schema::Schema;
use crate::api::Effect;
use crate::api::envelope::{self, Malformed, Request};
use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::engine::domain::Job;
use crate::engine::metrics::{RequestMetrics, Started, UNKNOWN};
use crate::engine::reception::{Reception, caller, check_in_time, write_reject};
use crate::engine::secrets::Secrets;

/// How long the version of the tables is waited for: the engine may come much later than the service.
const VERSION_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// How long a request waits for the engine that does not say how long it may. Frontends wait for 2 s unless they are told
/// otherwise, and whoever is answered before that is told what is known here: mostly, that nothing was changed. Nothing is
/// left behind then that would be carried out for nobody once the engine is back, and a connection over which an answer is due
/// is not taken for a silent one.
const PATIENCE: Duration = Duration::from_millis(1800);
/// How long a transaction may take that nobody waits for.
const UPKEEP_WITHIN: Duration = Duration::from_secs(10);

/// A database whose truth lies in an engine, as a service.
pub(super) struct Remote<D: RemoteDomain> {
    domain: D,
    /// Its connections are the backends of the node.
    pool: Pool,
    /// What each connection waits for. One that waits for nothing has no entry.
    queues: BTreeMap<Conn, Queue<D>>,
    /// The transactions that are under way. Their places are the numbers that the pool knows them by.
    asked: Slab<Asked<D>>,
    /// The requests whose work goes on off the thread.
    jobs: BTreeMap<Job, (Conn, u64)>,
    is_in_upkeep: bool,
    /// The number of the last request.
    last_number: u64,
    /// Whether the version of the tables was asked for and is not told yet. The pool is open while it is known to be the right
    /// one.
    is_version_asked: bool,
    reception: Reception<Starter<D>>,
    metrics: Arc<RemoteMetrics>,
}

/// A request that has just come, and its first step.
struct Arrived<'a, D> {
    id: &'a str,
    started: Started,
    deadline: Time,
    effect: Effect,
    step: Result<Step<D>, Error>,
}

/// For whom a transaction is under way.
enum Asked<D> {
    Request {
        conn: Conn,
        number: u64,
        next: Next<D>,
    },
    Upkeep(Next<D>),
    /// For us, who want to know the version of the tables.
    Version,
}

/// What is counted.
struct RemoteMetrics {
    requests: Arc<RequestMetrics>,
    pool: Arc<dyn Metrics>,
    domain: Vec<Arc<dyn Metrics>>,
}

impl<D: RemoteDomain> Remote<D> {
    /// A database whose transactions are carried out by `pool`. It serves who shows one of the secrets, if there are any.
    pub(super) fn new(domain: D, pool: Pool, secrets: Option<Secrets>) -> Self {
        let apis = D::APIS.iter().map(|entry| entry.name);
        let requests = Arc::new(RequestMetrics::new(apis));
        let reception = Reception::new(D::DATABASE.name(), D::APIS, secrets, &requests);
        let metrics = RemoteMetrics { requests, pool: pool.metrics(), domain: domain.metrics() };
        Self {
            domain,
            pool,
            queues: BTreeMap::new(),
            asked: Slab::new(),
            jobs: BTreeMap::new(),
            is_in_upkeep: false,
            last_number: 0,
            is_version_asked: false,
            reception,
            metrics: Arc::new(metrics),
        }
    }

    /// Begins to carry out the request of a line.
    fn accept(&mut self, now: Time, conn: Conn, line: &[u8], out: &mut Out<'_>) {
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err(Malformed { id, error }) => {
                let (_, started) = self.reception.find(UNKNOWN, now);
                let arrived = Arrived { id, started, deadline: now, effect: Effect::Read, step: Err(error) };
                return self.enqueue(now, conn, arrived, out);
            }
        };
        let (entry, started) = self.reception.find(&request.api, now);
        let mut deadline = now;
        let step = caller(&request, conn, started, PATIENCE, out).and_then(|caller| {
            deadline = caller.deadline;
            let Some(entry) = entry else {
                let mut data = Vec::new();
                self.reception.answer_any(conn, &request, None, &mut data, out)?;
                return Ok(Step::Reply(data));
            };
            check_in_time(&request, now, started)?;
            (entry.handler)(&mut self.domain, now, caller, Fields::parse(request.data)?)
        });
        let effect = entry.map_or(Effect::Read, |entry| entry.effect);
        let arrived = Arrived { id: request.id, started, deadline, effect, step };
        self.enqueue(now, conn, arrived, out);
    }

    /// Puts a request behind those of its connection, and takes its first step unless that must wait for them.
    fn enqueue(&mut self, now: Time, conn: Conn, arrived: Arrived<'_, D>, out: &mut Out<'_>) {
        let Arrived { id, started, deadline, effect, step } = arrived;
        let mut queue = self.queues.remove(&conn).unwrap_or_else(Queue::new);
        let number = self.next_number();
        let state = match step {
            Ok(Step::Ask(transaction, next)) => {
                let scope = Scope::of(effect, &transaction);
                if queue.holds_back(scope) {
                    State::Held(scope, transaction, next)
                } else {
                    self.ask(now, conn, Begun { number, deadline, transaction, next });
                    State::UnderWay(scope)
                }
            }
            Ok(Step::Work(job)) => {
                self.jobs.insert(job, (conn, number));
                State::UnderWay(Scope::of_work())
            }
            Ok(Step::Reply(data)) => State::Answered(Written::Data(data)),
            Err(error) => State::Answered(Written::error(id, &error)),
        };
        queue.push(Pending { number, id: id.into(), started: Some(started), deadline, state });
        self.release(conn, queue, out);
    }

    /// Says why a connection ends, behind the replies that are owed to it.
    fn reject(&mut self, now: Time, conn: Conn, reject: Reject, out: &mut Out<'_>) {
        let mut queue = self.queues.remove(&conn).unwrap_or_else(Queue::new);
        let mut line = Vec::new();
        write_reject(&mut line, reject);
        let (number, state) = (self.next_number(), State::Answered(Written::Line(line, None)));
        queue.push(Pending { number, id: "null".into(), started: None, deadline: now, state });
        self.release(conn, queue, out);
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn ask(&mut self, now: Time, conn: Conn, begun: Begun<D>) {
        let Begun { number, deadline, transaction, next } = begun;
        let place = self.asked.insert(Asked::Request { conn, number, next });
        self.pool.ask(now, place as u64, transaction, deadline);
    }

    /// A transaction has ended.
    fn ended(&mut self, now: Time, number: u64, result: Result<Answer, Error>, out: &mut Out<'_>) {
        let place = usize::try_from(number).expect("it is a place");
        match self.asked.remove(place) {
            Asked::Request { conn, number, next } => {
                let next = |domain: &mut D| result.and_then(|answer| next(domain, now, answer));
                self.go_on(now, conn, number, next, out);
            }
            Asked::Upkeep(next) => {
                let step = result.and_then(|answer| next(&mut self.domain, now, answer));
                self.go_on_with_upkeep(now, step);
            }
            Asked::Version => self.check_version(result, out),
        }
    }

    /// A request takes its next step, and then those go on that have waited for it. If its client is gone, nobody waits
    /// for what would follow.
    fn go_on(
        &mut self,
        now: Time,
        conn: Conn,
        number: u64,
        next: impl FnOnce(&mut D) -> Result<Step<D>, Error>,
        out: &mut Out<'_>,
    ) {
        let Some(mut queue) = self.queues.remove(&conn) else { return };
        let Pending { id, deadline, .. } = queue.find(number);
        match next(&mut self.domain) {
            Ok(Step::Ask(transaction, next)) => {
                self.ask(now, conn, Begun { number, deadline: *deadline, transaction, next });
            }
            Ok(Step::Work(job)) => {
                self.jobs.insert(job, (conn, number));
            }
            Ok(Step::Reply(data)) => queue.answer(number, Written::Data(data)),
            Err(error) => queue.answer(number, Written::error(id, &error)),
        }
        while let Some(begun) = queue.begin_held() {
            self.ask(now, conn, begun);
        }
        self.release(conn, queue, out);
    }

    /// Begins what the domain does of itself, if it is time for something.
    fn begin_upkeep(&mut self, now: Time) {
        // Before the tables are known to be ours, nothing is done to them unasked.
        if self.pool.is_open()
            && !self.is_in_upkeep
            && let Some(step) = self.domain.upkeep(now)
        {
            self.is_in_upkeep = true;
            self.go_on_with_upkeep(now, Ok(step));
        }
    }

    fn go_on_with_upkeep(&mut self, now: Time, step: Result<Step<D>, Error>) {
        match step {
            Ok(Step::Ask(transaction, next)) => {
                let place = self.asked.insert(Asked::Upkeep(next));
                return self.pool.ask(now, place as u64, transaction, now + UPKEEP_WITHIN);
            }
            Ok(Step::Work(_)) => unreachable!("upkeep hashes no password"),
            Ok(Step::Reply(_)) => {}
            // That the engine is away is in the log already.
            Err(error) if error.code.is_passing() => {}
            Err(error) => log::warn!("event=upkeep_failed error={:?}", error.message),
        }
        self.is_in_upkeep = false;
    }

    /// Takes what was done off the thread.
    fn poll_workers(&mut self, now: Time, out: &mut Out<'_>) {
        while let Some((job, step)) = self.domain.poll(now) {
            // Nobody may wait for it any more.
            if let Some((conn, number)) = self.jobs.remove(&job) {
                self.go_on(now, conn, number, |_| step, out);
            }
        }
    }

    /// Drops what a connection that is gone has waited for.
    fn forget(&mut self, conn: Conn) {
        self.reception.forget(conn);
        self.queues.remove(&conn);
        let Self { domain, jobs, .. } = self;
        jobs.retain(|job, (of, _)| {
            let is_left = *of == conn;
            if is_left {
                domain.abandon(*job);
            }
            !is_left
        });
    }

    /// Sends the replies that wait for no others.
    fn release(&mut self, conn: Conn, mut queue: Queue<D>, out: &mut Out<'_>) {
        while let Some((id, started, reply)) = queue.pop_answered() {
            let error = match &reply {
                Written::Data(data) => {
                    out.send_vectored(conn, &envelope::ok(&id, data));
                    None
                }
                Written::Line(line, error) => {
                    out.send(conn, line);
                    *error
                }
            };
            if let Some(started) = started {
                self.reception.answered(started, error, out);
            }
        }
        if !queue.is_empty() {
            self.queues.insert(conn, queue);
        }
    }

    /// Something has happened to a connection of the pool.
    fn hear(&mut self, now: Time, connection: usize, event: StreamEvent<'_>) {
        match event {
            StreamEvent::Up { address } => self.pool.up(now, connection, address),
            StreamEvent::Encrypted => self.pool.encrypted(now, connection),
            StreamEvent::Received(bytes) => self.pool.received(now, connection, bytes),
            StreamEvent::Down(reason) => self.pool.down(now, connection, reason),
        }
    }

    /// Asks for the version of the tables, however long it takes until the engine can be reached. Until it is known to be the
    /// right one, nothing else is sent. It is asked for again after each outage: it may be another host that is there then, or
    /// an older backup.
    fn ask_version(&mut self, now: Time) {
        // Where nothing was migrated, there is no table of versions.
        let transaction = Transaction::read(None, Schema::of(D::DATABASE).ask_version()).tentative();
        let place = self.asked.insert(Asked::Version);
        self.pool.ask_first(now, place as u64, transaction, now + VERSION_WITHIN);
        self.is_version_asked = true;
    }

    /// Ends the service if the tables are not those that it knows.
    fn check_version(&mut self, ended: Result<Answer, Error>, out: &mut Out<'_>) {
        self.is_version_asked = false;
        let checked = match ended {
            Ok(Ok(replies)) => Schema::told_version(&replies)
                .map_err(|error| error.to_string())
                .and_then(|found| Schema::of(D::DATABASE).check_version(found))
                .inspect(|()| self.pool.open()),
            Ok(Err(Refused)) => unreachable!("no constraint refuses a read"),
            // There was nobody to ask.
            Err(Error { code: Code::Unavailable | Code::ResourceExhausted, .. }) => Ok(()),
            // Whoever is asked knows no such table.
            Err(_) => Schema::of(D::DATABASE).check_version(0),
        };
        if let Err(reason) = checked {
            out.fail(reason);
        }
    }

    /// Does what the pool wants. What comes of that may have it want more.
    fn drive(&mut self, now: Time, out: &mut Out<'_>) {
        loop {
            if !self.pool.is_open() && !self.is_version_asked {
                self.ask_version(now);
            }
            let Some(action) = self.pool.next_action() else { return };
            match action {
                Action::Ended(number, result) => self.ended(now, number, result, out),
                Action::Write(connection, bytes) => out.write(Backend(connection), &bytes),
                Action::Encrypt(connection) => out.encrypt(Backend(connection)),
                Action::Reset(connection, reason) => out.reset(Backend(connection), &reason),
                Action::Works(connection) => out.works(Backend(connection)),
            }
        }
    }
}

impl<D: RemoteDomain> Service for Remote<D> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) if !self.reception.is_passed(conn) => {
                self.reception.authenticate(now, conn, line, out);
            }
            Event::Line(conn, line) => self.accept(now, conn, line, out),
            Event::Reject(conn, reject) => self.reject(now, conn, reject, out),
            Event::Stream(Backend(connection), event) => self.hear(now, connection, event),
            Event::Closed(conn) => self.forget(conn),
            Event::Wake => self.poll_workers(now, out),
            Event::Timer => self.pool.expire(now),
            Event::Drain => {}
            Event::Reply(..) | Event::Up(_) | Event::Down(..) => unreachable!("a database calls nobody"),
        }
    }

    /// What has gathered in a turn leaves together.
    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        self.begin_upkeep(now);
        self.drive(now, out);
        let waits = self.pool.is_open() && !self.is_in_upkeep;
        let upkeep_at = if waits { self.domain.upkeep_at() } else { None };
        out.wake_at(self.pool.next_at().into_iter().chain(upkeep_at).min());
    }

    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        Some(Arc::clone(&self.metrics) as Arc<dyn Metrics>)
    }

    /// There is an engine that takes changes, and its tables are ours.
    fn is_ready(&self) -> bool {
        self.pool.is_open() && self.pool.is_ready()
    }

    /// Every request is answered. What is under way for clients that are gone ends without us.
    fn is_drained(&self) -> bool {
        self.queues.is_empty()
    }
}

impl Written {
    fn error(id: &str, error: &Error) -> Self {
        let mut line = Vec::new();
        envelope::encode_error(&mut line, id, error);
        Self::Line(line, Some(error.code))
    }
}

impl Metrics for RemoteMetrics {
    fn expose(&self, out: &mut Exposition) {
        self.requests.expose(out);
        self.pool.expose(out);
        self.domain.iter().for_each(|domain| domain.expose(out));
    }
}
