//! [`Buyer`]: a user who searches, fills and saves carts, votes, and logs out and in again.
//!
//! A session in which a change was lost is looked at once and then left, because the change may still be made
//! at any later moment; so what a session in use holds is always known exactly.

use net::Time;
use serde_json::{Value, json};

use super::model::{CATEGORIES, Cart, Shared, Vote, votes};
use crate::account::Account;
use crate::client::User;
use crate::history::Register;
use crate::request::{Outcome, Request, Span};

pub(crate) struct Buyer {
    account: Account,
    rng: fastrand::Rng,
    model: Shared,
    pending: Option<Pending>,
    repeats: bool,
    cart: Known,
    requests_left: usize,
}

/// What is known of the session's cart.
#[derive(Clone, Debug)]
enum Known {
    /// It was the saved cart when the session began, at that time.
    Saved(Span),
    Exactly(Cart),
    /// A change was lost, so the session is to be left after a look.
    Either(Cart, Cart),
    /// Nothing is to be learned from it any more.
    Left,
}

#[derive(Clone, Debug, PartialEq)]
enum Pending {
    Search {
        category: u64,
    },
    Item {
        id: String,
    },
    Update {
        id: String,
        delta: i64,
    },
    Clear,
    Save,
    Show,
    Vote {
        id: String,
        vote: Vote,
    },
    Rating {
        seller_id: u64,
    },
    Purchases,
    /// With a session that was logged out.
    ShowEnded {
        session_id: String,
    },
}

impl Buyer {
    pub(crate) fn new(username: String, seed: u64, model: Shared, requests: usize) -> Self {
        Self {
            account: Account::new("buyer", username),
            rng: fastrand::Rng::with_seed(seed),
            model,
            pending: None,
            repeats: false,
            cart: Known::Left,
            requests_left: requests,
        }
    }

    fn choose(&mut self, now: Time) -> Option<Pending> {
        let Known::Exactly(cart) = self.cart.clone() else {
            return Some(Pending::Show);
        };
        self.requests_left = self.requests_left.checked_sub(1)?;
        let ids: Vec<String> = self.model.borrow().names.keys().cloned().collect();
        let id = self.rng.choice(ids);
        let in_cart = self.rng.choice(cart.keys()).cloned();
        Some(match (self.rng.u8(0..20), id, in_cart) {
            (0..=3, Some(id), _) => Pending::Item { id },
            (4..=7, Some(id), _) => Pending::Update { id, delta: self.rng.i64(1..4) },
            (8, _, Some(id)) => {
                let units = self.rng.u64(1..=cart[&id]);
                Pending::Update { id, delta: -(units as i64) }
            }
            (9, _, Some(_)) => Pending::Clear,
            (10 | 11, _, _) => {
                let mut model = self.model.borrow_mut();
                model
                    .saved
                    .get_mut(&self.account.username)
                    .expect("made at the first login")
                    .write(cart, now);
                Pending::Save
            }
            (12, _, _) => Pending::Show,
            (13 | 14, Some(id), _) => {
                let vote = if self.rng.bool() { Vote::Up } else { Vote::Down };
                self.model.borrow_mut().votes.insert((self.account.user_id(), id.clone()), vote);
                Pending::Vote { id, vote }
            }
            (15, Some(id), _) => Pending::Rating { seller_id: self.model.borrow_mut().item(&id).seller_id },
            (16, _, _) => Pending::Purchases,
            (17, _, _) if !self.account.ended.is_empty() => {
                let session_id = self.rng.choice(&self.account.ended).expect("not empty").clone();
                Pending::ShowEnded { session_id }
            }
            _ => Pending::Search { category: self.rng.u64(0..CATEGORIES) },
        })
    }

