//! How the catalogue, and what was decided about its stock, lie in their SQLite file. The rules are not here.

use rusqlite::{Connection, params};

use super::json::Keywords;
use super::{LINEAGE, Reader, Schema, StoreError};
use crate::api::encoded::{Description, Listing};
use crate::api::values::{Ballot, Feedback, Revision};
use crate::product::rows::ProductRow;

const FIRST: &str = "
    CREATE TABLE items (
        id          INTEGER PRIMARY KEY, -- category * 2^32 + n: a category's items lie together
        category    INTEGER GENERATED ALWAYS AS (id >> 32) VIRTUAL,
        n           INTEGER GENERATED ALWAYS AS (id & 4294967295) VIRTUAL,
        seller_id   INTEGER NOT NULL,
        name        TEXT NOT NULL,
        keywords    TEXT NOT NULL,       -- a JSON array
        condition   TEXT NOT NULL,
        price_cents INTEGER NOT NULL DEFAULT 0,
        quantity    INTEGER NOT NULL DEFAULT 0,
        up          INTEGER NOT NULL DEFAULT 0,
        down        INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE votes (
        item_id  INTEGER NOT NULL,
        buyer_id INTEGER NOT NULL,
        vote     TEXT NOT NULL,
        revision INTEGER NOT NULL,       -- how often the vote has changed
        PRIMARY KEY (item_id, buyer_id)
    ) STRICT, WITHOUT ROWID;
";

const SEALS: &str = "
    ALTER TABLE items ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE items ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE items SET commit_number = commit_number(), checksum =
        sealed(NULL, id, seller_id, name, keywords, condition, price_cents, quantity, up, down);
    ALTER TABLE votes ADD COLUMN commit_number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE votes ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE votes SET commit_number = commit_number(), checksum = sealed(NULL, item_id, buyer_id, vote, revision);
";

const DECISIONS: &str = "
    CREATE TABLE decisions (
        purchase_id   INTEGER PRIMARY KEY, -- as db_customer gave it
        decision      TEXT NOT NULL,       -- JSON: what was taken at which prices, or of what there was too little
        commit_number INTEGER NOT NULL,
        checksum      INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE decision_floor (
        id            INTEGER PRIMARY KEY CHECK (id = 1),
        purchase_id   INTEGER NOT NULL,    -- nothing is decided below it any more
        commit_number INTEGER NOT NULL,
        checksum      INTEGER NOT NULL
    ) STRICT;
";

/// The file `product.db`.
pub(crate) struct ProductSchema;

impl Schema for ProductSchema {
    type Row = ProductRow;

    const NAME: &'static str = "product";
    const APPLICATION_ID: i32 = i32::from_be_bytes(*b"MktP");
    const MIGRATIONS: &'static [&'static str] = &[FIRST, LINEAGE, SEALS, DECISIONS];
    const TABLES: &'static [&'static str] = &["items", "votes", "decisions", "decision_floor"];

    fn write(connection: &Connection, row: &ProductRow) -> rusqlite::Result<()> {
        match row {
            ProductRow::Described(item) => {
                let sql = "INSERT INTO items (id, seller_id, name, keywords, condition, commit_number, checksum) \
                    VALUES (?1, ?2, ?3, ?4, ?5, commit_number(), sealed(NULL, ?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0))";
                connection.prepare_cached(sql)?.execute(params![
                    item.id,
                    item.seller_id,
                    item.name,
                    Keywords(&*item.keywords),
                    item.condition
                ])?;
            }
            ProductRow::Listing(id, listing) => {
                let sql = "UPDATE items SET price_cents = ?1, quantity = ?2, up = ?3, down = ?4, \
                    commit_number = commit_number(), checksum = \
                    sealed(checksum, id, seller_id, name, keywords, condition, ?1, ?2, ?3, ?4) WHERE id = ?5";
                let Listing { price, quantity, feedback: Feedback { up, down } } = *listing;
                let changed =
                    connection.prepare_cached(sql)?.execute(params![price, quantity, up, down, id])?;
                assert_eq!(changed, 1, "an item is described before it is listed");
            }
            ProductRow::Vote(id, buyer_id, Ballot { vote, revision }) => {
                let sql = "INSERT OR REPLACE INTO votes VALUES (?1, ?2, ?3, ?4, commit_number(), sealed( \
                    (SELECT checksum FROM votes WHERE item_id = ?1 AND buyer_id = ?2), ?1, ?2, ?3, ?4))";
                connection.prepare_cached(sql)?.execute(params![id, buyer_id, vote, revision.0])?;
            }
            ProductRow::Decision(id, decided) => {
                let sql = "INSERT INTO decisions VALUES (?1, ?2, commit_number(), sealed(NULL, ?1, ?2))";
                connection.prepare_cached(sql)?.execute(params![id, decided])?;
            }
            ProductRow::DecisionForgotten(id) => {
                let sql = "DELETE FROM decisions WHERE purchase_id = ?1 AND unsealed(checksum)";
                connection.prepare_cached(sql)?.execute(params![id])?;
            }
            ProductRow::DecisionFloor(floor) => {
                let sql = "INSERT OR REPLACE INTO decision_floor VALUES (1, ?1, commit_number(), \
                    sealed((SELECT checksum FROM decision_floor WHERE id = 1), 1, ?1))";
                connection.prepare_cached(sql)?.execute(params![floor])?;
            }
        }
        Ok(())
    }

    fn read(reader: &Reader<'_>, visit: &mut dyn FnMut(ProductRow) -> bool) -> Result<(), StoreError> {
        let sql = "SELECT id, seller_id, name, keywords, condition, price_cents, quantity, up, down FROM items ORDER BY id";
        reader.read(sql, |row| {
            let id = row.get(0)?;
            let (seller_id, name, condition) = (row.get(1)?, row.get(2)?, row.get(4)?);
            let Keywords(keywords) = row.get(3)?;
            let (price, quantity) = (row.get(5)?, row.get(6)?);
            let feedback = Feedback { up: row.get(7)?, down: row.get(8)? };
            let description = Description { id, seller_id, name, keywords, condition };
            let listing = Listing { price, quantity, feedback };
            Ok(visit(ProductRow::Described(description)) && visit(ProductRow::Listing(id, listing)))
        })?;
        let sql = "SELECT item_id, buyer_id, vote, revision FROM votes ORDER BY item_id, buyer_id";
        reader.read(sql, |row| {
            let ballot = Ballot { vote: row.get(2)?, revision: Revision(row.get(3)?) };
            Ok(visit(ProductRow::Vote(row.get(0)?, row.get(1)?, ballot)))
        })?;
        let sql = "SELECT purchase_id, decision FROM decisions ORDER BY purchase_id";
        reader.read(sql, |row| Ok(visit(ProductRow::Decision(row.get(0)?, row.get(1)?))))?;
        let sql = "SELECT purchase_id FROM decision_floor";
        reader.read(sql, |row| Ok(visit(ProductRow::DecisionFloor(row.get(0)?))))
    }
}

#[cfg(test)]
mod tests;
