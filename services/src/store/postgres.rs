//! PostgreSQL, and what speaks its wire protocol, as the place of the databases: how it is reached, what is asked of it in
//! which words, and what tables it has.
//!
//! All of it is state machines: nothing here has a socket, a clock or a thread, and encryption is its driver's. The one
//! exception is chance: a SCRAM nonce is drawn by the library that knows that method, when a connection is made.

mod answers;
mod columns;
mod config;
mod copy;
mod customer;
mod domain;
mod holdings;
mod json;
mod migration;
mod operation;
mod pool;
mod product;
mod remote;
mod schema;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use net::Service;

use self::customer::{CustomerRows, RemoteCustomer};
use self::pool::{Lanes, Pool};
use self::product::{ProductRows, RemoteProduct};
use self::remote::Remote;
use self::schema::Schema;
use crate::api::Database;
use crate::customer::Hashers;
use crate::customer::rows::CustomerRow;
use crate::engine::secrets::Secrets;
use crate::product::rows::ProductRow;

pub use self::config::{BadConfig, Config, Encryption, Host, Password};
pub use self::copy::{CopyEnding, CopyError, Copying};
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
    let lanes = Lanes(config.connections);
    let pool = Pool::new(config, u64::try_from(random() >> 64).expect("half of the bits are left"));
    Remote::new(RemoteCustomer::new(session_timeout, lanes, hashers, random), pool, secrets)
}

/// A `db_product` whose truth lies in an engine. `seed` is what its pauses depend on.
pub(crate) fn product(config: Config, secrets: Option<Secrets>, seed: u64) -> impl Service + use<> {
    Remote::new(RemoteProduct::new(), Pool::new(config, seed), secrets)
}

/// A copy into the tables of `db_customer`, from a service whose sessions may be idle for so long. `fingerprint` tells what
/// is copied from everything else.
pub fn copy_customer(fingerprint: u64, session_timeout: Duration) -> Copying<CustomerRow> {
    let translator = Box::new(CustomerRows::new(session_timeout));
    Copying::new(Schema::of(Database::Customer), fingerprint, translator)
}

/// A copy into the tables of `db_product`, as [`copy_customer`] makes one into those of the other.
pub fn copy_product(fingerprint: u64) -> Copying<ProductRow> {
    Copying::new(Schema::of(Database::Product), fingerprint, Box::new(ProductRows::default()))
}
