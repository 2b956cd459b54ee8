//! A database of a few numbers by name, and everything around it that the tests drive by hand.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::{Conn, Input, Limits, Node, Output, Peer, Registry, Time};
use serde::Serialize;
use serde_json::Value as Json;

use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::api::values::{Name, Quantity};
use crate::api::{self, Api, DatabaseApi, Effect, FromFields};
use crate::engine::caller::Caller;
use crate::engine::database::Database;
use crate::engine::domain::{Answer, Begin, Domain, Handler, Job, answered, offloaded};
use crate::engine::intake::Entry;
use crate::engine::metrics::Holding;
use crate::engine::secrets::Secrets;
use crate::engine::storage::{Group, Storage, StorageError};
use crate::engine::table::Table;

const START: Time = Time::from_millis(1_000_000);
/// Where all clients connect from.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);

/// What [`Api::Ponder`] takes of a turn.
pub(super) const PONDERING: Duration = Duration::from_millis(20);

/// Names are one letter long.
type Row = (String, u32);

/// Reads a number.
#[derive(Serialize)]
struct Get(char);
/// Reads what takes [`PONDERING`] to be found.
#[derive(Serialize)]
struct Ponder(char);
/// Sets a number.
#[derive(Serialize)]
struct Set(char, u32);
/// Sets what was not set before.
#[derive(Serialize)]
struct Claim(char, u32);
/// Sets when work elsewhere is done, and then refuses 0.
#[derive(Serialize)]
struct Slow(char, u32);

fn key(fields: &mut Fields<'_>) -> Result<char, Error> {
    let Name(name) = fields.required("name")?;
    Ok(name.chars().next().expect("a name is not empty"))
}

fn number(fields: &mut Fields<'_>) -> Result<u32, Error> {
    fields.required("number").map(|Quantity(number)| number)
}

macro_rules! api {
    ($name:ident($($field:ident),*), $effect:ident, $reply:ty) => {
        impl FromFields for $name {
            fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
                Ok(Self($($field(fields)?),*))
            }
        }

        impl Api for $name {
            const NAME: &'static str = stringify!($name);
            const EFFECT: Effect = Effect::$effect;
            type Reply<'a> = $reply;
        }

        impl DatabaseApi for $name {
            const DATABASE: api::Database = api::Database::Customer;
        }
    };
}

api!(Get(key), Read, Option<u32>);
api!(Ponder(key), Read, Option<u32>);
api!(Set(key, number), Once, u32);
api!(Claim(key, number), Once, u32);
api!(Slow(key, number), Once, u32);

/// The numbers, and work that is not done yet.
struct Numbers {
    rows: Table<char, u32>,
    working: VecDeque<(Job, char, u32)>,
    last_job: u64,
    /// How much of the work is done.
    finished: Rc<RefCell<usize>>,
    now: Rc<Cell<Time>>,
}

impl Answer<Get> for Numbers {
    fn answer(&mut self, _: Time, Get(key): Get) -> Result<Option<u32>, Error> {
        Ok(self.rows.get(&key).copied())
    }
}

impl Answer<Ponder> for Numbers {
    fn answer(&mut self, _: Time, Ponder(key): Ponder) -> Result<Option<u32>, Error> {
        self.now.set(self.now.get() + PONDERING);
        Ok(self.rows.get(&key).copied())
    }
}

impl Answer<Set> for Numbers {
    fn answer(&mut self, _: Time, Set(key, number): Set) -> Result<u32, Error> {
        self.rows.put(key, number);
        Ok(number)
    }
}

impl Answer<Claim> for Numbers {
    fn answer(&mut self, _: Time, Claim(key, number): Claim) -> Result<u32, Error> {
        if self.rows.latest(&key).is_some() {
            return Err(Error::new(Code::AlreadyExists, "it is set"));
        }
        self.rows.put(key, number);
        Ok(number)
    }
}

impl Begin<Slow> for Numbers {
    fn begin(&mut self, _: Time, _: Caller, Slow(key, number): Slow) -> Result<Job, Error> {
        self.last_job += 1;
        self.working.push_back((Job(self.last_job), key, number));
        Ok(Job(self.last_job))
    }
}

