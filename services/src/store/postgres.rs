//! PostgreSQL, and what speaks its wire protocol, as the place of the databases: how it is reached, what is asked of it in
//! which words, and what tables it has.
//!
//! All of it is state machines: nothing here has a socket, a clock or a thread, and encryption is its driver's. The one
//! exception is chance: a SCRAM nonce is drawn by the library that knows that method, when a connection is made.

mod answers;
mod config;
mod customer;
mod domain;
mod json;
mod migration;
mod operation;
mod pool;
mod product;
mod remote;
mod schema;
mod wire;

use std::time::Duration;

use net::Service;

use self::customer::RemoteCustomer;
use self::pool::Pool;
use self::product::RemoteProduct;
use self::remote::Remote;
use crate::customer::Hashers;
use crate::engine::secrets::Secrets;

pub use self::config::{BadConfig, Config, Encryption, Host, Password};
pub use self::migration::{Migrated, Migration, MigrationError};
pub use self::wire::{
    BadRow, Call, Class, Connection, Event, Failure, Flight, Outcome, Reply, Row, ServerError, Statement,
    Ticket, Value,
};

/// A `db_customer` whose truth lies in an engine. `hashers` hash passwords; `random` is a source of unpredictable bits.
pub(crate) fn customer(
    config: Config,
    session_timeout: Duration,
    hashers: Hashers,
    secrets: Option<Secrets>,
    mut random: Box<dyn FnMut() -> u128>,
) -> impl Service + use<> {
    let pool = Pool::new(config, u64::try_from(random() >> 64).expect("half of the bits are left"));
    Remote::new(RemoteCustomer::new(session_timeout, hashers, random), pool, secrets)
}

/// A `db_product` whose truth lies in an engine. `seed` is what its pauses depend on.
pub(crate) fn product(config: Config, secrets: Option<Secrets>, seed: u64) -> impl Service + use<> {
    Remote::new(RemoteProduct::new(), Pool::new(config, seed), secrets)
}
