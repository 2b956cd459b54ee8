//! [`CustomerRows`]: what the rows of `db_customer` in another store are on an engine.
//!
//! It keeps the digests of buyers' sessions, 32 MB at most, because purchases under way follow that tell the numbers only.

use std::time::Duration;

use net::Time;

use super::super::columns::{item_value, purchase_value};
use super::super::copy::{Batch, Table, Translator};
use super::super::json::from_items;
use super::super::wire::{Statement, Value};
use super::carts::saved_cart;
use super::purchases::{SOURCES, key_value, raise_numbers};
use super::sessions::SessionKey;
use super::values::{int, text, time};
use crate::api::purchases::Lines;
use crate::api::values::{Ballot, Feedback, PurchaseId, Role, nfc};
use crate::customer::accounts::{Buyer, Identity, Seller};
use crate::customer::cart::Cart;
use crate::customer::clock::END_OF_TIME;
use crate::customer::purchases::{Record, State};
use crate::customer::rows::CustomerRow;
use crate::customer::sessions::Session;

const TABLES: &[Table] = &[
    Table { name: "sellers", count: Statement::once("SELECT count(*) FROM sellers") },
    Table { name: "buyers", count: Statement::once("SELECT count(*) FROM buyers") },
    Table { name: "sessions", count: Statement::once("SELECT count(*) FROM sessions") },
    Table { name: "cart_lines", count: Statement::once("SELECT count(*) FROM cart_lines") },
    Table { name: "seller_votes", count: Statement::once("SELECT count(*) FROM seller_votes") },
    Table { name: "purchases", count: Statement::once("SELECT count(*) FROM purchases") },
    Table { name: "purchase_keys", count: Statement::once("SELECT count(*) FROM purchase_keys") },
    Table { name: "purchases_begun", count: Statement::once("SELECT count(*) FROM purchases_begun") },
    Table { name: "purchase_lines", count: Statement::once("SELECT count(*) FROM purchase_lines") },
];

/// Of two user names that have become alike, the older account keeps it.
const SELLER: Statement = Statement::kept(
    "copy_seller",
    "INSERT INTO sellers (seller_id, username, name, password_hash, up, down, items_sold)
        SELECT $1, CASE WHEN EXISTS (SELECT 1 FROM sellers WHERE username = $2 AND seller_id < $1)
            THEN $3::text ELSE $2::text END, $4::text, $5::text, $6, $7, $8
        ON CONFLICT (seller_id) DO NOTHING",
);
const BUYER: Statement = Statement::kept(
    "copy_buyer",
    "INSERT INTO buyers (buyer_id, username, name, password_hash)
        SELECT $1, CASE WHEN EXISTS (SELECT 1 FROM buyers WHERE username = $2 AND buyer_id < $1)
            THEN $3::text ELSE $2::text END, $4::text, $5::text
        ON CONFLICT (buyer_id) DO NOTHING",
);
const SESSION: Statement = Statement::kept(
    "copy_session",
    "INSERT INTO sessions (digest, role, user_id, active_at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING",
);
const CART_LINE: Statement = Statement::kept(
    "copy_cart_line",
    "INSERT INTO cart_lines (cart, item_id, quantity) VALUES ($1, $2, $3)
        ON CONFLICT (cart, item_id) DO NOTHING",
);
/// Which vote was before one that is counted does not matter any more.
const VOTE: Statement = Statement::kept(
    "copy_seller_vote",
    "INSERT INTO seller_votes (buyer_id, item_id, vote, vote_before, revision, is_counted)
        VALUES ($1, $2, $3, 'none'::text, $4, 1) ON CONFLICT (buyer_id, item_id) DO NOTHING",
);
const MADE: Statement = Statement::kept(
    "copy_purchase",
    "INSERT INTO purchases (buyer_id, purchase_id, at_ms, items) VALUES ($1, $2, $3, $4)
        ON CONFLICT (buyer_id, purchase_id) DO NOTHING",
);
const KEY: Statement = Statement::kept(
    "copy_purchase_key",
    "INSERT INTO purchase_keys (buyer_id, idempotency_key, purchase_id) VALUES ($1, $2, $3)
        ON CONFLICT (buyer_id, idempotency_key) DO NOTHING",
);
/// It may be claimed at once: whoever drove it has lost its connection.
const BEGUN: Statement = Statement::kept(
    "copy_purchase_begun",
    "INSERT INTO purchases_begun
        (purchase_id, buyer_id, session_digest, idempotency_key, at_ms, claimable_at_ms)
        VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (purchase_id) DO NOTHING",
);
const LINE: Statement = Statement::kept(
    "copy_purchase_line",
    "INSERT INTO purchase_lines (purchase_id, item_id, quantity) VALUES ($1, $2, $3)
        ON CONFLICT (purchase_id, item_id) DO NOTHING",
);
const RAISE_ACCOUNTS: Statement = Statement::kept(
    "copy_raise_accounts",
    "UPDATE account_numbers SET last = $2 WHERE role = $1 AND last < $2",
);

/// What the rows of `db_customer` are on an engine.
pub(in super::super) struct CustomerRows {
    /// How far the activity of sessions may lag behind; they get the benefit of that doubt.
    session_lag: Duration,
    /// The last number of an account of each role.
    last_seller: u32,
    last_buyer: u32,
    /// The digest of each session of a buyer, by its number, in order.
    sessions: Vec<(u64, u128)>,
    /// No purchase that is to come may have this ID or a lower one.
    last_purchase: PurchaseId,
    has_rest: bool,
}

