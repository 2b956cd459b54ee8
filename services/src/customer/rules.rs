//! What `db_customer` refuses, and in which words, wherever its truth lies: a client cannot tell one store by what it is
//! told from another. It keeps nothing.

use std::time::Duration;

use net::Time;

use crate::api::accounts::AccountCreated;
use crate::api::error::{Code, Error, quoted};
use crate::api::fields::invalid;
use crate::api::page::Cursor;
use crate::api::purchases::{Finished, LINES_MAX, Lines, Purchase, PurchasedItem, Purchases, TakenItem};
use crate::api::values::{ItemId, PurchaseId, QUANTITY_MAX, QuantityDelta, Role};

/// How long a session that has timed out is remembered, to say so rather than that it is unknown.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(3600);
/// For how long a purchase is left to whoever began it.
pub(crate) const BEGINNER_HAS: Duration = Duration::from_secs(1);
/// For how long a purchase is left to whoever has claimed it.
pub(crate) const CLAIMANT_HAS: Duration = Duration::from_secs(3);
/// How old a purchase is at least when it counts as ended: what was sent about it is hardly on its way any more.
pub(crate) const IN_TRANSIT_MAX: Duration = Duration::from_secs(10);
/// The most purchases that are unfinished, of all buyers together.
pub(crate) const UNFINISHED_MAX: usize = 100_000;
/// The most units that are counted as sold: an integer that every store can keep.
pub(crate) const ITEMS_SOLD_MAX: u64 = i64::MAX.unsigned_abs();
/// The most items on a page of a history: such a page is less than 1 MiB, and has a purchase of any size.
const HISTORY_ITEMS_MAX: usize = 4 * LINES_MAX;

pub(crate) fn no_seller(seller_id: u32) -> Error {
    Error::new(Code::NotFound, format!("no seller {seller_id}"))
}

pub(crate) fn no_buyer(buyer_id: u32) -> Error {
    Error::new(Code::NotFound, format!("no buyer {buyer_id}"))
}

pub(crate) fn username_taken(username: &str) -> Error {
    Error::new(Code::AlreadyExists, format!("the user name `{}` is taken", quoted(username)))
}

pub(crate) fn no_numbers_left() -> Error {
    Error::new(Code::ResourceExhausted, "there are no account numbers left")
}

/// What is told of an account that was opened.
pub(crate) fn created(role: Role, id: u32) -> AccountCreated {
    match role {
        Role::Buyer => AccountCreated::Buyer { buyer_id: id },
        Role::Seller => AccountCreated::Seller { seller_id: id },
    }
}

/// It does not say which of the two.
pub(crate) fn wrong_name_or_password() -> Error {
    Error::new(Code::AuthFailed, "wrong name or password")
}

pub(crate) fn unknown_session() -> Error {
    Error::new(Code::NotLoggedIn, "the session is unknown: log in")
}

/// Whether a session of this role, which was active then, may be used by whoever needs one of the role `wanted`.
///
/// # Errors
/// `NOT_LOGGED_IN`, `SESSION_TIMEOUT`.
pub(crate) fn admit(
    now: Time,
    timeout: Duration,
    wanted: Option<Role>,
    role: Role,
    active_at: Time,
) -> Result<(), Error> {
    if wanted.is_some_and(|wanted| wanted != role) {
        let message = "the session belongs to a user of the other role: log in";
        return Err(Error::new(Code::NotLoggedIn, message));
    }
    if now.since(active_at) >= timeout {
        let message = format!("the session was idle for {} s or more: log in", timeout.as_secs());
        return Err(Error::new(Code::SessionTimeout, message));
    }
    Ok(())
}

/// The units by which a cart is to change.
///
/// # Errors
/// `INVALID_ARGUMENT`: none.
pub(crate) fn check_delta(QuantityDelta(delta): QuantityDelta) -> Result<i64, Error> {
    if delta == 0 {
        return Err(invalid("`quantity_delta` must not be 0"));
    }
    Ok(delta)
}

