//! [`Database`]: the service around a [`Domain`]. It decodes requests, lets the domain carry them out,
//! commits what they changed once a turn, and releases each reply when what it says is on disk.
//!
//! It knows neither what the APIs do nor how rows are stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use net::{Conn, Event, Metrics, Out, Service, Time};

use crate::api::Encode;
use crate::api::envelope::{self, Malformed, Request};
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::engine::domain::{Domain, Handler, Job};
use crate::engine::intake::Entry;
use crate::engine::metrics::{DatabaseMetrics, Started, UNKNOWN};
use crate::engine::pending::{Answered, Executed, Pending, Queue};
use crate::engine::reception::{Reception, caller, check_in_time, finish_reply, write_reject};
use crate::engine::secrets::Secrets;
use crate::engine::storage::{Group, Storage};

/// The rows that readers are shown in one turn. A purchase has a thousand, and many may come to disk at once; where each is
/// an item that is sold out, so many take a millisecond.
pub(crate) const PUBLISHED_PER_TURN_MAX: usize = 128;
/// Where more has come to disk meanwhile, it is this part of it, lest more comes than is shown.
const PUBLISHED_PART: usize = 8;
/// How long work may take for whoever does not say how long it waits. Passwords are hashed one after another.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database as a service.
pub(crate) struct Database<D: Domain> {
    domain: D,
    storage: Box<dyn Storage<D::Row>>,
    /// The commit sequence of the group that open changes will go into. Those before it are on disk or under way.
    filling: u64,
    /// The last group that is on disk.
    committed: u64,
    /// The last group that readers see, too.
    durable: u64,
    /// Commits since the start, each of one group or of several.
    commits: u64,
    /// What each connection waits for, in the order of its requests. One that waits for nothing has no entry.
    queues: BTreeMap<Conn, Queue>,
    jobs: BTreeMap<Job, Conn>,
    reception: Reception<Handler<D>>,
    metrics: Arc<DatabaseMetrics>,
    /// The groups that are under way: when each was handed to the store, and how many rows it has.
    submitted: VecDeque<(Time, usize)>,
    /// The rows on disk that readers do not see yet, or more.
    unpublished_rows: usize,
    /// When the last commit was reported.
    reported_at: Time,
    /// The reply that is being written; kept for its memory.
    line: Vec<u8>,
}

impl<D: Domain> Database<D> {
    /// A database whose groups are committed to `storage`, from which its domain was loaded. It serves who shows one of
    /// the secrets, if there are any.
    pub(crate) fn new(domain: D, storage: Box<dyn Storage<D::Row>>, secrets: Option<Secrets>) -> Self {
        let apis = D::APIS.iter().map(|entry| entry.name);
        let metrics = Arc::new(DatabaseMetrics::new(apis, D::HOLDINGS, D::COUNTS, domain.metrics()));
        metrics.hold(domain.holdings(), domain.counts());
        Self {
            domain,
            storage,
            filling: 1,
            committed: 0,
            durable: 0,
            unpublished_rows: 0,
            commits: 0,
            queues: BTreeMap::new(),
            jobs: BTreeMap::new(),
            reception: Reception::new(D::SERVICE, D::APIS, secrets, &metrics.requests),
            metrics,
            submitted: VecDeque::new(),
            reported_at: Time::default(),
            line: Vec::new(),
        }
    }

    /// Carries out the request of a line that was delivered `at` this time, or queues it behind what it must not
    /// overtake.
    fn accept(&mut self, now: Time, at: Time, conn: Conn, queue: &mut Queue, line: &[u8], out: &mut Out<'_>) {
        let request = Request::parse(line);
        let api = request.as_ref().map_or(UNKNOWN, |request| &*request.api);
        let (entry, started) = self.reception.find(api, at);
        if !self.may_run(conn, queue, entry) {
            queue.push_back(Pending::Request { line: line.into(), at });
            return;
        }
        match self.execute(now, conn, entry, started, request, out) {
            Executed::Reply { group, answer } => self.reply(conn, queue, group, Some(answer), out),
            Executed::Offloaded { job, id, started } => {
                self.jobs.insert(job, conn);
                queue.push_back(Pending::Offloaded { job, id, started });
            }
        }
    }

    /// Whether a request may be carried out before what is queued is out. A write behind replies to writes may: it builds
    /// on the latest state, and not on what is on disk. So may work that goes on elsewhere behind more of it, the order
    /// of which is the domain's.
    fn may_run(&self, conn: Conn, queue: &Queue, entry: Option<&Entry<Handler<D>>>) -> bool {
        let (Some(last), Some(entry)) = (queue.back(), entry) else { return queue.is_empty() };
        match (last, entry.handler) {
            // Everything behind a request that waits waits too, so before anything else there is none.
            (Pending::Request { .. }, _) | (Pending::Offloaded { .. }, Handler::Answer(_)) => false,
            (Pending::Reply { .. } | Pending::Offloaded { .. }, Handler::Begin(_)) => true,
            (Pending::Reply { .. }, Handler::Answer(_)) => {
                entry.effect.is_write() && !self.jobs.values().any(|other| *other == conn)
            }
        }
    }

