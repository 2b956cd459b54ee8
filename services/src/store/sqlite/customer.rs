//! How accounts, sessions, carts and purchases lie in their SQLite file. The rules are not here.

use net::Time;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSql, Type};
use rusqlite::{Connection, Row, params};

use super::json::Lines;
use super::{LINEAGE, Reader, Schema, StoreError};
use crate::api::values::{Ballot, Feedback, IdempotencyKey, PurchaseId, Revision};
use crate::customer::accounts::{Buyer, Identity, Seller};
use crate::customer::purchases::{Record, State};
use crate::customer::rows::CustomerRow;
use crate::customer::sessions::{Session, digest};

const FIRST: &str = "
    -- User names are unique too; db_customer sees to it in memory, so that no second index need be kept.
    CREATE TABLE sellers (
        id            INTEGER PRIMARY KEY,
        username      TEXT NOT NULL,
        name          TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        up            INTEGER NOT NULL,
        down          INTEGER NOT NULL,
        items_sold    INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE buyers (
        id            INTEGER PRIMARY KEY,
        username      TEXT NOT NULL,
        name          TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        saved_cart    TEXT NOT NULL     -- JSON: units by item ID
    ) STRICT;
    CREATE TABLE sessions (
        number       INTEGER PRIMARY KEY,
        secret       BLOB NOT NULL,
        role         TEXT NOT NULL,
        user_id      INTEGER NOT NULL,
        active_at_ms INTEGER NOT NULL,  -- lags behind by up to a fifth of the idle timeout
        cart         TEXT NOT NULL
    ) STRICT;
    CREATE TABLE votes (
        buyer_id INTEGER NOT NULL,
        item_id  INTEGER NOT NULL,      -- category * 2^32 + n
        vote     TEXT NOT NULL,
        revision INTEGER NOT NULL,      -- as db_product gave it
        PRIMARY KEY (buyer_id, item_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE purchases (
        id          INTEGER PRIMARY KEY,
        buyer_id    INTEGER NOT NULL,
        at_ms       INTEGER NOT NULL,
        items       TEXT NOT NULL,      -- a JSON array
        total_cents INTEGER NOT NULL
    ) STRICT;
";

const CLOCK: &str = "
    CREATE TABLE clock (
        id    INTEGER PRIMARY KEY CHECK (id = 1),
        at_ms INTEGER NOT NULL          -- a time that has been; no start begins before it
    ) STRICT;
";

const SEALS: &str = "
    ALTER TABLE sellers ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sellers ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE sellers SET commit_number = commit_number(), checksum =
        sealed(NULL, id, username, name, password_hash, up, down, items_sold);
    ALTER TABLE buyers ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE buyers ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE buyers SET commit_number = commit_number(), checksum =
        sealed(NULL, id, username, name, password_hash, saved_cart);
    ALTER TABLE sessions ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE sessions SET commit_number = commit_number(), checksum =
        sealed(NULL, number, secret, role, user_id, active_at_ms, cart);
    ALTER TABLE votes ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE votes ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE votes SET commit_number = commit_number(), checksum =
        sealed(NULL, buyer_id, item_id, vote, revision);
    ALTER TABLE purchases ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE purchases ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE purchases SET commit_number = commit_number(), checksum =
        sealed(NULL, id, buyer_id, at_ms, items, total_cents);
    ALTER TABLE clock ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE clock ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE clock SET commit_number = commit_number(), checksum = sealed(NULL, id, at_ms);
";

/// The states of purchases.
const BEGUN: &str = "begun";
const MADE: &str = "made";

/// Purchases become records of their way through both databases. Those from before have come to its end.
const PURCHASES: &str = "
    ALTER TABLE purchases RENAME TO purchases_before;
    CREATE TABLE purchases (
        id              INTEGER PRIMARY KEY,
        buyer_id        INTEGER NOT NULL,
        idempotency_key TEXT,
        at_ms           INTEGER NOT NULL,   -- when it was begun
        state           TEXT NOT NULL,      -- 'begun' or 'made'; one that was refused is removed
        session         INTEGER,            -- the number of the session, whether or not it lives; NULL once it is made
        items           TEXT NOT NULL,      -- a JSON array; with names and prices once it is made. The total is their sum
        commit_number   INTEGER NOT NULL,
        checksum        INTEGER NOT NULL
    ) STRICT;
    INSERT INTO purchases SELECT id, buyer_id, NULL, at_ms, 'made', NULL, items, commit_number(),
        sealed(checksum, id, buyer_id, NULL, at_ms, 'made', NULL, items) FROM purchases_before;
    DROP TABLE purchases_before;
";

/// Of the secrets of sessions, only digests are kept. What the pages held before is written over.
const DIGESTS: &str = "
    ALTER TABLE sessions RENAME COLUMN secret TO digest;
    UPDATE sessions SET digest = session_digest(digest);
    UPDATE sessions SET commit_number = commit_number(), checksum =
        sealed(checksum, number, digest, role, user_id, active_at_ms, cart);
";

/// The file `customer.db`.
pub(crate) struct CustomerSchema;

impl Schema for CustomerSchema {
    type Row = CustomerRow;

    const NAME: &'static str = "customer";
    const APPLICATION_ID: i32 = i32::from_be_bytes(*b"MktC");
    const MIGRATIONS: &'static [&'static str] = &[FIRST, CLOCK, LINEAGE, SEALS, PURCHASES, DIGESTS];
    const TABLES: &'static [&'static str] = &["sellers", "buyers", "sessions", "votes", "purchases", "clock"];

    fn install(connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function("session_digest", 1, flags, |secret| {
            Ok(digest(u128::from_be_bytes(secret.get(0)?)).to_be_bytes())
        })
    }

    fn write(connection: &Connection, row: &CustomerRow) -> rusqlite::Result<()> {
        let execute =
            |sql, params: &[&dyn ToSql]| connection.prepare_cached(sql)?.execute(params).map(|_| ());
        match row {
            CustomerRow::Seller(id, Seller { identity, feedback: Feedback { up, down }, items_sold }) => {
                let Identity { username, name, password_hash } = identity;
                execute(
                    "INSERT OR REPLACE INTO sellers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, commit_number(), \
                        sealed((SELECT checksum FROM sellers WHERE id = ?1), ?1, ?2, ?3, ?4, ?5, ?6, ?7))",
                    params![id, username, name, password_hash, up, down, to_sql(*items_sold)],
                )
            }
            CustomerRow::Buyer(id, Buyer { identity, saved_cart }) => {
                let Identity { username, name, password_hash } = identity;
                execute(
                    "INSERT OR REPLACE INTO buyers VALUES (?1, ?2, ?3, ?4, ?5, commit_number(), \
                        sealed((SELECT checksum FROM buyers WHERE id = ?1), ?1, ?2, ?3, ?4, ?5))",
                    params![id, username, name, password_hash, saved_cart],
                )
            }
            CustomerRow::Session(number, Session { digest, role, user_id, active_at, cart }) => {
                let digest = digest.to_be_bytes();
                let active_at_ms = to_sql(active_at.as_millis());
                execute(
                    "INSERT OR REPLACE INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, commit_number(), \
                        sealed((SELECT checksum FROM sessions WHERE number = ?1), ?1, ?2, ?3, ?4, ?5, ?6))",
                    params![to_sql(*number), digest, role, user_id, active_at_ms, cart],
                )
            }
            CustomerRow::SessionClosed(number) => execute(
                "DELETE FROM sessions WHERE number = ?1 AND unsealed(checksum)",
                params![to_sql(*number)],
            ),
            CustomerRow::Vote(buyer_id, item, Ballot { vote, revision }) => execute(
                "INSERT OR REPLACE INTO votes VALUES (?1, ?2, ?3, ?4, commit_number(), \
                        sealed((SELECT checksum FROM votes WHERE buyer_id = ?1 AND item_id = ?2), ?1, ?2, ?3, ?4))",
                params![buyer_id, item, vote, revision.0],
            ),
            CustomerRow::Purchase(id, record) => write_purchase(connection, *id, record),
            CustomerRow::PurchaseRemoved(id) => {
                execute("DELETE FROM purchases WHERE id = ?1 AND unsealed(checksum)", params![id])
            }
            CustomerRow::Clock(at) => {
                // Rounded up: what has ended by then has ended by the time that is loaded.
                execute(
                    "INSERT OR REPLACE INTO clock VALUES (1, ?1, commit_number(), \
                        sealed((SELECT checksum FROM clock WHERE id = 1), 1, ?1))",
                    params![to_sql(at.as_millis() + 1)],
                )
            }
        }
    }

    fn read(reader: &Reader<'_>, visit: &mut dyn FnMut(CustomerRow) -> bool) -> Result<(), StoreError> {
        let sql = "SELECT id, username, name, password_hash, up, down, items_sold FROM sellers ORDER BY id";
        reader.read(sql, |row| {
            let feedback = Feedback { up: row.get(4)?, down: row.get(5)? };
            let seller = Seller { identity: identity(row)?, feedback, items_sold: count(row, 6)? };
            Ok(visit(CustomerRow::Seller(row.get(0)?, seller)))
        })?;
        let sql = "SELECT id, username, name, password_hash, saved_cart FROM buyers ORDER BY id";
        reader.read(sql, |row| {
            let buyer = Buyer { identity: identity(row)?, saved_cart: row.get(4)? };
            Ok(visit(CustomerRow::Buyer(row.get(0)?, buyer)))
        })?;
        let sql = "SELECT number, digest, role, user_id, active_at_ms, cart FROM sessions ORDER BY number";
        reader.read(sql, |row| {
            let session = Session {
                digest: u128::from_be_bytes(row.get(1)?),
                role: row.get(2)?,
                user_id: row.get(3)?,
                active_at: Time::from_millis(count(row, 4)?),
                cart: row.get(5)?,
            };
            Ok(visit(CustomerRow::Session(count(row, 0)?, session)))
        })?;
        let sql = "SELECT buyer_id, item_id, vote, revision FROM votes ORDER BY buyer_id, item_id";
        reader.read(sql, |row| {
            let ballot = Ballot { vote: row.get(2)?, revision: Revision(row.get(3)?) };
            Ok(visit(CustomerRow::Vote(row.get(0)?, row.get(1)?, ballot)))
        })?;
        let sql =
            "SELECT id, buyer_id, idempotency_key, at_ms, state, session, items FROM purchases ORDER BY id";
        reader.read(sql, |row| Ok(visit(CustomerRow::Purchase(row.get(0)?, record(row)?))))?;
        let sql = "SELECT at_ms FROM clock";
        reader.read(sql, |row| Ok(visit(CustomerRow::Clock(Time::from_millis(count(row, 0)?)))))
    }
}

fn write_purchase(connection: &Connection, id: PurchaseId, record: &Record) -> rusqlite::Result<()> {
    let Record { buyer_id, key, at, state } = record;
    let key = key.as_ref().map(|IdempotencyKey(key)| key);
    let (word, session, items): (_, _, &dyn ToSql) = match state {
        State::Begun { session_number, lines } => (BEGUN, Some(to_sql(*session_number)), lines),
        State::Made(items) => (MADE, None, &Lines(&**items)),
    };
    let sql = "INSERT OR REPLACE INTO purchases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, commit_number(), \
        sealed((SELECT checksum FROM purchases WHERE id = ?1), ?1, ?2, ?3, ?4, ?5, ?6, ?7))";
    let params = params![id, buyer_id, key, to_sql(at.as_millis()), word, session, items];
    connection.prepare_cached(sql)?.execute(params).map(|_| ())
}

/// The purchase of a row, whose columns are those of the table in their order.
fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let word: String = row.get(4)?;
    let session: Option<i64> = row.get(5)?;
    let state = match (&*word, session) {
        (BEGUN, Some(_)) => State::Begun { session_number: count(row, 5)?, lines: row.get(6)? },
        (MADE, None) => {
            let Lines(items) = row.get(6)?;
            State::Made(items)
        }
        _ => return Err(rusqlite::Error::InvalidColumnType(4, "state".into(), Type::Text)),
    };
    let key = row.get::<_, Option<String>>(2)?.map(IdempotencyKey);
    Ok(Record { buyer_id: row.get(1)?, key, at: Time::from_millis(count(row, 3)?), state })
}

/// A count as SQLite keeps it. None comes near the end of its integers.
fn to_sql(count: u64) -> i64 {
    i64::try_from(count).expect("a count fits in 63 bits")
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn identity(row: &Row<'_>) -> rusqlite::Result<Identity> {
    Ok(Identity { username: row.get(1)?, name: row.get(2)?, password_hash: row.get(3)? })
}

#[cfg(test)]
mod tests;
