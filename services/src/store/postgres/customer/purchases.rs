//! How purchases begin, and who brings them to their end if whoever began them does not.
//!
//! A purchase begins in one transaction, in which its cart is copied: nothing is decided by what was read before. Its ID
//! comes from one of some sources, in each of which IDs are committed in their order. So, other than by the clock, it is
//! certain which IDs no purchase will have that is not known yet: see [`Ended`].

use std::time::Duration;

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::columns::{purchase_id, purchase_value};
use super::super::domain::Carry;
use super::super::json::items;
use super::super::operation::{Step, Transaction};
use super::super::pool::Lanes;
use super::super::wire::{Call, Reply, Row, Statement, Value};
use super::carts::lines;
use super::sessions::Used;
use super::values::{count, int, time};
use super::{ATTEMPTS_MAX, Flow, RemoteCustomer, again};
use crate::api::error::Error;
use crate::api::purchases::{
    BeginPurchase, Begun, CLAIMED_MAX, ClaimPurchases, Claimed, LINES_MAX, Lines, PurchasedItem, Receipt,
    Unfinished,
};
use crate::api::sessions::SessionCheck;
use crate::api::values::{IdempotencyKey, Limit, PurchaseId, Role};
use crate::api::{Api, Effect};
use crate::customer::rules::{
    BEGINNER_HAS, CLAIMANT_HAS, IN_TRANSIT_MAX, empty_cart, meant, too_many_unfinished,
};
use crate::engine::caller::Caller;

/// How many sources of IDs there are, which is fixed by the table.
pub(super) const SOURCES: u64 = 16;
/// How often it is found out which purchases have ended, while there are any.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How many purchases are read at once: those have no more lines than a flight may return.
const READ_MAX: usize = 10_000 / LINES_MAX;
/// What is about all purchases is carried out in order.
const LANE: u64 = 0;

/// It keeps others from the source until the purchase is committed.
const NUMBER: Statement = Statement::kept(
    "purchase_number",
    "UPDATE purchase_numbers SET last = CASE WHEN last < $2 THEN $2 ELSE last + 1 END WHERE source = $1 RETURNING last",
);
const NAME: Statement = Statement::kept(
    "purchase_name",
    "INSERT INTO purchase_keys (buyer_id, idempotency_key, purchase_id)
        SELECT s.user_id, $4::bytea, n.last * 16 + n.source FROM sessions s, purchase_numbers n
        WHERE s.digest = $1 AND s.role = 'buyer' AND s.active_at_ms > $2 AND n.source = $3
        AND EXISTS (SELECT 1 FROM cart_lines WHERE cart = $1 AND quantity > 0)
        AND NOT EXISTS (SELECT 1 FROM purchases_begun WHERE session_digest = $1)
        ON CONFLICT (buyer_id, idempotency_key) DO NOTHING",
);
const BEGIN: Statement = Statement::kept(
    "purchase_begin",
    "INSERT INTO purchases_begun (purchase_id, buyer_id, session_digest, idempotency_key, at_ms, claimable_at_ms)
        SELECT n.last * 16 + n.source, s.user_id, s.digest, $6::bytea, $4, $5 FROM sessions s, purchase_numbers n
        WHERE s.digest = $1 AND s.role = 'buyer' AND s.active_at_ms > $2 AND n.source = $3
        AND EXISTS (SELECT 1 FROM cart_lines WHERE cart = $1 AND quantity > 0)
        AND NOT EXISTS (SELECT 1 FROM purchases_begun WHERE session_digest = $1)
        RETURNING purchase_id",
);
/// The name was given to this one.
const BEGIN_NAMED: Statement = Statement::kept(
    "purchase_begin_named",
    "INSERT INTO purchases_begun (purchase_id, buyer_id, session_digest, idempotency_key, at_ms, claimable_at_ms)
        SELECT k.purchase_id, k.buyer_id, s.digest, k.idempotency_key, $4, $5
        FROM sessions s, purchase_numbers n, purchase_keys k
        WHERE s.digest = $1 AND s.role = 'buyer' AND s.active_at_ms > $2 AND n.source = $3
        AND k.buyer_id = s.user_id AND k.idempotency_key = $6 AND k.purchase_id = n.last * 16 + n.source
        RETURNING purchase_id",
);
const COPY_CART: Statement = Statement::kept(
    "purchase_copy_cart",
    "INSERT INTO purchase_lines (purchase_id, item_id, quantity)
        SELECT b.purchase_id, c.item_id, c.quantity FROM purchases_begun b, purchase_numbers n, cart_lines c
        WHERE n.source = $2 AND b.purchase_id = n.last * 16 + n.source AND b.session_digest = $1
        AND c.cart = $1 AND c.quantity > 0
        RETURNING item_id, quantity",
);
const OF_KEY: Statement = Statement::kept(
    "purchase_of_key",
    "SELECT purchase_id FROM purchase_keys
        WHERE buyer_id = (SELECT user_id FROM sessions WHERE digest = $1) AND idempotency_key = $2",
);
const OF_SESSION: Statement = Statement::kept(
    "purchase_of_session",
    "SELECT purchase_id FROM purchases_begun WHERE session_digest = $1",
);
const CART_ANY: Statement = Statement::kept(
    "purchase_cart_any",
    "SELECT item_id FROM cart_lines WHERE cart = $1 AND quantity > 0 ORDER BY item_id LIMIT 1",
);
const LINES: Statement = Statement::kept(
    "purchase_lines",
    "SELECT item_id, quantity FROM purchase_lines WHERE purchase_id = $1 ORDER BY item_id",
);
const MADE: Statement =
    Statement::kept("purchase_made", "SELECT items FROM purchases WHERE purchase_id = $1");