    fn request(&mut self, now: Time, pending: &Pending) -> Request {
        let session_id = self.account.session_id().to_owned();
        let browsing = if self.rng.bool() { Some(&session_id) } else { None };
        let (api, data) = match pending {
            Pending::Search { category } => {
                let mut search = json!({"session_id": browsing, "category": category, "limit": 1000});
                if self.rng.bool() {
                    search["keywords"] = json!(["any"]);
                }
                ("SearchItemsForSale", search)
            }
            Pending::Item { id } => ("GetItem", json!({"session_id": browsing, "item_id": id})),
            Pending::Update { id, delta } => {
                let api = if *delta > 0 { "AddItemToCart" } else { "RemoveItemFromCart" };
                (api, json!({"session_id": session_id, "item_id": id, "quantity": delta.abs()}))
            }
            Pending::Clear => ("ClearCart", json!({"session_id": session_id})),
            Pending::Save => ("SaveCart", json!({"session_id": session_id})),
            Pending::Show => ("DisplayCart", json!({"session_id": session_id})),
            Pending::Vote { id, vote } => {
                let buyer_id = self.account.user_id();
                let mut model = self.model.borrow_mut();
                let item = model.item(id);
                item.voters.write(buyer_id, now);
                let seller_id = item.seller_id;
                model.ratings.entry(seller_id).or_default().write((buyer_id, id.clone()), now);
                let vote = json!({"session_id": session_id, "item_id": id, "vote": vote.name()});
                ("ProvideFeedback", vote)
            }
            Pending::Rating { seller_id } => {
                ("GetSellerRating", json!({"session_id": session_id, "seller_id": seller_id}))
            }
            Pending::Purchases => ("GetBuyerPurchases", json!({"session_id": session_id})),
            Pending::ShowEnded { session_id } => ("DisplayCart", json!({"session_id": session_id})),
        };
        Request { api, data }
    }

    /// What the cart is after a change.
    fn changed(cart: &Cart, pending: &Pending) -> Cart {
        let mut cart = cart.clone();
        match pending {
            Pending::Update { id, delta } => {
                let units = cart.entry(id.clone()).or_default();
                *units = units.checked_add_signed(*delta).expect("no more is removed than there is");
                cart.retain(|_, units| *units > 0);
            }
            _ => cart.clear(),
        }
        cart
    }

    /// Takes what came of a change of the cart.
    fn cart_answered(&mut self, pending: &Pending, outcome: &Outcome) {
        let Known::Exactly(before) = &self.cart else {
            unreachable!("a cart that is not known is not changed");
        };
        let after = Self::changed(before, pending);
        match (outcome, pending) {
            (Outcome::Done(data), Pending::Update { id, .. }) => {
                assert_eq!(data["quantity"].as_u64(), Some(after.get(id).copied().unwrap_or(0)));
                self.cart = Known::Exactly(after);
            }
            (Outcome::Done(_), _) => self.cart = Known::Exactly(after),
            (Outcome::Unknown, _) => self.cart = Known::Either(before.clone(), after),
            (Outcome::NotDone, _) => {}
            (Outcome::Refused(code), _) => assert_eq!(code, "OUT_OF_STOCK", "{pending:?}"),
        }
    }

    /// Checks a cart that was shown.
    fn see_cart(&mut self, cart: Cart) {
        match &self.cart {
            Known::Saved(login) => {
                let mut model = self.model.borrow_mut();
                model.saved.get_mut(&self.account.username).expect("it was made").read(*login, &cart);
                drop(model);
                self.cart = Known::Exactly(cart);
            }
            Known::Exactly(known) => assert_eq!(&cart, known, "{} has another cart", self.account.username),
            Known::Either(before, after) => {
                assert!(&cart == before || &cart == after, "{cart:?} is neither {before:?} nor {after:?}");
                self.leave();
            }
            Known::Left => unreachable!("nobody looks at a session that was left"),
        }
    }

    fn leave(&mut self) {
        self.cart = Known::Left;
        self.account.leave();
    }

    fn logged_in(&mut self, span: Span) {
        let mut model = self.model.borrow_mut();
        // The first cart that is saved is that of the new account.
        let saved = model.saved.entry(self.account.username.clone());
        saved.or_insert_with(|| Register::starting_with(Cart::new(), span.start));
        self.cart = Known::Saved(span);
    }

