//! [`Fake`]: an engine in this process, for clients that block, each on a thread of its own. What is committed is on disk at
//! once.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fake_postgres::{Engine, Isolation, Output, Session};

/// The levels of isolation, in the order in which PostgreSQL names them.
pub(in super::super) const ISOLATIONS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];
/// Nobody waits for as long, unless it is for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that several clients share.
#[derive(Clone)]
pub(in super::super) struct Fake(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    has_answered: Condvar,
}

struct State {
    engine: Engine,
    /// What is to be read by each session.
    unread: BTreeMap<Session, Vec<u8>>,
}

/// A connection to it.
pub(in super::super) struct FakeClient {
    fake: Fake,
    session: Session,
}

impl Fake {
    /// An engine without tables.
    pub(in super::super) fn new(isolation: Isolation) -> Self {
        let state = State { engine: Engine::new(isolation, 1), unread: BTreeMap::new() };
        Self(Arc::new(Shared { state: Mutex::new(state), has_answered: Condvar::new() }))
    }

    pub(super) fn connect(&self) -> FakeClient {
        let session = self.0.state.lock().expect("nobody has failed").engine.open();
        FakeClient { fake: self.clone(), session }
    }
}

impl FakeClient {
    /// Sends bytes, and waits for some. None have come if the connection is over.
    pub(super) fn exchange(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Fake(shared) = &self.fake;
        let mut state = shared.state.lock().expect("nobody has failed");
        state.engine.received(self.session, bytes);
        state.settle();
        shared.has_answered.notify_all();
        let is_waiting = |state: &mut State| !state.unread.contains_key(&self.session);
        let (mut state, waited) =
            shared.has_answered.wait_timeout_while(state, PATIENCE, is_waiting).expect("nobody has failed");
        assert!(!waited.timed_out(), "{:?} is not answered", self.session);
        state.unread.remove(&self.session).expect("it has come")
    }
}

impl State {
    /// Does what the engine asks its host for.
    fn settle(&mut self) {
        while let Some((session, output)) = self.engine.next_output() {
            match output {
                Output::Bytes(bytes) => self.unread.entry(session).or_default().extend(bytes),
                Output::Commit(commit) => self.engine.committed(commit),
                Output::End => _ = self.unread.entry(session).or_default(),
            }
        }
    }
}

impl Drop for FakeClient {
    fn drop(&mut self) {
        if let Ok(mut state) = self.fake.0.state.lock() {
            state.engine.close(self.session);
            state.settle();
            self.fake.0.has_answered.notify_all();
        }
    }
}
