//! Carts: those of sessions, and the one of each buyer that is kept.
//!
//! Whoever changes a cart keeps others from its session, or from its buyer, until that is committed. So what a statement
//! has seen of the cart is so for those after it, and what could be done to it says what was in the way.

use std::collections::BTreeMap;
use std::slice;

use net::Time;

use super::super::answers::{carried_out, first, nonsense, number};
use super::super::columns::item_value;
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Call, Reply, Row, Statement, Value};
use super::accounts::hold_buyer;
use super::sessions::Used;
use super::values::{int, line_of};
use super::{ATTEMPTS_MAX, Flow, RemoteCustomer, account_lane, again};
use crate::api::Api;
use crate::api::carts::{CartHeld, ClearCart, Cleared, Counted, GetCart, Owner, SaveCart, Saved, UpdateCart};
use crate::api::error::Error;
use crate::api::sessions::SessionCheck;
use crate::api::values::{ItemId, QUANTITY_MAX, Quantity, Role, UserId};
use crate::customer::rules::{changed, check_delta, no_buyer};
use crate::engine::caller::Caller;

const LINES: Statement = Statement::kept(
    "cart_lines",
    "SELECT item_id, quantity FROM cart_lines WHERE cart = $1 AND quantity > 0 ORDER BY item_id",
);
const FIND_BUYER: Statement =
    Statement::kept("cart_find_buyer", "SELECT buyer_id FROM buyers WHERE buyer_id = $1");
const LINE: Statement =
    Statement::kept("cart_line", "SELECT quantity FROM cart_lines WHERE cart = $1 AND item_id = $2");
const ADD_LINE: Statement = Statement::kept(
    "cart_add_line",
    "INSERT INTO cart_lines (cart, item_id, quantity)
        SELECT digest, $2, 0 FROM sessions WHERE digest = $1 AND role = 'buyer' AND active_at_ms > $3
        AND (SELECT count(*) FROM cart_lines WHERE cart = $1) < 1000
        ON CONFLICT (cart, item_id) DO NOTHING",
);
const ADD_SAVED_LINE: Statement = Statement::kept(
    "cart_add_saved_line",
    "INSERT INTO cart_lines (cart, item_id, quantity)
        SELECT $1::bytea, $2, 0 FROM buyers WHERE buyer_id = $3
        AND (SELECT count(*) FROM cart_lines WHERE cart = $1) < 1000
        ON CONFLICT (cart, item_id) DO NOTHING",
);
const ADD: Statement = Statement::kept(
    "cart_add",
    "UPDATE cart_lines SET quantity = quantity + $3 WHERE cart = $1 AND item_id = $2 AND quantity + $3 <= $4
        RETURNING quantity",
);
/// A line that was added for units that were not.
const DROP_EMPTY: Statement = Statement::kept(
    "cart_drop_empty",
    "DELETE FROM cart_lines WHERE cart = $1 AND item_id = $2 AND quantity = 0",
);
const REMOVE_ALL: Statement = Statement::kept(
    "cart_remove_all",
    "DELETE FROM cart_lines WHERE cart = $1 AND item_id = $2 AND quantity = $3 RETURNING item_id",
);
const REMOVE: Statement = Statement::kept(
    "cart_remove",
    "UPDATE cart_lines SET quantity = quantity - $3 WHERE cart = $1 AND item_id = $2 AND quantity > $3
        AND quantity - $3 <= $4 RETURNING quantity",
);
const CLEAR: Statement = Statement::kept("cart_clear", "DELETE FROM cart_lines WHERE cart = $1");
const CLEAR_SAVED: Statement = Statement::kept(
    "cart_clear_saved",
    "DELETE FROM cart_lines WHERE cart = $1
        AND EXISTS (SELECT 1 FROM sessions WHERE digest = $2 AND active_at_ms > $3)",
);
const SAVE: Statement = Statement::kept(
    "cart_save",
    "INSERT INTO cart_lines (cart, item_id, quantity)
        SELECT $1::bytea, item_id, quantity FROM cart_lines WHERE cart = $2 AND quantity > 0
        AND EXISTS (SELECT 1 FROM sessions WHERE digest = $2 AND active_at_ms > $3)",
);

