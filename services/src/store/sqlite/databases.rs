//! The two databases in SQLite: their files, opened for services that run, and copied.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::Workers;

use super::backup::{self, BackedUp};
use super::check::{check, check_load};
use super::copy::Kind;
use super::customer::CustomerSchema;
use super::file::{beside, file_in};
use super::product::ProductSchema;
use super::restore::{self, Restored};
use super::schema::Schema;
use super::stopped::Stopped;
use super::storage::SqliteStorage;
use super::{Durability, Store, StoreError};
use crate::customer::rows::{CustomerRow, Loaded};
use crate::engine::room::Room;
use crate::engine::storage::Storage;
use crate::product::Product;
use crate::product::rows::ProductRow;

/// The descriptors that the files of a database take at most: the file and its log, several times each, what finds
/// pages in the log, and what tells how many commits there were.
pub const DESCRIPTORS: usize = 16;

/// Opens the storage of `db_customer`, the file `customer.db` in `directory`; makes what is missing, readable by this user
/// alone, and brings an older file up to date. The workers are dropped with it.
///
/// # Errors
/// The file cannot be used (see [`StoreError`]), or a worker cannot be started.
pub fn open_customer<W: Workers>(
    directory: &Path,
    durability: Durability,
    workers: &mut W,
) -> Result<impl Storage<CustomerRow> + use<W>, Box<dyn Error>> {
    SqliteStorage::start(Store::<CustomerSchema>::open(directory, durability)?, workers)
}

/// Opens the storage of `db_product`, the file `product.db` in `directory`, as [`open_customer`] does.
///
/// # Errors
/// As those of [`open_customer`].
pub fn open_product<W: Workers>(
    directory: &Path,
    durability: Durability,
    workers: &mut W,
) -> Result<impl Storage<ProductRow> + use<W>, Box<dyn Error>> {
    SqliteStorage::start(Store::<ProductSchema>::open(directory, durability)?, workers)
}

/// The rows of the `db_customer` in a directory, whose service must not run; `None` if there is none.
///
/// # Errors
/// See [`StoreError`]. Nothing is changed.
pub fn stopped_customer(directory: &Path) -> Result<Option<Stopped<CustomerRow>>, StoreError> {
    restore::check_ended(&file_in(directory, CustomerSchema::NAME))?;
    Stopped::open::<CustomerSchema>(directory)
}

/// The rows of the `db_product` in a directory, as [`stopped_customer`] has those of the other.
///
/// # Errors
/// As those of [`stopped_customer`].
pub fn stopped_product(directory: &Path) -> Result<Option<Stopped<ProductRow>>, StoreError> {
    restore::check_ended(&file_in(directory, ProductSchema::NAME))?;
    Stopped::open::<ProductSchema>(directory)
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
    backup::backup(&KINDS, data, destination)
}

/// Puts the databases of a backup, a folder or a single file, in the place of those in the folder `data`. What was there
/// is kept under a name that tells the time: `now`, in seconds since 1970.
///
/// # Errors
/// A service uses what would be replaced, or the backup is not whole and sound; then nothing has changed. Or a file
/// could not be renamed; then no service starts until another restore has ended well.
pub fn restore(source: &Path, data: &Path, now: u64) -> Result<Vec<Restored>, StoreError> {
    restore::restore(&KINDS, source, data, now)
}

/// The databases. Of two that are copied at almost the same moment the first is `db_product`, so that no item in the
/// copies has a seller whose account is not in them.
const KINDS: [Kind; 2] = [
    Kind {
        name: ProductSchema::NAME,
        application_id: ProductSchema::APPLICATION_ID,
        check: check::<ProductSchema>,
        load: |file| {
            let mut product = Product::new(Room::default());
            check_load::<ProductSchema>(file, |row| product.load(row))
        },
    },
    Kind {
        name: CustomerSchema::NAME,
        application_id: CustomerSchema::APPLICATION_ID,
        check: check::<CustomerSchema>,
        load: |file| {
            // Whether rows make sense does not depend on how long sessions may be idle.
            let mut customer = Loaded::new(Duration::ZERO);
            check_load::<CustomerSchema>(file, |row| customer.load(row))
        },
    },
];
