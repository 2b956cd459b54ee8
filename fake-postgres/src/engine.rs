//! [`Engine`]: the server, as its host sees it.

use std::collections::{BTreeMap, VecDeque};

use crate::connection::{Connection, Event};
use crate::core::{Commit, Core};
use crate::error::SqlError;
use crate::faults::Faults;
use crate::storage::TransactionId;
use crate::store::Isolation;

/// The data of an engine and its transactions: what a primary and its synchronous standby hold alike.
///
/// After each call, what follows is to be asked for by [`next_output`](Self::next_output) until there is no more.
#[derive(Clone, Debug)]
pub struct Engine {
    core: Core,
    connections: BTreeMap<Session, Connection>,
    /// Which session waits for which commit.
    committing: BTreeMap<Commit, Session>,
    outputs: VecDeque<(Session, Output)>,
    next_session: u64,
}

/// A connection to an engine. No other has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session(u64);

/// What a host is to do for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes to the client.
    Bytes(Vec<u8>),
    /// End the connection, once all is sent. The session is over.
    End,
    /// Bring this to disk, and say [`committed`](Engine::committed).
    Commit(Commit),
}

impl Engine {
    /// An engine without tables, whose transactions have this level of isolation.
    pub fn new(isolation: Isolation, seed: u64) -> Self {
        Self {
            core: Core::new(isolation, seed),
            connections: BTreeMap::new(),
            committing: BTreeMap::new(),
            outputs: VecDeque::new(),
            next_session: 0,
        }
    }

    /// From now on it fails by chance like this.
    pub fn set_faults(&mut self, faults: Faults) {
        self.core.faults = faults;
    }

    /// Somebody has connected.
    pub fn open(&mut self) -> Session {
        self.open_as(false)
    }

    /// Somebody has connected to a host that takes no changes: a standby, which sees all that was committed.
    pub fn open_read_only(&mut self) -> Session {
        self.open_as(true)
    }

    /// Bytes have come, cut anywhere. Nothing happens if the session is over.
    pub fn received(&mut self, session: Session, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&session) {
            connection.received(bytes, &mut self.core);
            self.run(session);
        }
    }

    /// The connection is gone: what is uncommitted of it is undone, but for what is on its way to disk.
    pub fn close(&mut self, session: Session) {
        self.remove(session);
        self.wake();
    }

    /// The session is ended by an administrator (57P01). What is on its way to disk may get there all the same.
    pub fn terminate(&mut self, session: Session) {
        if let Some(connection) = self.connections.get_mut(&session) {
            let message = "terminating connection due to administrator command";
            connection.end_with(&SqlError::new("57P01", message).fatal());
            self.collect(session);
            self.wake();
        }
    }

    /// What is to be done next.
    pub fn next_output(&mut self) -> Option<(Session, Output)> {
        self.outputs.pop_front()
    }

    /// A commit is on disk: it is answered, and seen. Nothing happens if there is no such commit any more.
    pub fn committed(&mut self, commit: Commit) {
        self.core.committed(commit);
        if let Some(session) = self.committing.remove(&commit)
            && let Some(connection) = self.connections.get_mut(&session)
        {
            connection.committed();
            self.run(session);
        }
        self.wake();
    }

    /// The host dies: all sessions are gone; commits that were not yet said to be [`committed`](Self::committed) are in it
    /// or not, by chance.
    pub fn crash(&mut self) {
        self.outputs.clear();
        self.committing.clear();
        for session in self.connections.keys().copied().collect::<Vec<_>>() {
            self.remove(session);
        }
        self.core.crash();
    }

    /// The session whose transaction the statement of this one waits for.
    pub fn waits_for(&self, session: Session) -> Option<Session> {
        let own = self.connections.get(&session)?.transaction()?;
        self.owner(self.core.waits.on(own)?)
    }

    /// Whether a session has left a transaction open: it waits for nothing but its client.
    pub fn is_idle_in_transaction(&self, session: Session) -> bool {
        self.connections.get(&session).is_some_and(Connection::is_idle_in_transaction)
    }

    /// Whose a transaction is, if the connection is still there.
    fn owner(&self, transaction: TransactionId) -> Option<Session> {
        let mut connections = self.connections.iter();
        connections.find(|(_, open)| open.transaction() == Some(transaction)).map(|(session, _)| *session)
    }

    fn open_as(&mut self, is_read_only: bool) -> Session {
        let session = Session(self.next_session);
        self.next_session += 1;
        self.connections.insert(session, Connection::new(is_read_only));
        session
    }

    /// Carries out what a session has to do, and what others can do because of that.
    fn run(&mut self, session: Session) {
        if let Some(connection) = self.connections.get_mut(&session) {
            connection.run(&mut self.core);
            self.collect(session);
        }
        self.wake();
    }

    /// Has those go on whose wait is over, one after another, as long as that ends the waits of others.
    fn wake(&mut self) {
        let mut awake = VecDeque::from(self.core.take_awake());
        while let Some(transaction) = awake.pop_front() {
            if let Some(session) = self.owner(transaction)
                && let Some(connection) = self.connections.get_mut(&session)
            {
                connection.run(&mut self.core);
                self.collect(session);
            }
            awake.extend(self.core.take_awake());
        }
    }

    /// Takes what has become of a session.
    fn collect(&mut self, session: Session) {
        let Some(connection) = self.connections.get_mut(&session) else { return };
        let events = connection.take_events();
        let mut is_over = false;
        for event in events {
            let output = match event {
                Event::Bytes(bytes) => Output::Bytes(bytes),
                Event::Commit(commit) => {
                    self.committing.insert(commit, session);
                    Output::Commit(commit)
                }
                Event::End => {
                    is_over = true;
                    Output::End
                }
            };
            self.outputs.push_back((session, output));
        }
        if is_over {
            self.remove(session);
        }
    }

    fn remove(&mut self, session: Session) {
        if let Some(connection) = self.connections.remove(&session) {
            connection.abandon(&mut self.core);
        }
    }
}
