//! [`Buyer`]: a user who fills carts and buys, asks again under the same key while an answer is missing, over another
//! connection too, and may vanish at any moment.
//!
//! A session in which a change of the cart was lost is left; so what the cart of a session in use holds is always known
//! exactly.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use net::Time;
use serde_json::{Value, json};

use super::checkout::{Checkout, Round};
use super::intents::{Cart, Fate};
use super::ledger::Shared;
use crate::account::Account;
use crate::client::User;
use crate::request::{Outcome, Request, Span};

/// The most units that are put into a cart at a time.
const UNITS_MAX: u64 = 3;
/// The longest time between a request to buy and a sudden end.
const VANISHING_MAX: Duration = Duration::from_millis(40);

pub(super) struct Buyer {
    account: Account,
    rng: fastrand::Rng,
    ledger: Shared,
    /// When the buyer's host is to crash.
    vanish_at: Rc<Cell<Option<Time>>>,
    /// None: the session is to be left.
    cart: Option<Cart>,
    pending: Pending,
    /// The purchase that is not known to have ended.
    checkout: Option<Checkout>,
    /// What was answered since the last request to buy.
    round: Round,
    /// What is to be asked at the same time.
    beside: Option<Request>,
    /// The purchases that were made under keys.
    made: Vec<(String, usize)>,
    /// The keys of purchases that were refused.
    free_keys: Vec<String>,
    /// Sessions that are over.
    over: Vec<String>,
    requests_left: usize,
}

#[derive(Clone, Debug)]
enum Pending {
    Nothing,
    /// A change of the units of an item.
    Change {
        id: String,
        delta: i64,
    },
    Clear,
    Show,
    /// At a cart that is not known, before the session is left. The whole history tells what it may hold.
    ShowUnknown,
    Look {
        id: String,
    },
    History,
    Buy,
    /// To ask once more for what was bought.
    Again {
        place: usize,
        key: String,
    },
    /// With a session that is over.
    ShowOver {
        session_id: String,
    },
}

impl Buyer {
    pub(super) fn new(
        username: String,
        seed: u64,
        ledger: Shared,
        requests: usize,
        vanish_at: Rc<Cell<Option<Time>>>,
    ) -> Self {
        Self {
            account: Account::new("buyer", username),
            rng: fastrand::Rng::with_seed(seed),
            ledger,
            vanish_at,
            cart: None,
            pending: Pending::Nothing,
            checkout: None,
            round: Round::default(),
            beside: None,
            made: Vec::new(),
            free_keys: Vec::new(),
            over: Vec::new(),
            requests_left: requests,
        }
    }

    /// Chooses what to do next; nothing if it is time to go.
    fn choose(&mut self, now: Time, cart: &Cart) -> Option<Pending> {
        if self.ledger.borrow().is_closed {
            return None;
        }
        self.requests_left = self.requests_left.checked_sub(1)?;
        let ids: Vec<String> = self.ledger.borrow().items.keys().cloned().collect();
        let id = self.rng.choice(ids);
        let in_cart = self.rng.choice(cart.keys()).cloned();
        Some(match (self.rng.u8(0..20), id, in_cart) {
            (0, Some(id), _) => Pending::Look { id },
            (1, _, Some(id)) => Pending::Change { id, delta: -1 },
            (2 | 3, _, _) => Pending::Show,
            (4, _, _) => Pending::History,
            (5, _, _) if !self.made.is_empty() => {
                let (key, place) = self.rng.choice(&self.made).expect("not empty").clone();
                Pending::Again { place, key }
            }
            (6, _, _) if !self.over.is_empty() => {
                let session_id = self.rng.choice(&self.over).expect("not empty").clone();
                Pending::ShowOver { session_id }
            }
            (7..=12, _, Some(_)) => {
                self.begin_to_buy(now, cart);
                Pending::Buy
            }
            (13, _, Some(_)) => Pending::Clear,
            (_, Some(id), _) => Pending::Change { id, delta: self.rng.u64(1..=UNITS_MAX) as i64 },
            _ => Pending::Show,
        })
    }

    fn begin_to_buy(&mut self, now: Time, cart: &Cart) {
        let key = match self.rng.u8(0..8) {
            0 => None,
            // A purchase that was refused leaves the key free.
            1..=3 if !self.free_keys.is_empty() => self.free_keys.pop(),
            _ => Some(format!("{:x}", self.rng.u64(..))),
        };
        let mut ledger = self.ledger.borrow_mut();
        let of = (self.account.user_id(), self.account.session_id());
        let place = ledger.intents.begin(of, key.clone(), cart.clone(), now);
        self.checkout = Some(Checkout::new(place, key, self.account.session_id(), cart.clone()));
        if self.rng.u8(0..10) == 0 {
            let micros = self.rng.u64(0..VANISHING_MAX.as_micros() as u64);
            self.vanish_at.set(Some(now + Duration::from_micros(micros)));
        }
    }

