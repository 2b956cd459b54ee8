//! `db_customer` twice: in memory, and on a PostgreSQL server, over a connection that blocks and carries out one step after
//! another.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use net::sim::SimWorker;
use net::{Time, Waker};
use support::Postgres;

use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::customer::rows::Loaded;
use crate::customer::{Customer, HashCost, Hashers, Passwords};
use crate::engine::caller::Caller;
use crate::engine::domain::{Domain, Handler};
use crate::engine::room::Room;
use crate::store::postgres::customer::RemoteCustomer;
use crate::store::postgres::domain::RemoteDomain;
use crate::store::postgres::operation::{Next, Sharing, Step, Transaction};
use crate::store::postgres::pool::Lanes;
use crate::store::postgres::tests::blocking::Blocking;
pub(super) use crate::store::postgres::tests::blocking::LEVELS;
use crate::store::postgres::tests::fake::Fake;

pub(super) const START: Time = Time::from_millis(1_800_000_000_000);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);

/// What both stores can be asked.
pub(super) trait Store {
    /// The JSON of a reply's `data`.
    fn ask_at(&mut self, now: Time, host: u8, api: &str, data: &str) -> Result<String, Error>;

    fn ask(&mut self, now: Time, api: &str, data: &str) -> Result<String, Error> {
        self.ask_at(now, 1, api, data)
    }

    /// The reply, which is good.
    #[track_caller]
    fn told(&mut self, now: Time, api: &str, data: &str) -> String {
        self.ask(now, api, data).unwrap_or_else(|error| panic!("{api} {data}: {error:?}"))
    }

    /// Who has logged in to a buyer's account of this name, with this password.
    fn log_in(&mut self, now: Time, username: &str, password: &str) -> String {
        let data = format!(r#"{{"username":"{username}","password":"{password}","role":"buyer"}}"#);
        field(&self.told(now, "Login", &data), "session_id")
    }
}

/// The store in memory.
pub(super) struct Memory(Customer);

/// The store on a server.
pub(super) struct Engine {
    pub(super) customer: RemoteCustomer,
    pub(super) engine: Blocking,
}

/// A server with a database of its own for each of these levels of isolation, or none if none is installed.
pub(super) fn server(levels: &[&str]) -> Option<Postgres> {
    let server = Postgres::start("trust", &["fsync=off", "max_connections=40"])?;
    for level in levels {
        let name = database(level);
        server.sql("shop", &format!("CREATE DATABASE {name}"));
        server.sql(&name, &format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'"));
        Blocking::connect(&url(&server, level)).migrate();
    }
    Some(server)
}

/// Where the database of a level is.
pub(super) fn url(server: &Postgres, level: &str) -> String {
    let url = server.url("127.0.0.1", "").replace("/shop", &format!("/{}", database(level)));
    url.trim_end_matches('?').to_owned()
}

pub(super) fn database(level: &str) -> String {
    level.replace(' ', "_")
}

/// The text of a field, as long as it has no quotes.
pub(super) fn field(json: &str, name: &str) -> String {
    let (_, rest) = json.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("{name} in {json}"));
    rest.split('"').next().expect("it has an end").to_owned()
}

/// One of the services.
pub(super) fn remote(seed: u64) -> RemoteCustomer {
    RemoteCustomer::new(TIMEOUT, Lanes(1), hashers(), random(seed))
}

fn hashers() -> Hashers {
    let passwords = Passwords::new(HashCost { memory_kib: 8, passes: 1 }).expect("valid");
    vec![Box::new(SimWorker::new(passwords, Waker::new(|| ()), 0))]
}

fn random(seed: u64) -> Box<dyn FnMut() -> u128> {
    let mut random = fastrand::Rng::with_seed(seed);
    Box::new(move || random.u128(..))
}

fn caller(now: Time, host: u8) -> Caller {
    Caller::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), now, Duration::from_secs(10))
}

impl Memory {
    pub(super) fn new() -> Self {
        let customer = Customer::new(Loaded::new(TIMEOUT), Room::default(), hashers(), random(0));
        Self(customer)
    }
}

