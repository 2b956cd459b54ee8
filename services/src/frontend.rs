//! [`Frontend`]: the service around a [`Flow`]. It decodes requests, lets the flow decide which database to
//! call, parks the flow under its call and resumes it with the reply.
//!
//! It keeps nothing between requests, and does not know what the APIs do.

use std::marker::PhantomData;
use std::time::Duration;

use net::{Backend, Call, Conn, Event, Lost, Out, Service, Time};
use serde::Serialize;
use slab::Slab;

use crate::fields::Fields;
use crate::message::{self, Code, Error, Reply, Request, encode};
use crate::requests::ping;

/// What is to be done next about a request.
pub(crate) enum Step<F> {
    /// Answer with this JSON as `data`.
    Reply(Vec<u8>),
    /// Answer with the database's reply that has just come, as it is.
    Relay,
    /// Call a database, and resume this state with what comes back.
    Call(DatabaseCall, F),
}

/// A request on its way through the databases: a state for each reply that it can wait for.
pub(crate) trait Flow: Sized {
    /// The name of the service.
    const SERVICE: &'static str;

    /// Begins a request. `Ping` is answered for every flow.
    fn start(api: &str, fields: Fields<'_>) -> Result<Step<Self>, Error>;

    /// Goes on with the reply that this state waited for, or with the error that stands for it.
    fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error>;
}

/// A connection to a database. Replies leave a connection in order, so each kind of call that keeps others
/// waiting has connections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Reads of `db_customer`, answered from memory.
    Customer,
    /// Writes, answered after a flush.
    CustomerWrites,
    /// Passwords, answered after a hash that is slow on purpose.
    CustomerPasswords,
    /// Reads of `db_product`.
    Product,
    /// Writes of `db_product`.
    ProductWrites,
}

impl Lane {
    fn database(self) -> &'static str {
        match self {
            Self::Customer | Self::CustomerWrites | Self::CustomerPasswords => "db_customer",
            Self::Product | Self::ProductWrites => "db_product",
        }
    }
}

/// The addresses of all lanes, in their order, for the node.
pub fn backends(customer: &str, product: &str) -> Vec<String> {
    [customer, customer, customer, product, product].map(String::from).to_vec()
}

/// What repeating a call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    Read,
    /// It changes something, and changes nothing more when it is repeated.
    Idempotent,
    /// Each time it changes something.
    Once,
}

/// A call to a database.
pub(crate) struct DatabaseCall {
    lane: Lane,
    effect: Effect,
    api: &'static str,
    /// The JSON of its `data`.
    data: Vec<u8>,
}

impl DatabaseCall {
    pub(crate) fn new(lane: Lane, effect: Effect, api: &'static str, data: &impl Serialize) -> Self {
        let mut json = Vec::with_capacity(128);
        encode(&mut json, data);
        Self { lane, effect, api, data: json }
    }

    /// The same call with one field more in its `data`.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        let end = self.data.pop();
        assert_eq!(end, Some(b'}'), "`data` is an object");
        if self.data != b"{" {
            self.data.push(b',');
        }
        encode(&mut self.data, &name);
        self.data.push(b':');
        encode(&mut self.data, value);
        self.data.push(b'}');
        self
    }
}

/// Calls with passwords that a frontend has under way. A hash takes some 15 ms, so as many are done well within
/// the deadline, and whoever floods the service with logins is told so rather than kept waiting.
const PASSWORD_CALLS_MAX: usize = 256;

/// How long a frontend waits for the databases.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For any call but those with passwords.
    pub call: Duration,
    /// For calls with passwords, of which many may be queued.
    pub password: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { call: Duration::from_secs(2), password: Duration::from_secs(10) }
    }
}

/// A frontend as a service.
pub(crate) struct Frontend<F> {
    /// The requests in flight, by the number of their call. The node lets each session have one.
    parked: Slab<Parked<F>>,
    /// Those of them that wait for a password.
    password_calls: usize,
    deadlines: Deadlines,
    /// The line that is being written; kept for its memory.
    line: Vec<u8>,
    flow: PhantomData<F>,
}

/// A flow that waits for a reply.
struct Parked<F> {
    conn: Conn,
    /// The JSON of the client's request ID. The databases are called with it too, so that their replies can be
    /// passed on as they are.
    id: Box<str>,
    call: DatabaseCall,
    deadline: Time,
    /// A connection broke after the call had been handed to it, and the call was repeated.
    repeated: bool,
    flow: F,
}

impl<F> Parked<F> {
    /// What is to be said of a call without a reply.
    fn lost(&self, lost: Lost) -> Error {
        let (code, what) = match lost {
            Lost::Unsent => (Code::Unavailable, "cannot be reached"),
            Lost::Unanswered => (Code::Unavailable, "did not answer"),
            Lost::Overloaded => (Code::ResourceExhausted, "has too many requests in flight"),
        };
        let outcome = self.outcome(lost == Lost::Unanswered);
        Error::new(code, format!("{} {what}; {outcome}", self.call.lane.database()))
    }