    /// Carries out a request; its reply, if there is one yet, is left in `self.line`.
    fn execute(
        &mut self,
        now: Time,
        conn: Conn,
        entry: Option<&Entry<Handler<D>>>,
        started: Started,
        request: Result<Request<'_>, Malformed<'_>>,
        out: &mut Out<'_>,
    ) -> Executed {
        self.line.clear();
        let request = match request {
            Ok(request) => request,
            Err(malformed) => {
                envelope::encode_error(&mut self.line, malformed.id, &malformed.error);
                let answer = Answered { started, error: Some(malformed.error.code) };
                return Executed::Reply { group: self.durable, answer };
            }
        };
        envelope::begin_ok(&mut self.line, request.id);
        let result = match entry.map(|entry| entry.handler) {
            Some(Handler::Answer(answer)) => check_in_time(&request, now, started)
                .and_then(|()| answer(&mut self.domain, now, Fields::parse(request.data)?, &mut self.line)),
            Some(Handler::Begin(begin)) => {
                let begun = caller(&request, conn, started, PATIENCE, out)
                    .and_then(|caller| begin(&mut self.domain, now, caller, Fields::parse(request.data)?));
                match begun {
                    Ok(job) => return Executed::Offloaded { job, id: request.id.into(), started },
                    Err(error) => Err(error),
                }
            }
            None => {
                let commits = Some(self.commits);
                self.reception.answer_any(conn, &request, commits, &mut self.line, out)
            }
        };
        let error = finish_reply(&mut self.line, request.id, result);
        let group = if entry.is_some_and(|entry| entry.effect.is_write()) {
            self.newest_group()
        } else {
            self.durable
        };
        Executed::Reply { group, answer: Answered { started, error } }
    }

    /// Sends `self.line`, or queues it: behind the replies before it, and until its group is on disk.
    fn reply(
        &mut self,
        conn: Conn,
        queue: &mut Queue,
        group: u64,
        answer: Option<Answered>,
        out: &mut Out<'_>,
    ) {
        if group <= self.durable && queue.is_empty() {
            out.send(conn, &self.line);
            self.count(answer, out);
        } else {
            queue.push_back(Pending::Reply { group, line: self.line.as_slice().into(), answer });
        }
    }

    /// Takes note of a reply that has left.
    fn count(&mut self, answer: Option<Answered>, out: &mut Out<'_>) {
        if let Some(Answered { started, error }) = answer {
            self.reception.answered(started, error, out);
        }
    }

    /// The newest group that has changes in it.
    fn newest_group(&self) -> u64 {
        if self.domain.is_dirty() { self.filling } else { self.filling - 1 }
    }

    /// Takes what the workers have finished, and releases what waited for it.
    fn poll_workers(&mut self, now: Time, out: &mut Out<'_>) {
        loop {
            let sequence = match self.storage.poll() {
                Ok(Some(sequence)) => sequence,
                Ok(None) => break,
                Err(error) => return out.fail(error),
            };
            assert!((self.committed + 1..self.filling).contains(&sequence), "groups are committed in order");
            self.count_commit(now, sequence);
            self.committed = sequence;
        }
        self.publish();
        while let Some((job, result)) = self.domain.poll(now) {
            self.finish_job(job, result);
        }
        let waiting: Vec<Conn> = self.queues.keys().copied().collect();
        for conn in waiting {
            self.release(now, conn, out);
        }
    }

    /// Shows readers what is on disk, as far as one turn may.
    fn publish(&mut self) {
        if self.durable == self.committed {
            return;
        }
        let rows_max = PUBLISHED_PER_TURN_MAX.max(self.unpublished_rows / PUBLISHED_PART);
        let mut rows_left = rows_max;
        while self.durable < self.committed
            && let Some(rows) = self.domain.publish(rows_left)
        {
            rows_left -= rows;
            self.durable += 1;
        }
        let is_more = self.durable < self.committed;
        self.unpublished_rows = if is_more { self.unpublished_rows.saturating_sub(rows_max) } else { 0 };
        self.metrics.hold(self.domain.holdings(), self.domain.counts());
    }

    /// Takes note that the groups up to this commit sequence are on disk, by one commit. It began when the first of them
    /// was there and the commit before had ended.
    fn count_commit(&mut self, now: Time, sequence: u64) {
        let groups = usize::try_from(sequence - self.committed).expect("they are few");
        let (first_at, _) = *self.submitted.front().expect("a group is submitted before it is on disk");
        let rows: usize = self.submitted.drain(..groups).map(|(_, rows)| rows).sum();
        self.unpublished_rows += rows;
        self.metrics.commit_rows.observe(rows as u64);
        self.metrics.flush_duration.observe_duration(now.since(first_at.max(self.reported_at)));
        self.reported_at = now;
        self.commits += 1;
    }