impl Store for Memory {
    fn ask_at(&mut self, now: Time, host: u8, api: &str, data: &str) -> Result<String, Error> {
        let Self(customer) = self;
        let entry = Customer::APIS.iter().find(|entry| entry.name == api).expect(api);
        let fields = Fields::parse(data).expect("an object");
        let mut json = Vec::new();
        let result = match entry.handler {
            Handler::Answer(answer) => answer(customer, now, fields, &mut json),
            Handler::Begin(begin) => begin(customer, now, caller(now, host), fields).and_then(|job| {
                let (done, finished) = customer.poll(now).expect("it is done at once");
                assert_eq!(done, job);
                finished.map(|finished| crate::api::Encode::encode(&finished, &mut json))
            }),
        };
        customer.seal();
        customer.publish(usize::MAX);
        customer.end_turn(now);
        result.map(|()| String::from_utf8(json).expect("JSON is UTF-8"))
    }
}

impl Engine {
    /// One of the services on a database.
    pub(super) fn connect(server: &Postgres, level: &str, seed: u64) -> Self {
        Self::connect_to(&url(server, level), seed)
    }

    pub(super) fn connect_to(url: &str, seed: u64) -> Self {
        Self { customer: remote(seed), engine: Blocking::connect(url) }
    }

    /// The same, over an engine in this process.
    pub(super) fn over(fake: &Fake, seed: u64) -> Self {
        Self { customer: remote(seed), engine: Blocking::connect_to_fake(fake) }
    }

    fn go_on(&mut self, now: Time, step: Result<Step<RemoteCustomer>, Error>) -> Result<String, Error> {
        let mut step = step?;
        loop {
            step = match step {
                Step::Ask(transaction, next) => {
                    let answer = self.engine.carry_out(&transaction);
                    next(&mut self.customer, now, answer)?
                }
                Step::Work(job) => {
                    let (done, next) = self.customer.poll(now).expect("it is done at once");
                    assert_eq!(done, job);
                    next?
                }
                Step::Reply(data) => return Ok(String::from_utf8(data).expect("JSON is UTF-8")),
            }
        }
    }

    /// What several requests are answered that begin in one transaction.
    pub(super) fn ask_together(
        &mut self,
        now: Time,
        requests: &[(&str, String)],
    ) -> Vec<Result<String, Error>> {
        let mut all = Transaction::reads(None, Vec::new());
        let mut asked = Vec::new();
        for (api, data) in requests {
            let step = self.begin(now, 1, api, data).expect("it begins");
            let Step::Ask(transaction, next) = step else { panic!("it is answered at once") };
            let is_shared = transaction.sharing == Sharing::All && transaction.effect.is_write();
            assert!(is_shared, "it shares no transaction");
            asked.push((transaction.calls.len(), next));
            all.calls.extend(transaction.calls);
        }
        let mut replies = self.engine.carry_out(&all).expect("it is not refused").into_iter();
        let answers: Vec<_> = asked
            .into_iter()
            .map(|(calls, next)| (replies.by_ref().take(calls).collect::<Vec<_>>(), next))
            .collect();
        let go_on = |(replies, next): (_, Next<RemoteCustomer>)| {
            let step = next(&mut self.customer, now, Ok(replies));
            self.go_on(now, step)
        };
        answers.into_iter().map(go_on).collect()
    }

    fn begin(&mut self, now: Time, host: u8, api: &str, data: &str) -> Result<Step<RemoteCustomer>, Error> {
        let entry = RemoteCustomer::APIS.iter().find(|entry| entry.name == api).expect(api);
        let fields = Fields::parse(data).expect("an object");
        (entry.handler)(&mut self.customer, now, caller(now, host), fields)
    }

    /// Does what it is time for. Returns how many steps that took.
    pub(super) fn keep_up(&mut self, now: Time) -> usize {
        let mut steps = 0;
        while let Some(step) = self.customer.upkeep(now) {
            self.go_on(now, Ok(step)).expect("nothing is in its way");
            steps += 1;
        }
        let next_at = self.customer.upkeep_at().expect("there is always something to forget");
        assert!(next_at > now, "what is due is done");
        steps
    }
}

impl Store for Engine {
    fn ask_at(&mut self, now: Time, host: u8, api: &str, data: &str) -> Result<String, Error> {
        let step = self.begin(now, host, api, data);
        self.go_on(now, step)
    }
}
