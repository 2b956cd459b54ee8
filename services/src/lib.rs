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
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::{Limits, Service, Workers};

use self::customer::{Customer, Passwords};
use self::engine::database::Database;
use self::engine::domain::Domain;
use self::engine::flow::Flow;
use self::engine::flows::Frontend;
use self::engine::intake::Entry;
use self::frontend::buyer::Buyer;
use self::frontend::seller::Seller;
use self::product::Product;
use self::store::sqlite::check::{check, check_load};
use self::store::sqlite::copy::Kind;
use self::store::sqlite::customer::CustomerSchema;
use self::store::sqlite::product::ProductSchema;
use self::store::sqlite::{Schema, Store, beside, file_in};

pub use self::api::Effect;
pub use self::customer::HashCost;
pub use self::engine::flows::Deadlines;
pub use self::engine::lane::backends;
pub use self::store::sqlite::backup::BackedUp;
pub use self::store::sqlite::copy::Copied;
pub use self::store::sqlite::file::create_directory;
pub use self::store::sqlite::restore::Restored;
pub use self::store::sqlite::{Durability, StoreError};

/// What can be set about `db_customer`.
#[derive(Clone, Copy, Debug)]
pub struct CustomerOptions {
    /// How long a session may be idle.
    pub session_timeout: Duration,
    /// What hashing a password costs.
    pub hash_cost: HashCost,
}

impl Default for CustomerOptions {
    fn default() -> Self {
        Self { session_timeout: Duration::from_secs(300), hash_cost: HashCost::default() }
    }
}

/// Opens `db_customer` on the file `customer.db` in `directory`. `random` is a source of unpredictable bits.
///
/// # Errors
/// The file cannot be used (see [`StoreError`]), the cost is impossible, or a worker cannot be started.
pub fn db_customer<R: FnMut() -> u128 + 'static, W: Workers>(
    directory: &Path,
    durability: Durability,
    options: CustomerOptions,
    random: R,
    workers: &mut W,
) -> Result<impl Service + use<R, W>, Box<dyn Error>> {
    let store = Store::<CustomerSchema>::open(directory, durability)?;
    let loaded = store::sqlite::customer::load(&store.reader(), options.session_timeout)?;
    let passwords = workers.start("passwords", Passwords::new(options.hash_cost)?)?;
    let customer = Customer::new(loaded, passwords, Box::new(random));
    Ok(Database::new(customer, Box::new(store.start(workers)?)))
}

/// Opens `db_product` on the file `product.db` in `directory`.
///
/// # Errors
/// The file cannot be used (see [`StoreError`]), or the worker cannot be started.
pub fn db_product<W: Workers>(
    directory: &Path,
    durability: Durability,
    workers: &mut W,
) -> Result<impl Service + use<W>, Box<dyn Error>> {
    let store = Store::<ProductSchema>::open(directory, durability)?;
    let product = store::sqlite::product::load(&store.reader())?;
    Ok(Database::new(product, Box::new(store.start(workers)?)))
}

/// What a call of an API of a service changes, and so whether it may be made again; `None` if there is no such API.
pub fn effect(service: &str, api: &str) -> Option<Effect> {
    fn of<H>(entries: &[Entry<H>], api: &str) -> Option<Effect> {
        entries.iter().find(|entry| entry.name == api).map(|entry| entry.effect)
    }
    match service {
        Buyer::SERVICE => of(Buyer::APIS, api),
        Seller::SERVICE => of(Seller::APIS, api),
        Customer::SERVICE => of(Customer::APIS, api),
        Product::SERVICE => of(Product::APIS, api),
        _ => None,
    }
}

/// The files of a database in `directory` that grow, by what each is, whether or not they are there yet. A frontend has
/// none.
pub fn files(service: &str, directory: &Path) -> Vec<(&'static str, PathBuf)> {
    let name = match service {
        "db_customer" => CustomerSchema::NAME,
        "db_product" => ProductSchema::NAME,
        _ => return Vec::new(),
    };
    let named = file_in(directory, name);
    // The log is beside the file itself, whatever leads to it.
    let file = named.canonicalize().unwrap_or(named);
    let log = beside(&file, "-wal");
    vec![("database", file), ("log", log)]
}

/// Copies the databases that are in the folder `data` into the folder `destination`, also while services run.
///
/// # Errors
/// There is nothing to copy, a backup is there already, or it cannot be made or is not sound. Then none is left.
pub fn backup(data: &Path, destination: &Path) -> Result<BackedUp, StoreError> {
    store::sqlite::backup::backup(&KINDS, data, destination)
}

/// Puts the databases of a backup, a folder or a single file, in the place of those in the folder `data`. What was there
/// is kept under a name that tells the time: `now`, in seconds since 1970.
///
/// # Errors
/// A service uses what would be replaced, or the backup is not whole and sound; then nothing has changed. Or a file
/// could not be renamed; then no service starts until another restore has ended well.
pub fn restore(source: &Path, data: &Path, now: u64) -> Result<Vec<Restored>, StoreError> {
    store::sqlite::restore::restore(&KINDS, source, data, now)
}

/// A `server_buyer`. Its node must have the same backends, in the order of [`backends`].
pub fn server_buyer(deadlines: Deadlines, backends: &[String]) -> impl Service + use<> {
    Frontend::<Buyer>::new(deadlines, backends)
}

/// A `server_seller`. Its node must have the same backends, in the order of [`backends`].
pub fn server_seller(deadlines: Deadlines, backends: &[String]) -> impl Service + use<> {
    Frontend::<Seller>::new(deadlines, backends)
}

/// The descriptors that the files of a database take at most: the file and its log, several times each, what finds
/// pages in the log, and what tells how many commits there were.
pub const DATABASE_DESCRIPTORS: usize = 16;

/// The limits of a database: its clients are frontends, which send the requests of many clients over one
/// connection. Where all are asked to end at once, frontends finish what they have in flight, which takes a database
/// that goes on answering until they have.
pub fn database_limits() -> Limits {
    Limits {
        line_bytes_max: 1024 * 1024,
        in_flight_max: 1024,
        outbox_bytes_max: 4 * 1024 * 1024,
        retained_bytes_max: 256 * 1024,
        drain_grace: Duration::from_secs(3),
        drain_quiet: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// The databases. Of two that are copied at almost the same moment the first is `db_product`, so that no item in the
/// copies has a seller whose account is not in them.
const KINDS: [Kind; 2] = [
    Kind {
        name: ProductSchema::NAME,
        application_id: ProductSchema::APPLICATION_ID,
        check: check::<ProductSchema>,
        load: |file| {
            check_load::<ProductSchema>(file, |reader| store::sqlite::product::load(reader).map(drop))
        },
    },
    Kind {
        name: CustomerSchema::NAME,
        application_id: CustomerSchema::APPLICATION_ID,
        check: check::<CustomerSchema>,
        load: |file| {
            let timeout = CustomerOptions::default().session_timeout;
            check_load::<CustomerSchema>(file, |reader| {
                store::sqlite::customer::load(reader, timeout).map(drop)
            })
        },
    },
];
