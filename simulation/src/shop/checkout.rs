//! [`Checkout`]: one purchase as its buyer sees it, from the first request to the last answer.

use super::intents::{Cart, Fate, Intents, units_of};
use super::ledger::Ledger;
use crate::request::{Outcome, Span};

pub(super) struct Checkout {
    /// The place of the intent.
    pub(super) place: usize,
    key: Option<String>,
    /// The session whose cart is to be bought.
    session_id: String,
    /// The cart as it was, and as it is if nothing is bought. It is not known after an addition was lost.
    before: Cart,
    full: Option<Cart>,
    /// The cart after what was bought is gone, if that is known.
    after: Option<Cart>,
    /// What was put into the cart while the purchase was under way.
    addition: Option<String>,
    rounds: u64,
}

/// Requests that were made together, and what came of them.
#[derive(Default)]
pub(super) struct Round {
    pub(super) session_id: String,
    /// The same was asked for twice at once.
    pub(super) is_twin: bool,
    pub(super) answers: Vec<(Span, Outcome)>,
    /// Something is put into the cart at the same time.
    pub(super) adds: bool,
    pub(super) added: Option<Outcome>,
    /// The session was refused.
    pub(super) is_over: bool,
}

impl Round {
    pub(super) fn begun(session_id: &str) -> Self {
        Self { session_id: session_id.to_owned(), ..Self::default() }
    }

    /// Whether all of it is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answers.len() == 1 + usize::from(self.is_twin) && self.added.is_some() == self.adds
    }
}

impl Checkout {
    pub(super) fn new(place: usize, key: Option<String>, session_id: &str, cart: Cart) -> Self {
        let (session_id, full) = (session_id.to_owned(), Some(cart.clone()));
        Self { place, key, session_id, before: cart, full, after: None, addition: None, rounds: 0 }
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether something may be put into the cart beside a request in this session.
    pub(super) fn may_add(&self, session_id: &str) -> bool {
        self.addition.is_none() && self.is_of(session_id)
    }

    /// A unit of this is put into the cart while it is bought, which may be of it then.
    pub(super) fn add(&mut self, intents: &mut Intents, id: String) {
        intents.at(self.place).carts.push(self.with(&id));
        self.addition = Some(id);
    }

    pub(super) fn is_of(&self, session_id: &str) -> bool {
        self.session_id == session_id
    }

    /// The cart in the end, if it is known.
    pub(super) fn cart(self) -> Option<Cart> {
        self.after
    }

    /// Checks answers; returns whether the purchase has come to its end, as far as its buyer is concerned.
    pub(super) fn settle(&mut self, ledger: &mut Ledger, round: Round) -> bool {
        self.rounds += 1;
        self.settle_addition(ledger, &round);
        let is_lost = |outcome: &Outcome| matches!(outcome, Outcome::Unknown);
        let mut receipt = None;
        let mut received = 0;
        for (span, outcome) in &round.answers {
            if let Some(data) = outcome.data() {
                ledger.see_prices(data);
                ledger.intents.at(self.place).made(*span, data);
                receipt = Some(data);
                received += 1;
            } else if is_lost(outcome) {
                ledger.intents.at(self.place).lost(span.end);
            }
        }
        if let Some(receipt) = receipt {
            ledger.joined += received - u64::from(self.rounds == 1);
            self.after = self.full.as_ref().map(|full| without(full, &units_of(receipt)));
            return true;
        }
        let any_lost = round.answers.iter().any(|(_, outcome)| is_lost(outcome));
        let any_not_done = round.answers.iter().any(|(_, outcome)| *outcome == Outcome::NotDone);
        if self.key.is_some() && (any_lost || any_not_done || round.is_over) {
            return false;
        }
        if any_lost {
            ledger.intents.at(self.place).fate = Fate::Left;
            return true;
        }
        self.refused(ledger, &round);
        true
    }

    /// All attempts of a round were refused, or certainly not made.
    fn refused(&mut self, ledger: &mut Ledger, round: &Round) {
        for (span, outcome) in &round.answers {
            let Outcome::Refused(code) = outcome else { continue };
            // In another session, the cart is empty.
            let is_elsewhere = code == "FAILED_PRECONDITION" && !self.is_of(&round.session_id);
            assert!(
                code == "OUT_OF_STOCK" || is_elsewhere || round.is_over,
                "a purchase of {:?} is refused with {code} at {span:?}",
                self.before
            );
        }
        let first = round.answers.iter().min_by_key(|(span, _)| span.start);
        let (span, _) = first.expect("something was answered");
        let intent = ledger.intents.at(self.place);
        intent.refused(*span);
        // A lost attempt may still buy what is in the cart.
        self.after = self.full.take().filter(|_| intent.fate == Fate::Refused);
    }

    fn settle_addition(&mut self, ledger: &mut Ledger, round: &Round) {
        let (Some(id), Some(outcome)) = (&self.addition, &round.added) else { return };
        match outcome {
            Outcome::Done(data) => {
                let with = self.with(id);
                let quantity = data["quantity"].as_u64().expect("a quantity");
                assert!(quantity == with[id] || quantity == 1, "{data} follows {:?}", self.before);
                self.full = Some(with);
            }
            Outcome::Unknown => self.full = None,
            Outcome::Refused(_) | Outcome::NotDone => ledger.intents.at(self.place).carts.truncate(1),
        }
    }

    /// The cart with what is put into it meanwhile.
    fn with(&self, id: &str) -> Cart {
        let mut with = self.before.clone();
        *with.entry(id.to_owned()).or_default() += 1;
        with
    }
}

/// What is left of a cart when this was bought: what was put into it meanwhile.
fn without(full: &Cart, bought: &Cart) -> Cart {
    let left = full.iter().map(|(id, units)| {
        let bought = bought.get(id).copied().unwrap_or(0);
        (id.clone(), units.checked_sub(bought).expect("no more is bought than was in the cart"))
    });
    left.filter(|(_, units)| *units > 0).collect()
}