    /// What is to be said of a call that the database did not take, with its words.
    fn turned_away(&self, said: &Error) -> Error {
        let Error { code, message } = said;
        Error::new(
            *code,
            format!("{} answered: {message}; {}", self.call.lane.database(), self.outcome(false)),
        )
    }

    /// What a call leaves behind, of which the last attempt did or did not reach the database. A flow reads before
    /// it writes, so where a read fails nothing was changed before it either.
    fn outcome(&self, may_have_arrived: bool) -> &'static str {
        if self.call.effect != Effect::Read && (may_have_arrived || self.repeated) {
            "the change may have been made"
        } else {
            "nothing was changed"
        }
    }
}

impl<F: Flow> Frontend<F> {
    pub(crate) fn new(deadlines: Deadlines) -> Self {
        Self { parked: Slab::new(), password_calls: 0, deadlines, line: Vec::new(), flow: PhantomData }
    }

    fn start(&mut self, now: Time, conn: Conn, line: &[u8], out: &mut Out) {
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err(malformed) => return self.fail(conn, malformed.id, &malformed.error, out),
        };
        let fields = Fields::parse(request.data);
        match fields.and_then(|fields| begin(&request.api, fields)) {
            Ok(step) => self.take(now, conn, request.id.into(), step, None, out),
            Err(error) => self.fail(conn, request.id, &error, out),
        }
    }

    fn resume(&mut self, now: Time, key: usize, result: Result<&[u8], Lost>, out: &mut Out) {
        let mut parked = self.parked.remove(key);
        self.password_calls -= usize::from(parked.call.lane == Lane::CustomerPasswords);
        let reply = match result {
            Ok(line) => Reply::to_request(line, &parked.id).map_err(|said| parked.turned_away(&said)),
            // The connection broke: the database may be on its way back.
            Err(Lost::Unanswered) if parked.call.effect != Effect::Once && now < parked.deadline => {
                parked.repeated = true;
                return self.call(parked, out);
            }
            Err(lost) => Err(parked.lost(lost)),
        };
        match parked.flow.resume(reply) {
            Ok(step) => self.take(now, parked.conn, parked.id, step, result.ok(), out),
            Err(error) => self.fail(parked.conn, &parked.id, &error, out),
        }
    }

    /// Takes a step of a request; `reply` is the line that the step may relay.
    fn take(
        &mut self,
        now: Time,
        conn: Conn,
        id: Box<str>,
        step: Step<F>,
        reply: Option<&[u8]>,
        out: &mut Out,
    ) {
        match step {
            Step::Call(call, _)
                if call.lane == Lane::CustomerPasswords && self.password_calls >= PASSWORD_CALLS_MAX =>
            {
                let message = format!("{PASSWORD_CALLS_MAX} passwords are being checked: try again");
                self.fail(conn, &id, &Error::new(Code::ResourceExhausted, message), out);
            }
            Step::Call(call, flow) => {
                let patience = match call.lane {
                    Lane::CustomerPasswords => self.deadlines.password,
                    _ => self.deadlines.call,
                };
                let deadline = now + patience;
                self.call(Parked { conn, id, call, deadline, repeated: false, flow }, out);
            }
            Step::Relay => out.send(conn, reply.expect("only a reply is relayed")),
            Step::Reply(data) => {
                self.line.clear();
                message::begin_ok(&mut self.line, &id);
                self.line.extend_from_slice(&data);
                message::end_ok(&mut self.line);
                out.send(conn, &self.line);
            }
        }
    }

    fn call(&mut self, parked: Parked<F>, out: &mut Out) {
        let Parked { id, call, deadline, .. } = &parked;
        self.line.clear();
        Request::encode(&mut self.line, id, call.api, &call.data);
        let (backend, deadline) = (Backend(call.lane as usize), *deadline);
        self.password_calls += usize::from(call.lane == Lane::CustomerPasswords);
        let key = self.parked.insert(parked);
        out.call(backend, Call(key), &self.line, deadline);
    }

    fn fail(&mut self, conn: Conn, id: &str, error: &Error, out: &mut Out) {
        self.line.clear();
        message::encode_error(&mut self.line, id, error);
        out.send(conn, &self.line);
    }
}

fn begin<F: Flow>(api: &str, fields: Fields<'_>) -> Result<Step<F>, Error> {
    if api != "Ping" {
        return F::start(api, fields);
    }
    let mut data = Vec::new();
    ping(F::SERVICE, None, fields, &mut data)?;
    Ok(Step::Reply(data))
}

impl<F: Flow> Service for Frontend<F> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Line(conn, line) => self.start(now, conn, line, out),
            Event::Reply(Call(key), result) => self.resume(now, key, result, out),
            Event::Reject(conn, reject) => self.fail(conn, "null", &reject.into(), out),
            // A request goes on without its client: a vote that is counted for an item is to be counted for the
            // seller too.
            Event::Closed(_) => {}
            Event::Wake | Event::Drain => {}
        }
    }

    fn is_drained(&self) -> bool {
        self.parked.is_empty()
    }
}

#[cfg(test)]
mod tests;
