//! [`Schema`]: the tables of each database, and how those of an older version become those of the newest.
//!
//! Engines differ, so the tables keep to what all of them have. There are three types: `bigint`, `text` and `bytea`; times
//! are milliseconds that the services give, and JSON is text. Each table has a primary key, whose first column spreads
//! rows over the machines of an engine that has several, and no default, sequence, foreign key or trigger. What must never
//! be is a constraint (`CHECK`, a key, a unique index): a statement that would bring it about fails, and with it all of its
//! transaction. Both databases may lie in one database of the engine, so the names of tables tell whose they are.

use super::wire::{BadRow, Call, Reply, Statement, Value};
use crate::api::Database;

/// The tables of a database of ours.
#[derive(Debug)]
pub(super) struct Schema {
    /// The service's name without its `db_`.
    pub(super) service: &'static str,
    /// What brings the tables from each version to the next. They are appended, never changed. Each is a list of
    /// statements that are carried out one by one, and may be carried out again, also by two programs at a time.
    pub(super) migrations: &'static [&'static [&'static str]],
}

/// The table of versions, which both have in common.
pub(super) const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS market_schema (
    service text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (service))";

pub(super) const SCHEMAS: [Schema; 2] = [
    Schema { service: "customer", migrations: &[CUSTOMER_FIRST, CUSTOMER_SESSIONS_BY_USER] },
    Schema { service: "product", migrations: &[PRODUCT_FIRST] },
];

const CUSTOMER_FIRST: &[&str] = &[
    // The last number that was given to an account of each role.
    "CREATE TABLE IF NOT EXISTS account_numbers (
        role text NOT NULL,
        last bigint NOT NULL,
        PRIMARY KEY (role))",
    "INSERT INTO account_numbers (role, last) VALUES ('seller', 0) ON CONFLICT (role) DO NOTHING",
    "INSERT INTO account_numbers (role, last) VALUES ('buyer', 0) ON CONFLICT (role) DO NOTHING",
    "CREATE TABLE IF NOT EXISTS sellers (
        seller_id bigint NOT NULL,
        username text NOT NULL,
        name text NOT NULL,
        password_hash text NOT NULL,
        up bigint NOT NULL,
        down bigint NOT NULL,
        items_sold bigint NOT NULL,
        PRIMARY KEY (seller_id))",
    "CREATE UNIQUE INDEX IF NOT EXISTS sellers_by_username ON sellers (username)",
    "CREATE TABLE IF NOT EXISTS buyers (
        buyer_id bigint NOT NULL,
        username text NOT NULL,
        name text NOT NULL,
        password_hash text NOT NULL,
        PRIMARY KEY (buyer_id))",
    "CREATE UNIQUE INDEX IF NOT EXISTS buyers_by_username ON buyers (username)",
    // Of the session ID there is a digest only: that of its secret, and then its number. No index has the time, so that
    // touching a session moves nothing.
    "CREATE TABLE IF NOT EXISTS sessions (
        digest bytea NOT NULL,
        role text NOT NULL,
        user_id bigint NOT NULL,
        active_at_ms bigint NOT NULL,
        PRIMARY KEY (digest))",
    // A cart is that of a session, by its digest, or the saved one of a buyer: 'b' and the buyer's number.
    "CREATE TABLE IF NOT EXISTS cart_lines (
        cart bytea NOT NULL,
        item_id bigint NOT NULL,
        quantity bigint NOT NULL,
        CONSTRAINT cart_quantity CHECK (quantity >= 0 AND quantity <= 1000000000),
        PRIMARY KEY (cart, item_id))",
    // A vote as it was counted for the seller, with the one before, whose place it takes there.
    "CREATE TABLE IF NOT EXISTS seller_votes (
        buyer_id bigint NOT NULL,
        item_id bigint NOT NULL,
        vote text NOT NULL,
        vote_before text NOT NULL,
        revision bigint NOT NULL,
        is_counted bigint NOT NULL,
        PRIMARY KEY (buyer_id, item_id))",
    // What was bought. A purchase that was refused has no row.
    "CREATE TABLE IF NOT EXISTS purchases (
        buyer_id bigint NOT NULL,
        purchase_id bigint NOT NULL,
        at_ms bigint NOT NULL,
        items text NOT NULL,
        PRIMARY KEY (buyer_id, purchase_id))",
    "CREATE UNIQUE INDEX IF NOT EXISTS purchases_by_id ON purchases (purchase_id)",
    // The key of a purchase is its name for as long as there is the purchase, begun or made. It may have characters that
    // no text of an engine has.
    "CREATE TABLE IF NOT EXISTS purchase_keys (
        buyer_id bigint NOT NULL,
        idempotency_key bytea NOT NULL,
        purchase_id bigint NOT NULL,
        PRIMARY KEY (buyer_id, idempotency_key))",
    // Purchases whose end somebody has to bring about, and from when on. There are few, so recovery reads them all. The key
    // is empty where there is none.
    "CREATE TABLE IF NOT EXISTS purchases_begun (
        purchase_id bigint NOT NULL,
        buyer_id bigint NOT NULL,
        session_digest bytea NOT NULL,
        idempotency_key bytea NOT NULL,
        at_ms bigint NOT NULL,
        claimable_at_ms bigint NOT NULL,
        PRIMARY KEY (purchase_id))",
    "CREATE UNIQUE INDEX IF NOT EXISTS purchases_begun_by_session ON purchases_begun (session_digest)",
    // What is to be bought in them.
    "CREATE TABLE IF NOT EXISTS purchase_lines (
        purchase_id bigint NOT NULL,
        item_id bigint NOT NULL,
        quantity bigint NOT NULL,
        PRIMARY KEY (purchase_id, item_id))",
    // Where IDs of purchases come from: last * 16 + source. Who has raised a source keeps others from it until the purchase
    // is committed, so of each source all purchases up to the last one are known.
    "CREATE TABLE IF NOT EXISTS purchase_numbers (
        source bigint NOT NULL,
        last bigint NOT NULL,
        PRIMARY KEY (source))",
    "INSERT INTO purchase_numbers (source, last) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0),
        (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0) ON CONFLICT (source) DO NOTHING",
    // The recent failed logins by a digest of account and address.
    "CREATE TABLE IF NOT EXISTS login_failures (
        digest bytea NOT NULL,
        failures bigint NOT NULL,
        last_at_ms bigint NOT NULL,
        PRIMARY KEY (digest))",
];