const DUE: Statement = Statement::kept(
    "purchase_due",
    "SELECT purchase_id FROM purchases_begun WHERE claimable_at_ms <= $1 ORDER BY purchase_id LIMIT $2",
);
const CLAIM: Statement = Statement::kept(
    "purchase_claim",
    "UPDATE purchases_begun SET claimable_at_ms = $2 WHERE purchase_id = $1 AND claimable_at_ms <= $3
        RETURNING purchase_id",
);
const LOOK: Statement = Statement::kept(
    "purchase_look",
    "SELECT (SELECT min(last) FROM purchase_numbers),
        COALESCE((SELECT min(purchase_id) FROM purchases_begun), 4611686018427387903)",
);
const RAISE_NUMBERS: Statement =
    Statement::kept("purchase_raise_numbers", "UPDATE purchase_numbers SET last = $1 WHERE last < $1");

/// The ID below which all purchases have come to their end, as of a moment ago, which is good for ever: it only grows.
///
/// A purchase that is not seen yet has a number that is greater than the last one that is seen of its source, because who
/// has raised a source is alone with it until the commit. So in what is seen at one moment, the least of the last numbers
/// bounds what is still to come, and the least ID of what is under way bounds what has begun. Sources that nobody uses are
/// raised, so that they do not hold it back.
#[derive(Debug)]
pub(super) struct Ended {
    before: PurchaseId,
    /// When a purchase was last seen under way, unless all have ended since, and some time ago.
    stirred_at: Option<Time>,
    next_at: Time,
}

/// From which source each purchase has its ID.
///
/// Who holds one keeps others from it until the commit. So all that share a transaction, which are of one lane, have the same
/// one, and lanes have others as far as there are enough: if a group held several, it and another one might each wait for one
/// of the other's. Services begin with different ones by chance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources {
    lanes: Lanes,
    first: u64,
}

/// What is seen where nothing is under way.
const NONE: PurchaseId = PurchaseId((1 << 62) - 1);

/// A request to begin a purchase.
#[derive(Clone)]
struct Begin {
    used: Used,
    key: Option<IdempotencyKey>,
    source: u64,
}

impl Ended {
    pub(super) fn new() -> Self {
        Self { before: PurchaseId(0), stirred_at: None, next_at: Time::default() }
    }

    /// A purchase is under way.
    fn stir(&mut self, now: Time) {
        self.stirred_at = Some(now);
    }

    /// When it is to be found out, if it is.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.stirred_at.map(|_| self.next_at)
    }

    /// Takes what is seen at one moment: the least of the last numbers, and the least ID of what is under way, if anything
    /// is.
    fn see(&mut self, now: Time, last: u64, begun: PurchaseId) {
        let next = PurchaseId(last.saturating_add(1).saturating_mul(SOURCES));
        self.before = self.before.max(next.min(begun).min(old(now)));
        if begun != NONE {
            self.stir(now);
        } else if self.stirred_at.is_some_and(|at| now.since(at) > IN_TRANSIT_MAX + LOOK_INTERVAL) {
            self.stirred_at = None;
        }
    }
}

impl Sources {
    /// `random` is where it begins.
    pub(super) fn new(lanes: Lanes, random: u128) -> Self {
        let first = u64::try_from(random % u128::from(SOURCES)).expect("there are few");
        Self { lanes, first }
    }

    /// The source of what has this key.
    fn of(self, key: u64) -> u64 {
        (self.first + self.lanes.of(key) as u64) % SOURCES
    }
}

