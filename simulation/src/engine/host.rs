//! [`EngineHost`]: a host on which a server of the engine runs, as a primary or as a standby. It has the sessions of its
//! connections, brings commits to disk, and limits sessions as `containers/engines.md` says that a role is to be.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fake_postgres::{Commit, Engine, Output, Session};
use net::sim::{Alarm, ByteEvent, ByteOut, ByteServer};
use net::{Conn, Time};

use super::EngineCounters;
use super::weather::{Trouble, Weather, happens, up_to};

/// How long a statement may wait for a lock, and how long a transaction may be left open.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often that is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// The longest pause in the middle of what is read.
const PAUSE_MAX: Duration = Duration::from_millis(5);
/// A Sync, which is the last that is said of anything.
const SYNC_BYTES: usize = 5;

/// What the hosts of a cluster have in common.
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) weather: Weather,
    pub(super) rng: fastrand::Rng,
    /// A flush has failed, after which nobody knows what is on disk: the server is to end.
    pub(super) has_failed: bool,
    pub(super) met: EngineCounters,
}

/// What a server does for its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    /// It has all that is committed, and takes no changes.
    Standby,
}

pub(super) struct EngineHost {
    state: Rc<RefCell<State>>,
    role: Role,
    alarm: Alarm,
    clients: BTreeMap<Conn, Client>,
    conns: BTreeMap<Session, Conn>,
    /// What is to be done when, in this order.
    agenda: BTreeMap<(Time, u64), Step>,
    /// How many steps there were.
    steps: u64,
    /// When the last commit is flushed.
    flushed_at: Time,
}

struct Client {
    session: Session,
    opened_at: Time,
    /// Nothing passes over its connection any more.
    is_silent: bool,
    /// Nothing is read, and nothing said, before what came before it.
    hears_at: Time,
    says_at: Time,
    /// When something was read last.
    heard_at: Time,
    /// Since when a statement is known to wait for a lock.
    waits_since: Option<Time>,
}

enum Step {
    Hear(Conn, Vec<u8>),
    Say(Conn, Vec<u8>),
    HangUp(Conn),
    Terminate(Conn),
    Flush(Commit, Session),
    FailToFlush,
    Watch,
}

impl EngineHost {
    /// A server that begins.
    pub(super) fn new(state: Rc<RefCell<State>>, role: Role, alarm: Alarm) -> Self {
        let now = alarm.now();
        let mut host = Self {
            state,
            role,
            alarm,
            clients: BTreeMap::new(),
            conns: BTreeMap::new(),
            agenda: BTreeMap::new(),
            steps: 0,
            flushed_at: now,
        };
        host.plan(now + WATCH_INTERVAL, Step::Watch);
        host
    }

    fn open(&mut self, conn: Conn, out: &mut ByteOut) {
        let now = self.alarm.now();
        let State { engine, weather, met, .. } = &mut *self.state.borrow_mut();
        if weather.is_full {
            met.refused += 1;
            out.write(conn, &fatal("53300", "sorry, too many clients already"));
            return out.close(conn);
        }
        let session = if self.role == Role::Standby || weather.is_read_only {
            met.read_only += 1;
            engine.open_read_only()
        } else {
            engine.open()
        };
        self.conns.insert(session, conn);
        let client = Client {
            session,
            opened_at: now,
            is_silent: false,
            hears_at: now,
            says_at: now,
            heard_at: now,
            waits_since: None,
        };
        self.clients.insert(conn, client);
    }

    /// Plans when what has come is read, and how much of it.
    fn receive(&mut self, conn: Conn, mut bytes: Vec<u8>) {
        let Some(client) = self.clients.get_mut(&conn).filter(|client| !client.is_silent) else { return };
        let state = Rc::clone(&self.state);
        let State { weather, rng, met, .. } = &mut *state.borrow_mut();
        let first_at = client.hears_at.max(self.alarm.now());
        let is_old = weather.ends_older_than.is_some_and(|end| client.opened_at <= end);
        let trouble = if is_old { Some(Trouble::Termination) } else { weather.trouble(rng) };
        let rest = match trouble {
            // Often the commit is read, and not the Sync behind it.
            Some(Trouble::Pause | Trouble::Cut | Trouble::Termination)
                if bytes.len() > SYNC_BYTES && rng.bool() =>
            {
                bytes.split_off(bytes.len() - SYNC_BYTES)
            }
            Some(_) => bytes.split_off(rng.usize(..bytes.len())),
            None => Vec::new(),
        };
        let rest_at = if trouble.is_some() { first_at + up_to(PAUSE_MAX, rng) } else { first_at };
        client.hears_at = rest_at;
        client.is_silent = trouble == Some(Trouble::Silence);
        self.plan(first_at, Step::Hear(conn, bytes));
        match trouble {
            Some(Trouble::Pause) => self.plan(rest_at, Step::Hear(conn, rest)),
            Some(Trouble::Cut) => {
                met.cut_before_commit += 1;
                self.plan(first_at, Step::HangUp(conn));
            }
            Some(Trouble::Silence) => met.silent += 1,
            Some(Trouble::Termination) => self.plan(rest_at, Step::Terminate(conn)),
            None => {}
        }
    }

