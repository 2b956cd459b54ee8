//! [`Lane`]: the kinds of connections of a frontend to the databases.

use std::time::Duration;

use crate::api::{Database, DatabaseApi};

/// Calls with passwords that a frontend has under way; further ones wait for their turn there.
const PASSWORD_CALLS_MAX: usize = 64;
/// A reply waits for those to the calls before it, so a frontend has under way what is answered within this time.
pub(super) const PASSWORD_CALLS_FOR: Duration = Duration::from_millis(100);

/// How long a frontend waits for the databases.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For any call but those with passwords.
    pub call: Duration,
    /// For calls with passwords, of which many may be queued.
    pub password: Duration,
    /// The age of the oldest call in flight over a lane at which its database counts as behind, and requests that would
    /// queue up there are refused. Calls with passwords have a queue of their own, which does the same.
    pub behind_after: Duration,
}

impl Deadlines {
    /// `call` for any call but those with passwords. A database is behind after half of that: a call that joins the queue
    /// then waits at least as long as those before it have, and the other half is for what it takes besides.
    pub fn new(call: Duration) -> Self {
        Self { call, password: Duration::from_secs(10), behind_after: call / 2 }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::new(Duration::from_secs(2))
    }
}

/// The connections to a database that carry one kind of call. Replies leave a connection in order, so each kind of call
/// that keeps others waiting has connections of its own.
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

/// A lane, and where it leads.
struct Entry {
    lane: Lane,
    name: &'static str,
    database: Database,
}

const fn to(database: Database, lane: Lane, name: &'static str) -> Entry {
    Entry { lane, name, database }
}

/// In the order of [`Lane`].
const LANES: [Entry; Lane::COUNT] = [
    to(Database::Customer, Lane::Customer, "customer"),
    to(Database::Customer, Lane::CustomerWrites, "customer_writes"),
    to(Database::Customer, Lane::CustomerPasswords, "customer_passwords"),
    to(Database::Product, Lane::Product, "product"),
    to(Database::Product, Lane::ProductWrites, "product_writes"),
];

impl Lane {
    /// How many there are; each is less than this as a number.
    pub(crate) const COUNT: usize = 5;

    /// The lane of an API's calls.
    pub(crate) fn of<A: DatabaseApi>() -> Self {
        match A::DATABASE {
            Database::Customer if A::HASHES => Self::CustomerPasswords,
            Database::Customer if A::EFFECT.is_write() => Self::CustomerWrites,
            Database::Customer => Self::Customer,
            Database::Product if A::EFFECT.is_write() => Self::ProductWrites,
            Database::Product => Self::Product,
        }
    }

    /// All lanes, in their order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        LANES.iter().map(|entry| entry.lane)
    }

    /// As metrics have it.
    pub(crate) fn name(self) -> &'static str {
        LANES[self as usize].name
    }

    /// Where it leads.
    pub(crate) fn database(self) -> Database {
        LANES[self as usize].database
    }

    /// The most calls that a frontend may have under way over it, beyond which they wait in turn; `None` if none do and
    /// the link's own limit is enough.
    pub(super) fn calls_max(self) -> Option<usize> {
        (self == Self::CustomerPasswords).then_some(PASSWORD_CALLS_MAX)
    }

    /// How long a call over it may take.
    pub(super) fn patience(self, deadlines: &Deadlines) -> Duration {
        match self {
            Self::CustomerPasswords => deadlines.password,
            Self::Customer | Self::CustomerWrites | Self::Product | Self::ProductWrites => deadlines.call,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backends::Backends;

    #[test]
    fn lanes_stand_in_their_order() {
        for (place, lane) in Lane::all().enumerate() {
            assert_eq!(lane as usize, place);
        }
        for (place, database) in Database::ALL.into_iter().enumerate() {
            assert_eq!(database as usize, place);
        }
        assert_eq!(Backends::single("c", "p").addresses(), ["c", "c", "c", "p", "p"]);
    }
}