impl CustomerRows {
    /// Those of a service whose sessions may be idle for so long.
    pub(in super::super) fn new(session_timeout: Duration) -> Self {
        Self {
            // What a start of the service gives them.
            session_lag: session_timeout / 5,
            last_seller: 0,
            last_buyer: 0,
            sessions: Vec::new(),
            last_purchase: PurchaseId(0),
            has_rest: true,
        }
    }

    fn add_seller(&mut self, id: u32, seller: &Seller, batch: &mut Batch) {
        let Seller { identity, feedback: Feedback { up, down }, items_sold } = seller;
        let sold = i64::try_from(*items_sold).unwrap_or(i64::MAX);
        let counts = [int(*up), int(*down), Value::Int(sold)];
        batch.insert("sellers", SELLER.with([&account(id, identity)[..], &counts].concat()));
        self.last_seller = self.last_seller.max(id);
    }

    fn add_buyer(&mut self, id: u32, Buyer { identity, saved_cart: saved }: &Buyer, batch: &mut Batch) {
        batch.insert("buyers", BUYER.with(account(id, identity)));
        add_cart(&saved_cart(id), saved, batch);
        self.last_buyer = self.last_buyer.max(id);
    }

    fn add_session(&mut self, number: u64, session: &Session, batch: &mut Batch) -> bool {
        let Session { digest, role, user_id, active_at, cart } = session;
        let key = SessionKey::of_digest(*digest, number).value();
        // A time that no clock shows keeps no session alive.
        let active_at =
            if *active_at < END_OF_TIME { *active_at + self.session_lag } else { Time::default() };
        let values = [key.clone(), text(role.as_str()), int(*user_id), time(active_at)];
        batch.insert("sessions", SESSION.with(values));
        add_cart(&key, cart, batch);
        let is_next = self.sessions.last().is_none_or(|(last, _)| *last < number);
        if *role == Role::Buyer {
            self.sessions.push((number, *digest));
        }
        is_next
    }

    fn add_purchase(&mut self, id: PurchaseId, record: &Record, batch: &mut Batch) {
        let Record { buyer_id, key, at, state } = record;
        let (buyer, key_column) = (int(*buyer_id), key_value(key.as_ref()));
        self.last_purchase = self.last_purchase.max(id);
        if key.is_some() {
            batch.insert("purchase_keys", KEY.with([buyer.clone(), key_column.clone(), purchase_value(id)]));
        }
        match state {
            State::Made(items) => {
                batch.insert(
                    "purchases",
                    MADE.with([buyer, purchase_value(id), time(*at), Value::Text(from_items(items))]),
                );
                batch.weigh(items.len());
            }
            State::Begun { session_number, lines: Lines(lines) } => {
                let session = self.key_of(*session_number).value();
                let values = [purchase_value(id), buyer, session, key_column, time(*at)];
                batch.insert("purchases_begun", BEGUN.with(values));
                for (&id_of_item, &quantity) in lines {
                    let values = [purchase_value(id), item_value(id_of_item), int(quantity)];
                    batch.insert("purchase_lines", LINE.with(values));
                }
            }
        }
    }

    /// By what a session is found. That of one that is no more can be anything that no other has.
    fn key_of(&self, number: u64) -> SessionKey {
        let place = self.sessions.binary_search_by_key(&number, |(number, _)| *number);
        SessionKey::of_digest(place.map_or(0, |place| self.sessions[place].1), number)
    }
}

impl Translator<CustomerRow> for CustomerRows {
    fn tables(&self) -> &'static [Table] {
        TABLES
    }

    fn add(&mut self, row: CustomerRow, batch: &mut Batch) -> bool {
        match row {
            CustomerRow::Seller(id, seller) => self.add_seller(id, &seller, batch),
            CustomerRow::Buyer(id, buyer) => self.add_buyer(id, &buyer, batch),
            CustomerRow::Session(number, session) => return self.add_session(number, &session, batch),
            CustomerRow::Vote(buyer_id, item_id, Ballot { vote, revision }) => {
                let values = [int(buyer_id), item_value(item_id), text(vote.as_str()), int(revision.0)];
                batch.insert("seller_votes", VOTE.with(values));
            }
            CustomerRow::Purchase(id, record) => self.add_purchase(id, &record, batch),
            // Those that were refused have left no more than the time.
            CustomerRow::Clock(at) if at < END_OF_TIME => {
                self.last_purchase = self.last_purchase.max(PurchaseId::first_at(at));
            }
            CustomerRow::Clock(_) => {}
            // What is no more is not stored.
            CustomerRow::SessionClosed(_) | CustomerRow::PurchaseRemoved(_) => return false,
        }
        true
    }

    fn add_rest(&mut self, batch: &mut Batch) {
        if !std::mem::take(&mut self.has_rest) {
            return;
        }
        for (role, last) in [(Role::Seller, self.last_seller), (Role::Buyer, self.last_buyer)] {
            batch.change(RAISE_ACCOUNTS.with([text(role.as_str()), int(last)]));
        }
        batch.change(raise_numbers(self.last_purchase.0 / SOURCES));
    }
}

/// The first columns of an account. Whoever logs in sends its user name in the form NFC, and no control characters.
fn account(id: u32, Identity { username, name, password_hash }: &Identity) -> [Value; 5] {
    let username = nfc((&**username).into()).into_owned();
    [int(id), Value::Text(username), Value::Text(format!("\u{1}{id}")), text(name), text(password_hash)]
}

fn add_cart(key: &Value, cart: &Cart, batch: &mut Batch) {
    for (&id, &quantity) in cart.lines() {
        batch.insert("cart_lines", CART_LINE.with([key.clone(), item_value(id), int(quantity)]));
    }
}