    /// Does what is due, and plans what follows from it.
    fn go_on(&mut self, out: &mut ByteOut) {
        self.settle();
        let now = self.alarm.now();
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let step = entry.remove();
            if self.state.borrow().has_failed {
                return;
            }
            self.take(step, out);
            self.settle();
        }
        let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
        self.alarm.wake_at(next.expect("it always watches"));
    }

    fn take(&mut self, step: Step, out: &mut ByteOut) {
        match step {
            Step::Hear(conn, bytes) => {
                if let Some(client) = self.clients.get_mut(&conn) {
                    client.heard_at = self.alarm.now();
                    self.state.borrow_mut().engine.received(client.session, &bytes);
                }
            }
            Step::Say(conn, bytes) => {
                if self.clients.get(&conn).is_none_or(|client| !client.is_silent) {
                    out.write(conn, &bytes);
                }
            }
            Step::HangUp(conn) => self.hang_up(conn, out),
            Step::Terminate(conn) => {
                if let Some(client) = self.clients.get(&conn) {
                    let State { engine, met, .. } = &mut *self.state.borrow_mut();
                    engine.terminate(client.session);
                    met.terminated += 1;
                }
            }
            Step::Flush(commit, session) => self.flush(commit, session, out),
            Step::FailToFlush => self.state.borrow_mut().has_failed = true,
            Step::Watch => {
                self.watch(out);
                self.plan(self.alarm.now() + WATCH_INTERVAL, Step::Watch);
            }
        }
    }

    /// Plans what the engine asks for.
    fn settle(&mut self) {
        let state = Rc::clone(&self.state);
        let State { engine, weather, rng, .. } = &mut *state.borrow_mut();
        let now = self.alarm.now();
        while let Some((session, output)) = engine.next_output() {
            if let Output::Commit(commit) = output {
                let took = weather.flush(rng);
                self.flushed_at = self.flushed_at.max(now + took.unwrap_or_default());
                let step = took.map_or(Step::FailToFlush, |_| Step::Flush(commit, session));
                self.plan(self.flushed_at, step);
                continue;
            }
            let Some(conn) = self.conns.get(&session).copied() else { continue };
            let client = self.clients.get_mut(&conn).expect("each has a session");
            client.says_at = client.says_at.max(now + up_to(weather.late_max, rng));
            let says_at = client.says_at;
            let step = match output {
                Output::Bytes(bytes) => Step::Say(conn, bytes),
                _ => Step::HangUp(conn),
            };
            self.plan(says_at, step);
        }
    }

    /// A commit is on disk. Whether its client is told is a matter of chance.
    fn flush(&mut self, commit: Commit, session: Session, out: &mut ByteOut) {
        let state = Rc::clone(&self.state);
        let State { engine, weather, rng, met, .. } = &mut *state.borrow_mut();
        met.commits += 1;
        let is_cut = happens(weather.cuts_after_commit, rng);
        if let Some(conn) = self.conns.get(&session).copied().filter(|_| is_cut) {
            met.cut_after_commit += 1;
            self.forget(conn, engine);
            out.close(conn);
        }
        engine.committed(commit);
    }

    /// Ends the sessions that have waited for a lock, or left a transaction open, for too long. Their clients may be gone
    /// without a word.
    fn watch(&mut self, out: &mut ByteOut) {
        let now = self.alarm.now();
        let state = Rc::clone(&self.state);
        let State { engine, met, .. } = &mut *state.borrow_mut();
        let mut late = Vec::new();
        for (conn, client) in &mut self.clients {
            let waits = engine.waits_for(client.session).is_some();
            client.waits_since = waits.then(|| client.waits_since.unwrap_or(now));
            let waits_long = client.waits_since.is_some_and(|since| now.since(since) >= LOCK_TIMEOUT);
            let is_idle =
                now.since(client.heard_at) >= IDLE_TIMEOUT && engine.is_idle_in_transaction(client.session);
            if waits_long || is_idle {
                late.push(*conn);
            }
        }
        for conn in late {
            met.timed_out += 1;
            self.forget(conn, engine);
            out.close(conn);
        }
    }

    fn hang_up(&mut self, conn: Conn, out: &mut ByteOut) {
        let state = Rc::clone(&self.state);
        self.forget(conn, &mut state.borrow_mut().engine);
        out.close(conn);
    }

    fn forget(&mut self, conn: Conn, engine: &mut Engine) {
        if let Some(client) = self.clients.remove(&conn) {
            self.conns.remove(&client.session);
            engine.close(client.session);
        }
    }

    fn plan(&mut self, at: Time, step: Step) {
        self.steps += 1;
        self.agenda.insert((at, self.steps), step);
    }
}

impl ByteServer for EngineHost {
    fn handle(&mut self, _now: Time, event: ByteEvent<'_>, out: &mut ByteOut) {
        if self.state.borrow().has_failed {
            return;
        }
        match event {
            ByteEvent::Opened(conn) => self.open(conn, out),
            ByteEvent::Received(conn, bytes) => self.receive(conn, bytes.to_vec()),
            ByteEvent::Closed(conn) => {
                let state = Rc::clone(&self.state);
                self.forget(conn, &mut state.borrow_mut().engine);
            }
            ByteEvent::Wake => {}
        }
        self.go_on(out);
    }
}

/// What a server says of a connection that it does not take.
fn fatal(code: &str, message: &str) -> Vec<u8> {
    let body = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(body.len() + 4).expect("it is short").to_be_bytes();
    [b"E", &length[..], body.as_bytes()].concat()
}
