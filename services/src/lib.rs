//! The four services of the marketplace: two databases, each around a domain, and two frontends, each around
//! the flows of one kind of user.
//!
//! The services are state machines for the event loop of the crate `net`: none of them touches a socket or a
//! clock. Here they are put together; [`net::reactor`] runs them, and in tests [`net::sim`].
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod customer;
mod engine;
mod frontend;
mod product;
mod store;

use std::error::Error;
use std::time::Duration;

use net::{Limits, Service, Workers};

use self::api::Api;
use self::api::service::Ping;
use self::customer::rows::Loaded;
use self::customer::{Customer, Hashers, Passwords};
use self::engine::database::Database;
use self::engine::domain::Domain;
use self::engine::flow::Flow;
use self::engine::flows::Frontend;
use self::engine::intake::Entry;
use self::frontend::buyer::Buyer;
use self::frontend::seller::Seller;
use self::product::Product;

pub use self::api::Effect;
pub use self::api::checked::item_field;
pub use self::customer::HashCost;
pub use self::customer::rows::CustomerRow;
pub use self::engine::backends::Backends;
pub use self::engine::lane::Deadlines;
pub use self::engine::room::Room;
pub use self::engine::secrets::{BadSecrets, Secrets};
pub use self::engine::storage::{Cause, Group, Row, Storage, StorageError};
pub use self::product::rows::ProductRow;
pub use self::store::memory::{CrashPoints, DiskFaults, MemoryDisk};
pub use self::store::{postgres, sqlite};

/// What can be set about `db_customer`.
#[derive(Clone, Copy, Debug)]
pub struct CustomerOptions {
    /// How long a session may be idle.
    pub session_timeout: Duration,
    /// What hashing a password costs.
    pub hash_cost: HashCost,
    /// Threads that hash passwords, at least 1. Each keeps the memory that a hash costs.
    pub hash_threads: usize,
}

impl Default for CustomerOptions {
    fn default() -> Self {
        let session_timeout = Duration::from_secs(300);
        Self { session_timeout, hash_cost: HashCost::default(), hash_threads: 1 }
    }
}

/// A `db_customer` that goes on from what is stored, all of it, whatever `room` there is, and serves who shows one of the
/// secrets, if there are any. `random` is a source of unpredictable bits.
///
/// # Errors
/// What is stored cannot be read (see [`StorageError`]), the cost is impossible, or a worker cannot be started.
pub fn db_customer<S, R, W>(
    mut storage: S,
    options: CustomerOptions,
    room: Room,
    secrets: Option<Secrets>,
    random: R,
    workers: &mut W,
) -> Result<impl Service + use<S, R, W>, Box<dyn Error>>
where
    S: Storage<CustomerRow> + 'static,
    R: FnMut() -> u128 + 'static,
    W: Workers,
{
    let mut loaded = Loaded::new(options.session_timeout);
    storage.load(&mut |row| loaded.load(row))?;
    let customer = Customer::new(loaded, room, hashers(options, workers)?, Box::new(random));
    Ok(Database::new(customer, Box::new(storage), secrets))
}

/// A `db_customer` whose truth lies in an engine, and which serves who shows one of the secrets, if there are any. The
/// backends of its node are as many connections to the hosts of `config` as that says, and can be encrypted as it says.
/// `random` is a source of unpredictable bits.
///
/// # Errors
/// The cost is impossible, or a worker cannot be started.
pub fn db_customer_on<R, W>(
    config: postgres::Config,
    options: CustomerOptions,
    secrets: Option<Secrets>,
    random: R,
    workers: &mut W,
) -> Result<impl Service + use<R, W>, Box<dyn Error>>
where
    R: FnMut() -> u128 + 'static,
    W: Workers,
{
    let hashers = hashers(options, workers)?;
    Ok(postgres::customer(config, options.session_timeout, hashers, secrets, Box::new(random)))
}

fn hashers(options: CustomerOptions, workers: &mut impl Workers) -> Result<Hashers, Box<dyn Error>> {
    let mut hashers = Hashers::new();
    for _ in 0..options.hash_threads {
        hashers.push(workers.start("passwords", Passwords::new(options.hash_cost)?)?);
    }
    Ok(hashers)
}

/// A `db_product` that goes on from what is stored, all of it, whatever `room` there is, and serves who shows one of the
/// secrets, if there are any.
///
/// # Errors
/// What is stored cannot be read.
pub fn db_product<S>(
    mut storage: S,
    room: Room,
    secrets: Option<Secrets>,
) -> Result<impl Service + use<S>, StorageError>
where
    S: Storage<ProductRow> + 'static,
{
    let mut product = Product::new(room);
    storage.load(&mut |row| product.load(row))?;
    product.loaded();
    Ok(Database::new(product, Box::new(storage), secrets))
}

/// A `db_product` whose truth lies in an engine, and which serves who shows one of the secrets, if there are any. The
/// backends of its node are as many connections to the hosts of `config` as that says, and can be encrypted as it says.
/// `seed` is what its pauses depend on; no two processes should have the same.
pub fn db_product_on(config: postgres::Config, secrets: Option<Secrets>, seed: u64) -> impl Service + use<> {
    postgres::product(config, secrets, seed)
}

/// What a call of an API of a service changes, and so whether it may be made again; `None` if there is no such API.
pub fn effect(service: &str, api: &str) -> Option<Effect> {
    fn of<H>(entries: &[Entry<H>], api: &str) -> Option<Effect> {
        // `Ping`, which all services answer, is in no service's list.
        let common = (api == Ping::NAME).then_some(Ping::EFFECT);
        common.or_else(|| entries.iter().find(|entry| entry.name == api).map(|entry| entry.effect))
    }
    match service {
        Buyer::SERVICE => of(Buyer::APIS, api),
        Seller::SERVICE => of(Seller::APIS, api),
        Customer::SERVICE => of(Customer::APIS, api),
        Product::SERVICE => of(Product::APIS, api),
        _ => None,
    }
}

/// A `server_buyer`, which shows the databases the first of the secrets, if there are any. Its node must have the same
/// backends, in the order of [`Backends::addresses`].
pub fn server_buyer(
    deadlines: Deadlines,
    secrets: Option<Secrets>,
    backends: &Backends,
) -> impl Service + use<> {
    Frontend::<Buyer>::new(deadlines, secrets, backends)
}

/// A `server_seller`, which shows the databases the first of the secrets, if there are any. Its node must have the same
/// backends, in the order of [`Backends::addresses`].
pub fn server_seller(
    deadlines: Deadlines,
    secrets: Option<Secrets>,
    backends: &Backends,
) -> impl Service + use<> {
    Frontend::<Seller>::new(deadlines, secrets, backends)
}

/// The limits of a database: its clients are frontends, which send the requests of many clients over one
/// connection. Where all are asked to end at once, frontends finish what they have in flight, which takes a database
/// that goes on answering until they have.
pub fn database_limits() -> Limits {
    Limits {
        line_bytes_max: 1024 * 1024,
        in_flight_max: 1024,
        outbox_bytes_max: 4 * 1024 * 1024,
        buffer_bytes_max: 128 * 1024 * 1024,
        socket_send_bytes: None,
        socket_receive_bytes: None,
        retained_bytes_max: 256 * 1024,
        drain_grace: Duration::from_secs(3),
        drain_quiet: Duration::from_millis(300),
        ..Limits::default()
    }
}