    /// The request for what was chosen; one to buy may have another one beside it.
    fn request(&mut self, now: Time) -> Request {
        let session_id = self.account.session_id().to_owned();
        match &self.pending {
            Pending::Nothing => unreachable!("something was chosen"),
            Pending::Change { id, delta } => change(&session_id, id, *delta),
            Pending::Clear => Request { api: "ClearCart", data: json!({"session_id": session_id}) },
            Pending::Show | Pending::ShowUnknown => {
                Request { api: "DisplayCart", data: json!({"session_id": session_id}) }
            }
            Pending::Look { id } => Request { api: "GetItem", data: json!({"item_id": id}) },
            Pending::History => {
                let data = json!({"session_id": session_id, "limit": 1000});
                Request { api: "GetBuyerPurchases", data }
            }
            Pending::Again { key, .. } => {
                let data = json!({"session_id": session_id, "idempotency_key": key});
                Request { api: "MakePurchase", data }
            }
            Pending::ShowOver { session_id } => {
                // On an engine, other statements look after sessions that change something.
                let changes = self.ledger.borrow().sessions.are_shared && self.rng.bool();
                let api = if changes { "ClearCart" } else { "DisplayCart" };
                Request { api, data: json!({"session_id": session_id}) }
            }
            Pending::Buy => self.buy(now, &session_id),
        }
    }

    fn buy(&mut self, now: Time, session_id: &str) -> Request {
        let checkout = self.checkout.as_mut().expect("something is to be bought");
        let data = match checkout.key() {
            Some(key) => json!({"session_id": session_id, "idempotency_key": key}),
            None => json!({"session_id": session_id}),
        };
        let request = Request { api: "MakePurchase", data };
        self.round = Round::begun(session_id);
        match self.rng.u8(0..8) {
            0 | 1 => {
                self.round.is_twin = true;
                self.beside = Some(request.clone());
            }
            2 if checkout.may_add(session_id) => {
                let mut ledger = self.ledger.borrow_mut();
                let ids: Vec<String> = ledger.items.keys().cloned().collect();
                let id = self.rng.choice(ids).expect("something is in the cart");
                self.beside = Some(change(session_id, &id, 1));
                checkout.add(&mut ledger.intents, id);
                self.round.adds = true;
            }
            _ => {}
        }
        if self.beside.is_some() {
            self.ledger.borrow_mut().sessions.used_twice(session_id, now);
        }
        request
    }

    /// Draws the conclusions from what was answered to a request to buy.
    fn settle(&mut self) {
        let Some(mut checkout) = self.checkout.take() else { return };
        let mut ledger = self.ledger.borrow_mut();
        let ends = checkout.settle(&mut ledger, std::mem::take(&mut self.round));
        let session_id = self.account.session_id();
        if ends {
            let key = checkout.key().map(str::to_owned);
            match ledger.intents.at(checkout.place).fate {
                Fate::Made { .. } => self.made.extend(key.map(|key| (key, checkout.place))),
                Fate::Refused => self.free_keys.extend(key),
                Fate::Open | Fate::Left => {}
            }
            if checkout.is_of(session_id) {
                self.cart = checkout.cart();
            }
        } else {
            self.checkout = Some(checkout);
        }
    }

    /// Checks what a session was answered; returns whether it goes on.
    fn session_answered(&mut self, session_id: &str, span: Span, outcome: &Outcome) -> bool {
        let goes_on = self.ledger.borrow_mut().sessions.answered(session_id, span, outcome);
        if !goes_on && !self.over.iter().any(|over| over == session_id) {
            self.over.push(session_id.to_owned());
        }
        goes_on
    }

    fn change_answered(&mut self, id: &str, delta: i64, outcome: &Outcome) {
        let cart = self.cart.as_mut().expect("it is changed while it is known");
        let after = cart.get(id).copied().unwrap_or(0).checked_add_signed(delta).expect("so much is there");
        match outcome {
            Outcome::Done(data) => {
                assert_eq!(data["quantity"], after, "{} has another cart", self.account.username);
                cart.insert(id.to_owned(), after);
                cart.retain(|_, units| *units > 0);
            }
            Outcome::Unknown => self.cart = None,
            Outcome::NotDone => {}
            Outcome::Refused(code) => assert_eq!(code, "OUT_OF_STOCK"),
        }
    }

    /// Checks the reply to a read, or to what must be answered as before.
    fn read_answered(&mut self, span: Span, data: &Value) {
        let mut ledger = self.ledger.borrow_mut();
        match &self.pending {
            Pending::Show => {
                let shown: Cart = serde_json::from_value(data["cart"].clone()).expect("a cart");
                assert_eq!(Some(shown), self.cart, "{} has another cart", self.account.username);
            }
            Pending::Look { id } => {
                let units = data["item"]["quantity"].as_u64().expect("a quantity");
                ledger.see_units(span, id, units);
            }
            Pending::History => ledger.intents.see_history(span, self.account.user_id(), data),
            Pending::Again { place, .. } => ledger.intents.at(*place).made(span, data),
            // Whether a crash may have brought it back was checked.
            Pending::ShowOver { .. } | Pending::ShowUnknown => {}
            other => unreachable!("{other:?} is no read"),
        }
    }