/// An account's sessions are found, always in the same order. It has no time either.
const CUSTOMER_SESSIONS_BY_USER: &[&str] =
    &["CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id, role, digest)"];

const PRODUCT_FIRST: &[&str] = &[
    // The last number that was given to an item of each category.
    "CREATE TABLE IF NOT EXISTS categories (
        category bigint NOT NULL,
        last_n bigint NOT NULL,
        CONSTRAINT category_full CHECK (last_n <= 4294967295),
        PRIMARY KEY (category))",
    // How many items each seller has registered: counting them would take a step for each.
    "CREATE TABLE IF NOT EXISTS shelves (
        seller_id bigint NOT NULL,
        registered bigint NOT NULL,
        CONSTRAINT shelf_full CHECK (registered <= 100000),
        PRIMARY KEY (seller_id))",
    // An item's ID is category * 2^32 + n. The check is what keeps a unit from being sold twice.
    "CREATE TABLE IF NOT EXISTS items (
        item_id bigint NOT NULL,
        seller_id bigint NOT NULL,
        name text NOT NULL,
        keywords text NOT NULL,
        condition text NOT NULL,
        price_cents bigint NOT NULL,
        quantity bigint NOT NULL,
        up bigint NOT NULL,
        down bigint NOT NULL,
        CONSTRAINT item_quantity CHECK (quantity >= 0 AND quantity <= 1000000000),
        PRIMARY KEY (item_id))",
    "CREATE INDEX IF NOT EXISTS items_by_seller ON items (seller_id, item_id)",
    // The terms of the items in stock, in the order of hits: 2 for a keyword, 1 for a word of the name. An item's category
    // and its seller are terms too, and 1.
    "CREATE TABLE IF NOT EXISTS item_terms (
        term text NOT NULL,
        score bigint NOT NULL,
        item_id bigint NOT NULL,
        PRIMARY KEY (term, score, item_id))",
    // A vote, with the one before, whose place it takes in the item's feedback.
    "CREATE TABLE IF NOT EXISTS item_votes (
        item_id bigint NOT NULL,
        buyer_id bigint NOT NULL,
        vote text NOT NULL,
        vote_before text NOT NULL,
        revision bigint NOT NULL,
        PRIMARY KEY (item_id, buyer_id))",
    // What was decided about the stock of a purchase. Of a decision to take, as many lines are found as are wanted; that of
    // a refusal tells of what there was too little, as JSON.
    "CREATE TABLE IF NOT EXISTS decisions (
        purchase_id bigint NOT NULL,
        decision text NOT NULL,
        lines_wanted bigint NOT NULL,
        lines_found bigint NOT NULL,
        shortages text NOT NULL,
        CONSTRAINT decision_lines CHECK (lines_found = lines_wanted),
        PRIMARY KEY (purchase_id))",
    "CREATE TABLE IF NOT EXISTS decision_lines (
        purchase_id bigint NOT NULL,
        item_id bigint NOT NULL,
        quantity bigint NOT NULL,
        price_cents bigint NOT NULL,
        name text NOT NULL,
        seller_id bigint NOT NULL,
        PRIMARY KEY (purchase_id, item_id))",
    // One row: below this purchase nothing is decided any more, and decisions may have been forgotten.
    "CREATE TABLE IF NOT EXISTS decision_floor (
        id bigint NOT NULL,
        purchase_id bigint NOT NULL,
        PRIMARY KEY (id))",
    "INSERT INTO decision_floor (id, purchase_id) VALUES (1, 0) ON CONFLICT (id) DO NOTHING",
];