impl Domain for Numbers {
    const DATABASE: api::Database = api::Database::Customer;
    type Row = Row;
    type Finished = u32;
    const APIS: &'static [Entry<Handler<Self>>] = &[
        answered::<Self, Get>(),
        answered::<Self, Ponder>(),
        answered::<Self, Set>(),
        answered::<Self, Claim>(),
        offloaded::<Self, Slow>(),
    ];
    const HOLDINGS: &'static [Holding] = &[Holding { name: "numbers", help: "Numbers.", labels: &[] }];

    fn poll(&mut self, _: Time) -> Option<(Job, Result<u32, Error>)> {
        let mut finished = self.finished.borrow_mut();
        *finished = finished.checked_sub(1)?;
        let (job, key, number) = self.working.pop_front().expect("no more is finished than was begun");
        if number == 0 {
            return Some((job, Err(Error::new(Code::FailedPrecondition, "it is nothing"))));
        }
        self.rows.put(key, number);
        Some((job, Ok(number)))
    }

    fn holdings(&self) -> impl Iterator<Item = usize> {
        iter::once(self.rows.len())
    }

    fn is_dirty(&self) -> bool {
        self.rows.is_dirty()
    }

    fn seal(&mut self) -> Vec<Row> {
        let rows = self.rows.seal();
        rows.map(|(key, number)| (key.to_string(), *number.expect("nothing is removed"))).collect()
    }

    fn publish(&mut self, rows_max: usize) -> Option<usize> {
        (rows_max > 0).then(|| self.rows.publish())?;
        Some(1)
    }
}

/// A store that commits when it is told to.
#[derive(Clone, Default)]
struct HandStore(Rc<RefCell<Groups>>);

#[derive(Default)]
struct Groups {
    submitted: VecDeque<Group<Row>>,
    committed: VecDeque<Result<u64, StorageError>>,
}

impl Storage<Row> for HandStore {
    fn load(&mut self, _: &mut dyn FnMut(Row) -> bool) -> Result<(), StorageError> {
        Ok(())
    }

    fn commit(&mut self, group: Group<Row>) {
        self.0.borrow_mut().submitted.push_back(group);
    }

    fn poll(&mut self) -> Result<Option<u64>, StorageError> {
        self.0.borrow_mut().committed.pop_front().transpose()
    }
}