    fn vote_answered(&mut self, span: Span, id: &str, outcome: &Outcome) {
        let buyer_id = self.account.user_id();
        let mut model = self.model.borrow_mut();
        let item = model.item(id);
        let seller_id = item.seller_id;
        let write = item.voters.writes.get_mut(&buyer_id).expect("it was made");
        write.attempted(span, outcome);
        if let Some(data) = outcome.data() {
            item.voters.read(span, votes(&data["feedback"]));
        }
        let rating = model.ratings.get_mut(&seller_id).expect("it was made");
        rating.writes.get_mut(&(buyer_id, id.to_owned())).expect("it was made").attempted(span, outcome);
    }

    /// Checks the reply to a read.
    fn read_answered(&mut self, span: Span, pending: &Pending, data: &Value) {
        let mut model = self.model.borrow_mut();
        match pending {
            Pending::Search { category } => model.see_category(span, *category, data),
            Pending::Item { .. } => model.see_item(span, &data["item"]),
            Pending::Rating { .. } => model.see_rating(span, data),
            Pending::Purchases => assert_eq!(data["purchases_count"], 0),
            Pending::Show => {
                drop(model);
                self.see_cart(serde_json::from_value(data["cart"].clone()).expect("a cart"));
            }
            other => unreachable!("{other:?} is no read"),
        }
    }
}

impl User for Buyer {
    fn next(&mut self, now: Time) -> Option<Request> {
        if let Some(request) = self.account.next() {
            return Some(request);
        }
        if !self.repeats {
            if self.cart_is_known() && self.rng.u8(0..16) == 0 {
                return self.log_out();
            }
            self.pending = self.choose(now);
        }
        let Some(pending) = self.pending.clone() else {
            self.finish();
            return None;
        };
        Some(self.request(now, &pending))
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        if self.account.answered(span, &outcome, &mut self.model.borrow_mut().accounts) {
            if self.account.next().is_none() {
                self.logged_in(span);
            }
            return;
        }
        let pending = self.pending.clone().expect("something was asked for");
        self.repeats = matches!(outcome, Outcome::NotDone | Outcome::Unknown);
        match (&pending, &outcome) {
            (Pending::Update { .. } | Pending::Clear, _) => {
                self.cart_answered(&pending, &outcome);
                self.repeats = false;
            }
            (Pending::Save, Outcome::Done(_) | Outcome::Unknown | Outcome::NotDone) => {
                self.save_answered(span, &outcome);
            }
            (Pending::Vote { id, .. }, Outcome::Done(_) | Outcome::Unknown | Outcome::NotDone) => {
                self.vote_answered(span, id, &outcome);
            }
            (Pending::ShowEnded { .. }, Outcome::Done(_)) => panic!("a session that was ended goes on"),
            (Pending::ShowEnded { .. }, Outcome::Refused(code)) => assert_eq!(code, "NOT_LOGGED_IN"),
            (_, Outcome::Refused(code)) => panic!("{pending:?} at {span:?} was refused with {code}"),
            (_, Outcome::Done(data)) => self.read_answered(span, &pending, data),
            (_, Outcome::NotDone | Outcome::Unknown) => {}
        }
    }
}

impl Buyer {
    fn cart_is_known(&self) -> bool {
        matches!(self.cart, Known::Exactly(_))
    }

    fn log_out(&mut self) -> Option<Request> {
        self.cart = Known::Left;
        self.account.log_out();
        self.account.next()
    }

    fn save_answered(&mut self, span: Span, outcome: &Outcome) {
        let mut model = self.model.borrow_mut();
        let saved = model.saved.get_mut(&self.account.username).expect("it was made");
        let write = saved.last().expect("it was made");
        write.attempted(span, outcome);
        let is_loose = write.is_loose();
        if outcome.data().is_none() {
            write.repeat();
        }
        drop(model);
        // A lost attempt saves the session's cart of the moment at which it takes effect.
        if outcome.data().is_some() && is_loose {
            self.leave();
        }
    }

    /// Leaves to the model what it needs to check the end.
    fn finish(&mut self) {
        let Known::Exactly(cart) = self.cart.clone() else {
            unreachable!("the last thing that a buyer does is to look");
        };
        let mut model = self.model.borrow_mut();
        model.sessions.insert(self.account.session_id().to_owned(), cart);
        model.ended.append(&mut self.account.ended);
    }
}