    /// Logs in anew, and out of the session before if that is to be.
    fn renew(&mut self, logs_out: bool) -> Option<Request> {
        self.cart = None;
        if logs_out {
            let session_id = self.account.session_id().to_owned();
            self.ledger.borrow_mut().sessions.ending(&session_id);
            self.account.log_out();
        } else {
            self.account.leave();
        }
        self.account.next()
    }
}

impl User for Buyer {
    fn next(&mut self, now: Time) -> Option<Request> {
        if let Some(request) = self.account.next() {
            return Some(request);
        }
        if self.checkout.is_none() {
            let Some(cart) = self.cart.clone() else {
                if self.rng.bool() {
                    return self.renew(false);
                }
                self.pending = Pending::ShowUnknown;
                return Some(self.request(now));
            };
            if self.rng.u8(0..24) == 0 {
                return self.renew(true);
            }
            let Some(pending) = self.choose(now, &cart) else {
                let session_id = self.account.session_id().to_owned();
                self.ledger.borrow_mut().carts.insert(session_id, cart);
                return None;
            };
            self.pending = pending;
        }
        Some(self.request(now))
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        let is_account = self.account.answered(span, &outcome, &mut self.ledger.borrow_mut().accounts);
        if is_account {
            for session_id in self.account.ended.drain(..) {
                self.ledger.borrow_mut().sessions.ended(&session_id, span.end);
                self.over.push(session_id);
            }
            if self.account.next().is_none() {
                self.ledger.borrow_mut().sessions.opened(self.account.session_id(), span);
                self.cart = Some(Cart::new());
            }
            return;
        }
        let used = match &self.pending {
            Pending::Look { .. } => None,
            Pending::ShowOver { session_id } => Some(session_id.clone()),
            _ => Some(self.account.session_id().to_owned()),
        };
        let goes_on = used.is_none_or(|session_id| self.session_answered(&session_id, span, &outcome));
        if matches!(self.pending, Pending::Buy) {
            self.round.answers.push((span, outcome));
            return self.go_on_if_answered(goes_on);
        }
        match (&self.pending.clone(), &outcome) {
            (Pending::ShowOver { .. }, Outcome::Refused(_)) => {}
            _ if !goes_on => _ = self.renew(false),
            (Pending::Change { id, delta }, outcome) => {
                if outcome.data().is_some() {
                    self.ledger.borrow_mut().sessions.stored(self.account.session_id(), span);
                }
                self.change_answered(id, *delta, outcome);
            }
            (Pending::Clear, Outcome::Done(_)) => self.cart = Some(Cart::new()),
            (Pending::Clear, Outcome::Unknown) => self.cart = None,
            (_, Outcome::Done(data)) => self.read_answered(span, data),
            (pending, Outcome::Refused(code)) => panic!("{pending:?} at {span:?} was refused with {code}"),
            (_, Outcome::NotDone | Outcome::Unknown) => {}
        }
    }

    fn beside(&mut self) -> Option<Request> {
        self.beside.take()
    }

    fn answered_beside(&mut self, span: Span, outcome: Outcome) {
        let session_id = self.round.session_id.clone();
        let goes_on = self.session_answered(&session_id, span, &outcome);
        if self.round.is_twin {
            self.round.answers.push((span, outcome));
        } else {
            self.round.added = Some(outcome);
        }
        self.go_on_if_answered(goes_on);
    }

    fn behind(&mut self) -> Vec<Request> {
        let count = if self.rng.u8(0..8) == 0 { self.rng.usize(1..4) } else { 0 };
        (0..count).map(|_| Request { api: "Ping", data: json!({}) }).collect()
    }

    /// As people are, not longer than it takes; the rest of an answer is for nobody.
    fn patience(&mut self) -> Duration {
        Duration::from_millis(self.rng.u64(300..12_000))
    }
}

impl Buyer {
    /// Once all is answered that was asked for together, the purchase is settled, and a session that is over is left.
    fn go_on_if_answered(&mut self, goes_on: bool) {
        self.round.is_over |= !goes_on;
        if !self.round.is_answered() {
            return;
        }
        let is_over = self.round.is_over;
        self.settle();
        if is_over {
            self.renew(false);
        }
    }
}

fn change(session_id: &str, id: &str, delta: i64) -> Request {
    let api = if delta > 0 { "AddItemToCart" } else { "RemoveItemFromCart" };
    Request { api, data: json!({"session_id": session_id, "item_id": id, "quantity": delta.abs()}) }
}