const READ_VERSION: Statement =
    Statement::kept("schema_version", "SELECT version FROM market_schema WHERE service = $1");

impl Schema {
    /// The tables of a database.
    pub(super) fn of(database: Database) -> &'static Self {
        &SCHEMAS[database as usize]
    }

    /// The newest version: how many migrations there are.
    pub(super) fn version(&self) -> usize {
        self.migrations.len()
    }

    /// What asks the engine for the version of the tables that it has. There is no such table where nothing was migrated.
    pub(super) fn ask_version(&self) -> Call {
        READ_VERSION.with([Value::Text(self.service.to_owned())])
    }

    /// The version that the engine has told, 0 if it knows of none.
    ///
    /// # Errors
    /// What it has told is no version.
    pub(super) fn told_version(replies: &[Reply]) -> Result<i64, BadRow> {
        replies.first().and_then(|reply| reply.rows.first()).map_or(Ok(0), |row| row.int(0))
    }

    /// Whether a service can use tables of this version. It can use those of the next one, which only add something, so
    /// that services may be replaced one by one after a migration.
    ///
    /// # Errors
    /// Why not, for people.
    pub(super) fn check_version(&self, found: i64) -> Result<(), String> {
        let Self { service, .. } = self;
        let known = i64::try_from(self.version()).expect("there are few");
        match found {
            found if is_copy_mark(found) => Err(half_copied(service)),
            0 => Err(format!("there are no tables of {service} yet: `marketplace migrate` makes them")),
            found if found < known => Err(format!(
                "the tables of {service} have version {found} and {known} is needed: run `marketplace migrate`"
            )),
            found if found > known + 1 => Err(format!(
                "the tables of {service} have version {found}, and this program knows versions up to {known}: \
                 use the newer program"
            )),
            _ => Ok(()),
        }
    }
}

/// The version of tables that are being filled with what has this fingerprint. No other version is as low.
pub(super) fn copy_mark(fingerprint: u64) -> i64 {
    i64::MIN + (fingerprint >> 2).cast_signed()
}

/// Whether tables of this version are being filled.
pub(super) fn is_copy_mark(version: i64) -> bool {
    version < i64::MIN / 2
}

/// What keeps a service, or a migration, from tables that are being filled.
pub(super) fn half_copied(service: &str) -> String {
    format!("a copy into the tables of {service} has not come to its end: run `marketplace copy` again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_same_version_or_the_next_one_can_be_used_and_no_others() {
        let schema = Schema { service: "product", migrations: &[&[], &[]] };
        let check = |found| schema.check_version(found).err().unwrap_or_default();
        assert!(check(0).contains("no tables of product yet"));
        assert!(check(1).contains("version 1 and 2 is needed"));
        assert_eq!((check(2), check(3)), (String::new(), String::new()));
        assert!(check(4).contains("versions up to 2"));
    }

    #[test]
    fn tables_that_are_being_filled_are_of_no_use_yet() {
        let schema = Schema::of(Database::Product);
        for fingerprint in [0, 7, u64::MAX] {
            let mark = copy_mark(fingerprint);
            assert!(is_copy_mark(mark), "{mark}");
            assert!(
                schema.check_version(mark).is_err_and(|error| error.contains("`marketplace copy` again"))
            );
        }
        assert!(copy_mark(8) != copy_mark(4) && !is_copy_mark(-1) && !is_copy_mark(0));
    }

    #[test]
    fn each_database_has_its_own_tables() {
        for database in Database::ALL {
            assert!(database.name().ends_with(Schema::of(database).service));
        }
    }
}
