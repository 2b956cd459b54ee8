//! The engine, as its clients see it.

mod beside_postgres;
mod bounds;
mod client;
mod hostile;
mod protocol;
mod statements;
mod waits;

use self::client::Clients;
use super::Isolation;

const LEVELS: [Isolation; 3] = [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

/// A table of accounts: the first has 10, the second 20.
const ACCOUNTS: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS accounts (id bigint NOT NULL, owner text NOT NULL, balance bigint NOT NULL,
        CONSTRAINT solvent CHECK (balance >= 0), PRIMARY KEY (id))",
    "CREATE UNIQUE INDEX IF NOT EXISTS accounts_by_owner ON accounts (owner)",
    "INSERT INTO accounts (id, owner, balance) VALUES (1, 'ann', 10), (2, 'bob', 20)",
];

/// An engine with that table.
fn accounts(isolation: Isolation) -> Clients {
    let mut clients = Clients::new(isolation);
    for sql in ACCOUNTS {
        clients.run(0, sql);
    }
    clients
}