/// The units of an item in a cart that holds so many of it, and is full or not, once `delta` more or fewer of them are in
/// it. With `available`, it may hold no more than that afterwards.
///
/// # Errors
/// The cart would have too few or too many units, or too many lines.
pub(crate) fn changed(
    id: ItemId,
    held: Option<u32>,
    delta: i64,
    available: Option<u32>,
    is_full: bool,
) -> Result<u32, Error> {
    let units = i64::from(held.unwrap_or(0)) + delta;
    let Some(held) = held.or((delta > 0).then_some(0)) else {
        return Err(Error::new(Code::NotFound, format!("no {id} in the cart")));
    };
    if units < 0 {
        return Err(invalid(format!("`quantity` must be at most {held}: the cart holds no more of {id}")));
    }
    if let Some(available) = available.filter(|available| units > i64::from(*available)) {
        let message =
            format!("the stock of {id} is {available}, less than the {units} that the cart would hold");
        return Err(Error::new(Code::OutOfStock, message));
    }
    let too_many = || invalid(format!("`quantity` would bring the cart above {QUANTITY_MAX} units of {id}"));
    let units = u32::try_from(units).ok().filter(|units| *units <= QUANTITY_MAX).ok_or_else(too_many)?;
    if held == 0 && is_full {
        let message = format!("a cart holds at most {LINES_MAX} different items");
        return Err(Error::new(Code::ResourceExhausted, message));
    }
    Ok(units)
}

/// Which purchase a request is about, if there is one already: that of its key, if it has one, or else the one that the
/// session has under way.
///
/// # Errors
/// `FAILED_PRECONDITION`: the session has one under way, and another one is meant.
pub(crate) fn meant(
    has_key: bool,
    of_key: Option<PurchaseId>,
    of_session: Option<PurchaseId>,
) -> Result<Option<PurchaseId>, Error> {
    if has_key && of_key.is_none() && of_session.is_some() {
        let message = "another purchase of the session is under way, not one of this `idempotency_key`";
        return Err(Error::new(Code::FailedPrecondition, message));
    }
    Ok(of_key.or(of_session))
}

pub(crate) fn empty_cart() -> Error {
    Error::new(Code::FailedPrecondition, "the cart is empty")
}

pub(crate) fn too_many_unfinished() -> Error {
    let message = format!("{UNFINISHED_MAX} purchases are under way: try again");
    Error::new(Code::ResourceExhausted, message)
}

/// What there is to say of a purchase without a record: it was refused, unless the record is lost.
///
/// # Errors
/// `NOT_FOUND`: its stock was taken.
pub(crate) fn unknown_purchase(id: PurchaseId, is_taken: bool) -> Result<Finished<'static>, Error> {
    if is_taken {
        log::warn!(
            "event=purchase_unknown purchase_id={id} its stock was taken, and there is no record of it"
        );
        return Err(Error::new(Code::NotFound, format!("no purchase {id}")));
    }
    Ok(Finished::Refused { refused: true })
}

/// # Errors
/// `INVALID_ARGUMENT`: it is not what was to be bought.
pub(crate) fn check_taken(lines: &Lines, taken: &[TakenItem<'_>]) -> Result<(), Error> {
    let is_same = taken.iter().map(|item| (&item.item_id, &item.quantity)).eq(&lines.0);
    is_same
        .then_some(())
        .ok_or_else(|| invalid("`taken` must be the items and units that the purchase is of"))
}

pub(crate) fn purchased(TakenItem { item_id, name, quantity, price, .. }: TakenItem<'_>) -> PurchasedItem {
    PurchasedItem { item_id, name: name.into_owned(), quantity, price }
}

/// Whether purchases of so many items are not too long for a page of a history.
pub(crate) fn history_fits(items: impl Iterator<Item = usize>) -> bool {
    items.sum::<usize>() <= HISTORY_ITEMS_MAX
}

/// A page of a buyer's history: as many of these, which come newest first, as are not too long to be sent. `rest` is how
/// many there are from the first of these on.
pub(crate) fn history<'a>(
    buyer_id: u32,
    purchases_count: usize,
    rest: usize,
    newest_first: impl Iterator<Item = Purchase<'a>>,
) -> Purchases<'a> {
    let mut items_count = 0;
    let fitting = newest_first.take_while(|purchase| {
        let is_first = items_count == 0;
        items_count += purchase.items.len();
        is_first || items_count <= HISTORY_ITEMS_MAX
    });
    let purchases: Vec<_> = fitting.collect();
    let last = purchases.last().filter(|_| purchases.len() < rest);
    let next_cursor = last.map(|purchase| Cursor(purchase.purchase_id));
    Purchases { buyer_id, purchases_count, purchases, next_cursor }
}