pub(super) struct Harness {
    node: Node<Database<Numbers>>,
    registry: Arc<Registry>,
    now: Rc<Cell<Time>>,
    store: HandStore,
    finished: Rc<RefCell<usize>>,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::demanding(None)
    }

    /// A database that demands one of these secrets.
    pub(super) fn demanding(secrets: Option<Secrets>) -> Self {
        let store = HandStore::default();
        let finished = Rc::default();
        let now = Rc::new(Cell::new(START));
        let numbers = Numbers {
            rows: Table::new(),
            working: VecDeque::new(),
            last_job: 0,
            finished: Rc::clone(&finished),
            now: Rc::clone(&now),
        };
        let database = Database::new(numbers, Box::new(store.clone()), secrets);
        let registry = Arc::new(Registry::new("net"));
        // Everything is quiet at once.
        let limits = Limits { drain_quiet: Duration::ZERO, ..crate::database_limits() };
        let node = Node::registered(database, limits, 0, Arc::clone(&registry));
        let clock = Rc::clone(&now);
        Self { node: node.with_clock(move || clock.get()), registry, now, store, finished }
    }

    pub(super) fn connect(&mut self) -> Conn {
        self.node.accept(self.now.get(), CLIENT).expect("there is room")
    }

    /// The client's connection breaks.
    pub(super) fn disconnect(&mut self, conn: Conn) {
        self.node.handle_input(self.now.get(), Input::Failed(Peer::Client(conn)));
        self.end_turn();
    }

    /// Sends a request given as `<id> <api> <name> <number>`. The turn goes on.
    pub(super) fn request(&mut self, conn: Conn, words: &str) {
        self.requests(conn, &[words]);
    }

    /// Sends several requests at once.
    pub(super) fn requests(&mut self, conn: Conn, requests: &[&str]) {
        let lines: Vec<String> = requests.iter().map(|words| to_line(words)).collect();
        self.line(conn, &lines.join("\n"));
    }

    pub(super) fn line(&mut self, conn: Conn, line: &str) {
        let line = format!("{line}\n");
        self.node.handle_input(self.now.get(), Input::Received(Peer::Client(conn), line.as_bytes()));
    }

    pub(super) fn end_turn(&mut self) {
        self.node.end_turn(self.now.get()).expect("the service goes on");
    }

    /// A turn in which nothing happens but a wake.
    pub(super) fn wake(&mut self) {
        self.node.handle_input(self.now.get(), Input::Wake);
        self.end_turn();
    }

    /// A turn in which nothing happens but what was to happen by now.
    pub(super) fn time_out(&mut self) {
        self.node.handle_timeout(self.now.get());
        self.end_turn();
    }

    /// The rows of the groups that are under way.
    pub(super) fn submitted(&self) -> Vec<Vec<Row>> {
        self.store.0.borrow().submitted.iter().map(|group| group.rows.clone()).collect()
    }

    /// Commits all groups that are under way together, and says so.
    pub(super) fn flush_as_one(&mut self) {
        let mut groups = self.store.0.borrow_mut();
        let last = groups.submitted.drain(..).next_back().map(|group| group.sequence);
        groups.committed.extend(last.map(Ok));
        drop(groups);
        self.wake();
    }

    /// Commits the oldest group that is under way, if one is, and says so.
    pub(super) fn flush(&mut self) {
        let mut groups = self.store.0.borrow_mut();
        let number = groups.submitted.pop_front().map(|group| group.sequence);
        groups.committed.extend(number.map(Ok));
        drop(groups);
        self.wake();
    }

    /// Lets the commit of the oldest group that is under way fail. Returns what the driver is told.
    pub(super) fn fail(&mut self) -> Option<String> {
        let mut groups = self.store.0.borrow_mut();
        groups.submitted.pop_front();
        let (place, cause) = ("a disk".to_owned(), "it is full".into());
        groups.committed.push_back(Err(StorageError::Commit { place, cause }));
        drop(groups);
        self.node.handle_input(self.now.get(), Input::Wake);
        self.node.end_turn(self.now.get()).err().map(|error| error.to_string())
    }

    /// Finishes the oldest piece of work elsewhere.
    pub(super) fn finish_work(&mut self) {
        *self.finished.borrow_mut() += 1;
        self.wake();
    }

    /// Lets time pass, without a turn.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }

    /// The metrics whose lines begin like this.
    pub(super) fn metrics(&self, start: &str) -> Vec<String> {
        let text = self.registry.text();
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    /// Whether nothing comes after the replies that were taken.
    pub(super) fn has_ended(&mut self, conn: Conn) -> bool {
        iter::from_fn(|| self.node.poll_output()).any(|output| output == Output::Finish(Peer::Client(conn)))
    }

    pub(super) fn drain(&mut self) {
        self.node.handle_input(self.now.get(), Input::Drain);
        self.end_turn();
    }

    pub(super) fn is_drained(&self) -> bool {
        self.node.is_drained()
    }

    /// Takes the replies that have left for a client: each its ID, and its data or the code of its error.
    pub(super) fn replies(&mut self, conn: Conn) -> Vec<String> {
        let peer = Peer::Client(conn);
        while let Some(output) = self.node.poll_output() {
            assert!(!matches!(output, Output::Connect(_)), "a database calls nobody");
        }
        let text = String::from_utf8(self.node.outbox(peer).to_vec()).expect("replies are UTF-8");
        self.node.handle_input(self.now.get(), Input::Sent(peer, text.len()));
        text.lines().map(to_words).collect()
    }
}

fn to_line(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let name = words.get(2).map(|name| format!(r#""name":"{name}""#));
    let number = words.get(3).map(|number| format!(r#""number":{number}"#));
    let data = [name, number].into_iter().flatten().collect::<Vec<_>>().join(",");
    format!(r#"{{"request_id":{},"api":"{}","data":{{{data}}}}}"#, words[0], words[1])
}

fn to_words(line: &str) -> String {
    let reply: Json = serde_json::from_str(line).expect("a reply is JSON");
    if reply["type"] == "End" {
        return "end".to_owned();
    }
    let said = match reply["error"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => reply["data"].to_string(),
    };
    format!("{} {said}", reply["request_id"])
}
