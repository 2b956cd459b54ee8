//! A `db_customer` whose disk is a map, and what the tests ask of it.

use std::collections::BTreeMap;
use std::time::Duration;

use net::sim::SimWorker;
use net::{Time, Waker};

use crate::api::Encode;
use crate::api::carts::{Owner, UpdateCart};
use crate::api::error::{Code, Error};
use crate::api::page::{Cursor, Page};
use crate::api::purchases::{
    BeginPurchase, Begun, ClaimPurchases, FinishPurchase, GetBuyerPurchases, Lines, Purchases, TakenItem,
    TakenItems, Unfinished,
};
use crate::api::sessions::SessionCheck;
use crate::api::values::{
    Feedback, IdempotencyKey, ItemId, Limit, Price, PurchaseId, QuantityDelta, Role, SessionId, UserId,
};
use crate::customer::accounts::{Buyer, Identity, Seller};
use crate::customer::cart::Cart;
use crate::customer::rows::{CustomerKey, CustomerRow, Loaded};
use crate::customer::sessions::{Session, digest};
use crate::customer::{Customer, HashCost, Passwords};
use crate::engine::domain::{Answer, Domain};
use crate::engine::room::Room;
use crate::engine::storage::Row;

pub(super) const START: Time = Time::from_millis(1_800_000_000_000);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);
pub(super) const DESK: ItemId = ItemId { category: 1, n: 1 };
pub(super) const LAMP: ItemId = ItemId { category: 1, n: 2 };

/// Sellers 1 and 2; buyer 1 with the sessions 1 and 2, and buyer 2 with session 3.
pub(super) struct Shop {
    pub(super) customer: Customer,
    /// What is on disk.
    pub(super) stored: BTreeMap<CustomerKey, CustomerRow>,
    pub(super) now: Time,
}

impl Shop {
    pub(super) fn new() -> Self {
        let identity = |name: String| Identity {
            username: name.as_str().into(),
            name: name.into(),
            password_hash: "".into(),
        };
        let seller = |id| {
            let identity = identity(format!("seller {id}"));
            CustomerRow::Seller(id, Seller { identity, feedback: Feedback::default(), items_sold: 0 })
        };
        let buyer = |id| {
            let identity = identity(format!("buyer {id}"));
            CustomerRow::Buyer(id, Buyer { identity, saved_cart: Cart::default() })
        };
        let session = |number, user_id| {
            let (digest, cart) = (digest(0), Cart::default());
            CustomerRow::Session(
                number,
                Session { digest, role: Role::Buyer, user_id, active_at: START, cart },
            )
        };
        let rows = [seller(1), seller(2), buyer(1), buyer(2), session(1, 1), session(2, 1), session(3, 2)];
        let stored = rows.into_iter().map(|row| (row.key(), row)).collect();
        Self { customer: load(&stored), stored, now: START }
    }

    /// Brings to disk what has changed.
    pub(super) fn flush(&mut self) {
        for row in self.customer.seal() {
            match row.is_removal() {
                true => self.stored.remove(&row.key()),
                false => self.stored.insert(row.key(), row),
            };
        }
        self.customer.publish(usize::MAX);
    }

    /// Starts anew with what is on disk, at this time by the wall clock.
    pub(super) fn restart(&mut self, wall_clock: Time) {
        self.customer = load(&self.stored);
        self.now = wall_clock.max(self.customer.clock_floor());
    }

    pub(super) fn add(&mut self, session: u64, item_id: ItemId, units: i64) {
        let owner = Owner::Session(check(session));
        let update = UpdateCart { owner, item_id, quantity_delta: QuantityDelta(units), quantity_max: None };
        self.customer.answer(self.now, update).expect("it fits");
    }

    pub(super) fn cart(&self, session: u64) -> Vec<(ItemId, u32)> {
        let session = self.customer.sessions.rows.latest(&session).expect("it is there");
        session.cart.lines().clone().into_iter().collect()
    }

    pub(super) fn sold(&self) -> [u64; 2] {
        [1, 2].map(|id| self.customer.accounts.sellers.latest(&id).expect("it is there").items_sold)
    }

    pub(super) fn begin(&mut self, session: u64, key: Option<&str>) -> Result<Begun, Error> {
        let idempotency_key = key.map(|key| IdempotencyKey(key.into()));
        self.customer.answer(self.now, BeginPurchase { session: check(session), idempotency_key })
    }

    pub(super) fn begun(&mut self, session: u64, key: Option<&str>) -> Unfinished {
        match self.begin(session, key) {
            Ok(Begun::Unfinished(unfinished)) => unfinished,
            Ok(Begun::Made(receipt)) => panic!("{receipt} is made"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The receipt of a purchase that is made.
    pub(super) fn made(&mut self, session: u64, key: &str) -> String {
        match self.begin(session, Some(key)) {
            Ok(Begun::Made(receipt)) => receipt.get().to_owned(),
            Ok(Begun::Unfinished(_)) => panic!("it is unfinished"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The JSON of the reply.
    pub(super) fn finish(
        &mut self,
        purchase_id: PurchaseId,
        taken: Option<TakenItems<'static>>,
    ) -> Result<String, Error> {
        let finished = self.customer.answer(self.now, FinishPurchase { purchase_id, taken })?;
        Ok(json(&finished))
    }

    /// Buys all of what was begun, at one cent a unit, from seller 1.
    pub(super) fn buy(&mut self, unfinished: &Unfinished) -> String {
        let taken = taken(&unfinished.lines, 1, 1);
        self.finish(unfinished.purchase_id, Some(taken)).expect("it is made")
    }

    pub(super) fn claim(&mut self, limit: usize) -> Vec<Unfinished> {
        let claimed = self.customer.answer(self.now, ClaimPurchases { limit: Limit(limit) });
        claimed.expect("claims are answered").purchases
    }

    pub(super) fn history(
        &mut self,
        buyer_id: u32,
        limit: usize,
        after: Option<PurchaseId>,
    ) -> Purchases<'_> {
        let owner = Owner::Buyer { buyer_id: UserId(buyer_id) };
        let page = Page { limit: Limit(limit), after: after.map(Cursor) };
        self.customer.answer(self.now, GetBuyerPurchases { owner, page }).expect("there is the buyer")
    }
}

fn load(stored: &BTreeMap<CustomerKey, CustomerRow>) -> Customer {
    let mut loaded = Loaded::new(TIMEOUT);
    assert!(stored.values().all(|row| loaded.load(row.clone())), "what is stored makes sense");
    let passwords = Passwords::new(HashCost { memory_kib: 8, passes: 1 }).expect("valid");
    let worker = SimWorker::new(passwords, Waker::new(|| ()), 0);
    Customer::new(loaded, Room::default(), vec![Box::new(worker)], Box::new(|| 0))
}

pub(super) fn check(number: u64) -> SessionCheck {
    SessionCheck { session_id: SessionId { number, secret: 0 }, role: None }
}

pub(super) fn taken(lines: &Lines, seller_id: u32, cents: u64) -> TakenItems<'static> {
    let item = |(&item_id, &quantity): (&ItemId, &u32)| {
        let name = format!("item \"{item_id}\"");
        TakenItem { item_id, seller_id, name: name.into(), quantity, price: Price(cents) }
    };
    TakenItems(lines.0.iter().map(item).collect())
}

pub(super) fn json(value: &impl Encode) -> String {
    let mut json = Vec::new();
    value.encode(&mut json);
    String::from_utf8(json).expect("JSON is UTF-8")
}

pub(super) fn code<T>(result: Result<T, Error>) -> Code {
    result.err().expect("it is refused").code
}