impl RemoteCustomer {
    /// Finds out which purchases have ended, if it is time to.
    pub(super) fn look(&mut self, now: Time) -> Option<Step<Self>> {
        self.ended.next_at().filter(|at| *at <= now)?;
        self.ended.next_at = now + LOOK_INTERVAL;
        let raise = vec![raise_numbers(old(now).0 / SOURCES)];
        let raise = Transaction::write(LANE, Effect::Repeatable, raise);
        let step = Step::ask(raise, |_, _, answer| {
            carried_out(answer)?;
            Step::ask(Transaction::read(None, LOOK.with([])), |customer: &mut Self, now, answer| {
                let replies = carried_out(answer)?;
                let row = first(&replies, 0).ok_or_else(|| nonsense("no source of purchases is there"))?;
                let last = u64::try_from(row.int(0)?).map_err(|_| nonsense("a number is below 0"))?;
                customer.ended.see(now, last, purchase_id(row, 1)?);
                Ok(Step::Reply(Vec::new()))
            })
        });
        step.ok()
    }

    fn unfinished(&self, purchase_id: PurchaseId, lines: Lines) -> Unfinished {
        Unfinished { purchase_id, lines, ended_before: self.ended.before.min(purchase_id) }
    }

    fn begin(&self, begin: Begin, attempts: u32) -> Flow {
        let lane = begin.used.key.lane();
        // Where no more may begin, one may be meant that has.
        let is_full = self.backlog.is_full();
        let calls = if is_full { vec![begin.used.hold()] } else { begin.calls() };
        let transaction = Transaction::write(lane, BeginPurchase::EFFECT, calls);
        Step::ask(transaction, move |customer: &mut Self, now, answer| {
            let replies = carried_out(answer)?;
            if first(&replies, 0).is_none() {
                let used = begin.used;
                return Self::refuse(used, attempts, move |customer, attempts| {
                    customer.begin(begin, attempts)
                });
            }
            if is_full {
                return Self::find(begin, attempts);
            }
            let last = replies.len() - 1;
            let Some(row) = first(&replies, last - 1) else { return Self::find(begin, attempts) };
            customer.ended.stir(now);
            customer.backlog.begin();
            let lines = Lines(lines(&replies, last)?);
            Step::reply(&Begun::Unfinished(customer.unfinished(purchase_id(row, 0)?, lines)))
        })
    }

    /// None was begun, so there is one already that is meant, nothing to buy, or no more may begin.
    fn find(begin: Begin, attempts: u32) -> Flow {
        let Begin { used, key, .. } = &begin;
        let session = used.key.value();
        let of_key = OF_KEY.with([session.clone(), key_value(key.as_ref())]);
        let calls = vec![of_key, OF_SESSION.with([session.clone()]), CART_ANY.with([session])];
        Step::ask(Transaction::reads(Some(used.key.lane()), calls), move |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            let id = |call| first(&replies, call).map(|row| purchase_id(row, 0)).transpose();
            match meant(begin.key.is_some(), id(0)?, id(1)?)? {
                Some(id) => Self::found(begin, id, attempts),
                None if first(&replies, 2).is_none() => Err(empty_cart()),
                None if customer.backlog.is_full() => Err(too_many_unfinished()),
                // What was in the way has come to its end meanwhile.
                None => customer.begin(begin, again(attempts)?),
            }
        })
    }

    /// How far a purchase has come that is meant.
    fn found(begin: Begin, id: PurchaseId, attempts: u32) -> Flow {
        let lane = begin.used.key.lane();
        Step::ask(Transaction::reads(Some(lane), read(id).into()), move |customer: &mut Self, now, answer| {
            let replies = carried_out(answer)?;
            let lines = lines(&replies, 0)?;
            if !lines.is_empty() {
                customer.ended.stir(now);
                return Step::reply(&Begun::Unfinished(customer.unfinished(id, Lines(lines))));
            }
            match made(&replies, 1)? {
                Some(items) => Step::reply(&Begun::made(&Receipt::of(id, &items))),
                // It was refused meanwhile, so it is meant no more.
                None => customer.begin(begin, again(attempts)?),
            }
        })
    }

    /// Reads what was claimed, some at a time.
    fn read_claimed(mut ids: Vec<PurchaseId>, mut claimed: Vec<Unfinished>) -> Flow {
        let rest = ids.split_off(ids.len().min(READ_MAX));
        if ids.is_empty() {
            return Step::reply(&Claimed { purchases: claimed });
        }
        let calls = ids.iter().map(|id| LINES.with([purchase_value(*id)])).collect();
        Step::ask(Transaction::reads(Some(LANE), calls), move |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            for (call, id) in ids.into_iter().enumerate() {
                let lines = lines(&replies, call)?;
                // Whoever had it in hand may have brought it to its end.
                if !lines.is_empty() {
                    claimed.push(customer.unfinished(id, Lines(lines)));
                }
            }
            Self::read_claimed(rest, claimed)
        })
    }
}

