//! [`Disks`]: what the databases keep their rows on: simulated disks, or real files.

use std::fs;
use std::path::{Path, PathBuf};

use services::{CrashPoints, CustomerRow, DiskFaults, MemoryDisk, ProductRow};
use tempfile::TempDir;

use crate::place::Place;

pub(crate) enum Disks {
    Simulated {
        customer: MemoryDisk<CustomerRow>,
        product: MemoryDisk<ProductRow>,
    },
    /// SQLite's files, in a folder for each database.
    Files {
        root: TempDir,
        /// Counts up whenever a database goes on with a copy of its files.
        copies: u32,
        folders: [PathBuf; 2],
    },
}

impl Disks {
    /// Simulated disks that are quick and never fail.
    pub(crate) fn simulated(seed: u64) -> Self {
        let mut seeds = fastrand::Rng::with_seed(seed);
        let mut chance = || {
            let mut rng = fastrand::Rng::with_seed(seeds.u64(..));
            move || rng.u64(..)
        };
        Self::Simulated {
            customer: MemoryDisk::new(chance(), DiskFaults::default()),
            product: MemoryDisk::new(chance(), DiskFaults::default()),
        }
    }

    pub(crate) fn files() -> Self {
        let root = temporary_directory();
        let folders = ["customer", "product"].map(|name| root.path().join(name));
        Self::Files { root, copies: 0, folders }
    }

    /// Makes the disks worse or better. Real ones are as they are.
    pub(crate) fn set_faults(&self, faults: &DiskFaults) {
        if let Self::Simulated { customer, product } = self {
            customer.set_faults(faults.clone());
            product.set_faults(faults.clone());
        }
    }

    /// Makes that of one database worse or better.
    pub(crate) fn set_faults_of(&self, place: Place, faults: &DiskFaults) {
        match (place, self) {
            (Place::DbCustomer, Self::Simulated { customer, .. }) => customer.set_faults(faults.clone()),
            (Place::DbProduct, Self::Simulated { product, .. }) => product.set_faults(faults.clone()),
            _ => {}
        }
    }

    /// What crashes have met so far.
    pub(crate) fn crash_points(&self) -> CrashPoints {
        match self {
            Self::Simulated { customer, product } => customer.crash_points() + product.crash_points(),
            Self::Files { .. } => CrashPoints::default(),
        }
    }

    /// Lets a database go on with its files as they are at this moment: otherwise they would be closed in order when it
    /// crashes. A simulated disk never is.
    pub(crate) fn leave_open(&mut self, place: Place) {
        let Self::Files { root, copies, folders } = self else { return };
        *copies += 1;
        let copy = root.path().join(format!("copy-{copies}"));
        fs::create_dir(&copy).expect("the directory can be made");
        let folder = std::mem::replace(&mut folders[place.index()], copy.clone());
        for file in fs::read_dir(folder).expect("the directory is there") {
            let file = file.expect("the directory can be read");
            fs::copy(file.path(), copy.join(file.file_name())).expect("the file can be copied");
        }
    }
}

/// A directory in memory where there is one: crashes are simulated, so no flush need reach a disk.
fn temporary_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    root.expect("a temporary directory")
}