/// Whose cart a request is about.
#[derive(Clone, Copy)]
enum Cart {
    OfSession(Used),
    OfBuyer(u32),
}

/// The cart of a buyer that is kept.
pub(super) fn saved_cart(buyer_id: u32) -> Value {
    Value::Bytes([&b"b"[..], &buyer_id.to_be_bytes()].concat())
}

impl Cart {
    fn value(self) -> Value {
        match self {
            Self::OfSession(used) => used.key.value(),
            Self::OfBuyer(buyer_id) => saved_cart(buyer_id),
        }
    }

    fn lane(self) -> u64 {
        match self {
            Self::OfSession(used) => used.key.lane(),
            Self::OfBuyer(buyer_id) => account_lane(Role::Buyer, buyer_id),
        }
    }

    /// Keeps others from the cart. It returns something if there is a cart that may be changed.
    fn hold(self) -> Call {
        match self {
            Self::OfSession(used) => used.hold(),
            Self::OfBuyer(buyer_id) => hold_buyer(buyer_id),
        }
    }

    fn add_line(self, id: ItemId) -> Call {
        match self {
            Self::OfSession(used) => ADD_LINE.with([self.value(), item_value(id), used.alive_after()]),
            Self::OfBuyer(buyer_id) => ADD_SAVED_LINE.with([self.value(), item_value(id), int(buyer_id)]),
        }
    }

    /// What follows where the cart could not be held.
    fn refuse(self, attempts: u32, anew: impl FnOnce(&mut RemoteCustomer, u32) -> Flow + 'static) -> Flow {
        match self {
            Self::OfSession(used) => RemoteCustomer::refuse(used, attempts, anew),
            Self::OfBuyer(buyer_id) => Err(no_buyer(buyer_id)),
        }
    }
}

/// A change of a cart, as it was asked for.
#[derive(Clone, Copy)]
struct Change {
    cart: Cart,
    item_id: ItemId,
    delta: i64,
    available: Option<u32>,
}

impl Change {
    /// The statements that carry it out. Of those after the first two, the first or the second returns something if it can
    /// be.
    fn calls(self) -> Vec<Call> {
        let Self { cart, item_id, delta, available } = self;
        let line = || [cart.value(), item_value(item_id)];
        let units = Value::Int(delta.abs());
        let max = int(available.map_or(QUANTITY_MAX, |available| available.min(QUANTITY_MAX)));
        let with_units = |rest: &[Value]| [&line()[..], slice::from_ref(&units), rest].concat();
        let mut calls = vec![cart.hold(), LINE.with(line())];
        if delta > 0 {
            let add = ADD.with(with_units(&[max]));
            calls.extend([cart.add_line(item_id), add, DROP_EMPTY.with(line())]);
        } else {
            calls.extend([REMOVE_ALL.with(with_units(&[])), REMOVE.with(with_units(&[max]))]);
        }
        calls
    }

    /// The units that the cart has now, if the change was carried out.
    fn units(self, replies: &[Reply]) -> Result<Option<u32>, Error> {
        if self.delta < 0 && first(replies, 2).is_some() {
            return Ok(Some(0));
        }
        first(replies, 3).map(units).transpose()
    }
}

impl Carry<UpdateCart> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, update: UpdateCart) -> Flow {
        let UpdateCart { owner, item_id, quantity_delta, quantity_max } = update;
        let delta = check_delta(quantity_delta)?;
        let cart = self.cart(now, owner);
        let available = quantity_max.map(|Quantity(quantity)| quantity);
        Self::change(Change { cart, item_id, delta, available }, ATTEMPTS_MAX)
    }
}

impl Carry<GetCart> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, GetCart(owner): GetCart) -> Flow {
        let cart = self.cart(now, owner);
        let owner = match cart {
            Cart::OfSession(used) => used.read(),
            Cart::OfBuyer(buyer_id) => FIND_BUYER.with([int(buyer_id)]),
        };
        let calls = vec![owner, LINES.with([cart.value()])];
        Step::ask(Transaction::reads(Some(cart.lane()), calls), move |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            match (cart, first(&replies, 0)) {
                (Cart::OfSession(used), row) => _ = customer.admit(used, row)?,
                (Cart::OfBuyer(buyer_id), None) => return Err(no_buyer(buyer_id)),
                (Cart::OfBuyer(_), Some(_)) => {}
            }
            Step::reply(&CartHeld { cart: &lines(&replies, 1)? })
        })
    }
}