    /// Turns an offloaded request into its reply, which keeps its place in the queue.
    fn finish_job(&mut self, finished: Job, result: Result<D::Finished, Error>) {
        let group = self.newest_group();
        // Nobody may wait for it any more.
        let Some(conn) = self.jobs.remove(&finished) else { return };
        for pending in self.queues.get_mut(&conn).into_iter().flatten() {
            if let Pending::Offloaded { job, id, started } = pending
                && *job == finished
            {
                let mut line = Vec::new();
                envelope::begin_ok(&mut line, id);
                let result = result.map(|finished| finished.encode(&mut line));
                let error = finish_reply(&mut line, id, result);
                let answer = Some(Answered { started: *started, error });
                *pending = Pending::Reply { group, line: line.into(), answer };
                return;
            }
        }
    }

    /// Sends the replies of a connection that may leave, and carries out the requests that waited for them.
    fn release(&mut self, now: Time, conn: Conn, out: &mut Out<'_>) {
        let mut queue = Queue::new();
        for pending in self.queues.remove(&conn).into_iter().flatten() {
            match pending {
                Pending::Reply { group, line, answer } if group <= self.durable && queue.is_empty() => {
                    out.send(conn, &line);
                    self.count(answer, out);
                }
                Pending::Request { line, at } => self.accept(now, at, conn, &mut queue, &line, out),
                waiting => queue.push_back(waiting),
            }
        }
        self.keep(conn, queue);
    }

    /// What is true between any two events. Groups are numbered without gaps, and one that is under way has its rows
    /// counted; a connection that waits for nothing has no queue, and each piece of work elsewhere has its request.
    fn invariants(&self) {
        assert_eq!(
            self.filling - 1 - self.committed,
            self.submitted.len() as u64,
            "each group is under way once"
        );
        debug_assert!(self.queues.values().all(|queue| !queue.is_empty()), "a queue holds something");
        debug_assert!(
            self.queues.iter().all(|(conn, queue)| {
                queue.iter().all(|pending| match pending {
                    Pending::Offloaded { job, .. } => self.jobs.get(job) == Some(conn),
                    Pending::Reply { group, .. } => *group <= self.filling,
                    Pending::Request { .. } => true,
                })
            }),
            "what is waited for is under way"
        );
    }

    /// Drops what a connection that is gone has waited for.
    fn forget(&mut self, conn: Conn) {
        self.reception.forget(conn);
        for pending in self.queues.remove(&conn).into_iter().flatten() {
            if let Pending::Offloaded { job, .. } = pending {
                self.jobs.remove(&job);
                self.domain.abandon(job);
            }
        }
    }

    fn keep(&mut self, conn: Conn, queue: Queue) {
        if !queue.is_empty() {
            self.queues.insert(conn, queue);
        }
    }
}

impl<D: Domain> Service for Database<D> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) if !self.reception.is_passed(conn) => {
                self.reception.authenticate(now, conn, line, out);
            }
            Event::Line(conn, line) => {
                let mut queue = self.queues.remove(&conn).unwrap_or_default();
                self.accept(now, now, conn, &mut queue, line, out);
                self.keep(conn, queue);
            }
            Event::Reject(conn, reject) => {
                let mut queue = self.queues.remove(&conn).unwrap_or_default();
                self.line.clear();
                write_reject(&mut self.line, reject);
                self.reply(conn, &mut queue, self.durable, None, out);
                self.keep(conn, queue);
            }
            // A timer also goes on with what one turn could not show.
            Event::Wake | Event::Timer => self.poll_workers(now, out),
            Event::Closed(conn) => self.forget(conn),
            Event::Drain => self.domain.drain(now),
            Event::Reply(..) | Event::Up(_) | Event::Down(..) | Event::Stream(..) => {
                unreachable!("a database calls nobody")
            }
        }
        self.invariants();
    }

    /// Group commit: all changes of the turn become a group. The store commits together what has come to it while it
    /// committed the groups before.
    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        let wake_at = self.domain.end_turn(now);
        out.wake_at(if self.durable < self.committed { Some(now) } else { wake_at });
        if self.domain.is_dirty() {
            let rows = self.domain.seal();
            self.submitted.push_back((out.read_clock(), rows.len()));
            self.storage.commit(Group { sequence: self.filling, rows });
            self.filling += 1;
        }
        self.invariants();
    }

    fn clock_floor(&self) -> Time {
        self.domain.clock_floor()
    }

    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        Some(Arc::clone(&self.metrics) as Arc<dyn Metrics>)
    }

    fn is_drained(&self) -> bool {
        let is_stored = !self.domain.is_dirty() && self.durable + 1 == self.filling;
        self.queues.is_empty() && is_stored && !self.storage.is_maintaining()
    }
}

#[cfg(test)]
mod tests;