impl Begin {
    /// The first returns the holder of the session, if it can be used. The last but one returns the ID, if a purchase has
    /// begun, and the last what it is of.
    fn calls(&self) -> Vec<Call> {
        let Self { used, key, source } = self;
        let number = PurchaseId::first_at(used.now).0 / SOURCES;
        let [source, number] = [*source, number].map(|n| int(i64::try_from(n).expect("IDs are below 2^62")));
        let session = || used.key.value();
        let holder = [session(), used.alive_after(), source.clone()];
        let times = [time(used.now), time(used.now + BEGINNER_HAS)];
        let key_value = [key_value(key.as_ref())];
        let begin = [&holder[..], &times, &key_value].concat();
        let mut calls = vec![used.hold(), NUMBER.with([source.clone(), number])];
        if key.is_some() {
            calls.push(NAME.with([&holder[..], &key_value].concat()));
        }
        calls.push(if key.is_some() { BEGIN_NAMED } else { BEGIN }.with(begin));
        calls.push(COPY_CART.with([session(), source]));
        calls
    }
}

impl Carry<BeginPurchase> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, request: BeginPurchase) -> Flow {
        let BeginPurchase { session: check, idempotency_key: key } = request;
        let used = self.used(now, SessionCheck { role: Some(Role::Buyer), ..check });
        let source = self.sources.of(used.key.lane());
        self.begin(Begin { used, key, source }, ATTEMPTS_MAX)
    }
}

/// Whoever is the first to write that a purchase is claimed has claimed it.
impl Carry<ClaimPurchases> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, request: ClaimPurchases) -> Flow {
        let Limit(limit) = request.limit;
        let due = DUE.with([time(now), count(limit.min(CLAIMED_MAX))]);
        Step::ask(Transaction::read(Some(LANE), due), move |customer: &mut Self, now, answer| {
            let claim = |row| {
                Ok(CLAIM.with([purchase_value(purchase_id(row, 0)?), time(now + CLAIMANT_HAS), time(now)]))
            };
            let replies = carried_out(answer)?;
            let due = replies.first().map_or(&[][..], |reply| &reply.rows);
            let calls = due.iter().map(claim).collect::<Result<Vec<Call>, Error>>()?;
            if calls.is_empty() {
                return Self::read_claimed(Vec::new(), Vec::new());
            }
            customer.ended.stir(now);
            Step::ask(Transaction::write(LANE, Effect::Repeatable, calls), |_, _, answer| {
                let rows = carried_out(answer)?.into_iter().flat_map(|reply| reply.rows);
                let ids = rows.map(|row| purchase_id(&row, 0)).collect::<Result<_, Error>>()?;
                Self::read_claimed(ids, Vec::new())
            })
        })
    }
}

/// What finds out how far a purchase has come: its lines, if it is under way, and then what was bought, if it was made. It
/// goes from one to the other in one transaction, so if there is neither, it was refused or is unknown.
pub(super) fn read(id: PurchaseId) -> [Call; 2] {
    [LINES, MADE].map(|statement| statement.with([purchase_value(id)]))
}

/// What was bought, if this statement has found it.
///
/// # Errors
/// The row is something else.
pub(super) fn made(replies: &[Reply], call: usize) -> Result<Option<Vec<PurchasedItem>>, Error> {
    let items = |row: &Row| items(row.text(0)?).ok_or_else(|| nonsense("what was bought is unclear"));
    first(replies, call).map(items).transpose()
}

/// What is sent about a purchase of this time is hardly on its way any more.
fn old(now: Time) -> PurchaseId {
    PurchaseId::first_at(now - IN_TRANSIT_MAX)
}

/// Raises the sources that have not given this number yet.
pub(super) fn raise_numbers(last: u64) -> Call {
    RAISE_NUMBERS.with([int(i64::try_from(last).expect("IDs are below 2^62"))])
}

/// Empty where there is no key; no key is.
pub(super) fn key_value(key: Option<&IdempotencyKey>) -> Value {
    Value::Bytes(key.map(|IdempotencyKey(key)| key.clone().into_bytes()).unwrap_or_default())
}