impl Carry<ClearCart<Owner>> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, ClearCart(owner): ClearCart<Owner>) -> Flow {
        Self::clear(self.cart(now, owner), ATTEMPTS_MAX)
    }
}

/// The saved cart is found by the buyer, whom the session tells.
impl Carry<SaveCart<SessionCheck>> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, SaveCart(check): SaveCart<SessionCheck>) -> Flow {
        let used = self.used(now, SessionCheck { role: Some(Role::Buyer), ..check });
        Step::ask(Transaction::lookup(used.key.lane(), used.read()), move |customer: &mut Self, _, answer| {
            let holder = customer.admit(used, first(&carried_out(answer)?, 0))?;
            Self::save(used, holder.user_id, ATTEMPTS_MAX)
        })
    }
}

impl RemoteCustomer {
    fn cart(&self, now: Time, owner: Owner) -> Cart {
        match owner {
            Owner::Session(check) => Cart::OfSession(self.used(now, check)),
            Owner::Buyer { buyer_id: UserId(buyer_id) } => Cart::OfBuyer(buyer_id),
        }
    }

    fn change(change: Change, attempts: u32) -> Flow {
        let Change { cart, item_id, delta, available } = change;
        let transaction = Transaction::write(cart.lane(), UpdateCart::EFFECT, change.calls());
        Step::ask(transaction, move |_, _, answer| {
            let replies = carried_out(answer)?;
            if first(&replies, 0).is_none() {
                return cart.refuse(attempts, move |_, attempts| Self::change(change, attempts));
            }
            if let Some(quantity) = change.units(&replies)? {
                return Step::reply(&Counted { item_id, quantity });
            }
            let before = first(&replies, 1).map(units).transpose()?;
            // That the cart is full is the only thing that it does not tell.
            changed(item_id, before, delta, available, true)?;
            Self::change(change, again(attempts)?)
        })
    }

    fn clear(cart: Cart, attempts: u32) -> Flow {
        let calls = vec![cart.hold(), CLEAR.with([cart.value()])];
        let transaction = Transaction::write(cart.lane(), ClearCart::<Owner>::EFFECT, calls);
        Step::ask(transaction, move |_, _, answer| {
            if first(&carried_out(answer)?, 0).is_none() {
                return cart.refuse(attempts, move |_, attempts| Self::clear(cart, attempts));
            }
            Step::reply(&Cleared { cleared: true })
        })
    }

    fn save(used: Used, buyer_id: u32, attempts: u32) -> Flow {
        let (session, saved) = (used.key.value(), saved_cart(buyer_id));
        let calls = vec![
            used.hold(),
            hold_buyer(buyer_id),
            CLEAR_SAVED.with([saved.clone(), session.clone(), used.alive_after()]),
            SAVE.with([saved, session, used.alive_after()]),
        ];
        let transaction = Transaction::write(used.key.lane(), SaveCart::<SessionCheck>::EFFECT, calls);
        Step::ask(transaction, move |_, _, answer| {
            let replies = carried_out(answer)?;
            if first(&replies, 0).is_none() {
                return Self::refuse(used, attempts, move |_, attempts| Self::save(used, buyer_id, attempts));
            }
            first(&replies, 1).ok_or_else(|| no_buyer(buyer_id))?;
            Step::reply(&Saved { saved: true })
        })
    }
}

/// The lines that a statement has returned.
///
/// # Errors
/// They are something else.
pub(super) fn lines(replies: &[Reply], call: usize) -> Result<BTreeMap<ItemId, u32>, Error> {
    let rows = replies.get(call).ok_or_else(|| nonsense("a statement has no reply"))?;
    rows.rows.iter().map(line_of).collect()
}

fn units(row: &Row) -> Result<u32, Error> {
    number(row, 0, QUANTITY_MAX)
}
