//! [`Intents`]: what buyers have meant to buy, what came of it, and whether a history fits to that.

use std::collections::{BTreeMap, BTreeSet};

use net::Time;
use serde_json::Value;

use crate::history::AFTERLIFE;
use crate::request::Span;

/// Units by item ID.
pub(super) type Cart = BTreeMap<String, u64>;

/// All of them, in the order in which they were begun.
#[derive(Debug, Default)]
pub(super) struct Intents {
    all: Vec<Intent>,
    /// The purchases that a history has shown, by ID, and since when.
    seen: BTreeMap<String, Time>,
}

/// What a buyer means to buy once, however often they ask.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) buyer_id: u64,
    /// In whose cart it is.
    pub(super) session_id: String,
    pub(super) key: Option<String>,
    /// What was in the cart, or may have been: it is of one of these.
    pub(super) carts: Vec<Cart>,
    pub(super) started_at: Time,
    /// An attempt was lost, and may be carried out until then.
    pub(super) loose_until: Time,
    pub(super) fate: Fate,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// Its buyer goes on asking, or has vanished.
    Open,
    /// With its receipt, and when the buyer had it.
    Made { receipt: Value, at: Time },
    /// Nothing was bought, and nothing will be.
    Refused,
    /// Nobody asks any more, and it may have been made or still be.
    Left,
}

impl Intents {
    /// A buyer begins to ask; returns the place of the intent.
    pub(super) fn begin(
        &mut self,
        (buyer_id, session_id): (u64, &str),
        key: Option<String>,
        cart: Cart,
        now: Time,
    ) -> usize {
        self.all.push(Intent {
            buyer_id,
            session_id: session_id.to_owned(),
            key,
            carts: vec![cart],
            started_at: now,
            loose_until: Time::default(),
            fate: Fate::Open,
        });
        self.all.len() - 1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Intent> {
        self.all.iter()
    }

    /// From when to when a purchase may have been made that the history of its buyer shows.
    pub(super) fn span_of(&self, buyer_id: u64, purchase: &Value, shown: Span) -> Span {
        let units = units_of(purchase);
        let mut start = shown.start;
        for intent in self.all.iter().filter(|intent| intent.buyer_id == buyer_id) {
            match &intent.fate {
                Fate::Made { receipt, at } if id_of(receipt) == id_of(purchase) => {
                    return Span { start: intent.started_at, end: *at };
                }
                // Nobody had a receipt, so it may be of any of these.
                Fate::Open | Fate::Left if intent.carts.contains(&units) => {
                    start = start.min(intent.started_at);
                }
                Fate::Made { .. } | Fate::Open | Fate::Left | Fate::Refused => {}
            }
        }
        Span { start, end: shown.end }
    }

    pub(super) fn at(&mut self, place: usize) -> &mut Intent {
        &mut self.all[place]
    }

    /// How many have come to such an end.
    pub(super) fn count(&self, is_counted: impl Fn(&Intent) -> bool) -> u64 {
        self.all.iter().filter(|intent| is_counted(intent)).count() as u64
    }

    /// How many units of an item purchases have taken: at least when a read begins, and at most when it ends.
    pub(super) fn taken(&self, read: Span, item_id: &str) -> (i64, i64) {
        let (mut least, mut most) = (0, 0);
        for intent in &self.all {
            let units = |cart: &Cart| cart.get(item_id).copied().unwrap_or(0) as i64;
            match &intent.fate {
                Fate::Refused => {}
                Fate::Made { receipt, at } => {
                    let units = units(&units_of(receipt));
                    least += if *at <= read.start { units } else { 0 };
                    most += if intent.started_at <= read.end { units } else { 0 };
                }
                Fate::Open | Fate::Left if intent.started_at <= read.end => {
                    most += intent.carts.iter().map(units).max().unwrap_or(0);
                }
                Fate::Open | Fate::Left => {}
            }
        }
        (least, most)
    }

    /// Checks a buyer's whole history, newest first: each receipt that was had before is in it as it was, each other
    /// purchase is what an intent may have come to, one each, and nothing goes that was there.
    pub(super) fn see_history(&mut self, span: Span, buyer_id: u64, history: &Value) {
        let shown = history["purchases"].as_array().expect("a history has purchases");
        assert_eq!(history["buyer_id"], buyer_id);
        assert_eq!(history["purchases_count"], shown.len(), "one page holds all");
        let numbers = shown.iter().map(|purchase| id_of(purchase).parse::<u128>().expect("a number"));
        assert!(
            numbers.is_sorted_by(|newer, older| newer > older),
            "it shows the newest first, and none twice: {history}"
        );
        let unique: BTreeSet<&str> = shown.iter().map(id_of).collect();
        let of_buyer = self.all.iter().filter(|intent| intent.buyer_id == buyer_id);
        let mut open: Vec<&Intent> = Vec::new();
        let mut received: BTreeMap<&str, &Value> = BTreeMap::new();
        for intent in of_buyer {
            match &intent.fate {
                Fate::Made { receipt, at } => {
                    let id = id_of(receipt);
                    assert!(
                        received.insert(id, receipt).is_none(),
                        "purchase {id} is of two intents: {intent:?}"
                    );
                    assert!(
                        *at > span.start || unique.contains(id),
                        "{id} is missing at {span:?}: {history}"
                    );
                }
                Fate::Open | Fate::Left => open.push(intent),
                Fate::Refused => {}
            }
        }
        let mut others = Vec::new();
        for purchase in shown {
            match received.get(id_of(purchase)) {
                Some(receipt) => {
                    assert_eq!(
                        purchase["items"], receipt["items"],
                        "it is in the history as it was received"
                    );
                    assert_eq!(purchase["total"], receipt["total"]);
                }
                None => others.push(units_of(purchase)),
            }
        }
        assert!(are_of(&others, &open), "nobody meant to buy {others:?} at {span:?}: {open:#?}");
        self.see_again(span, buyer_id, &unique);
    }

    /// What was shown stays.
    fn see_again(&mut self, span: Span, buyer_id: u64, ids: &BTreeSet<&str>) {
        for id in ids {
            let seen_at = self.seen.entry(format!("{buyer_id}/{id}")).or_insert(span.end);
            *seen_at = span.end.min(*seen_at);
        }
        let own = format!("{buyer_id}/");
        for (id, seen_at) in self.seen.iter().filter(|(id, _)| id.starts_with(&own)) {
            assert!(*seen_at > span.start || ids.contains(&id[own.len()..]), "{id} is gone at {span:?}");
        }
    }
}

impl Intent {
    /// An attempt was lost.
    pub(super) fn lost(&mut self, at: Time) {
        self.loose_until = self.loose_until.max(at + AFTERLIFE);
    }

    /// Nothing was bought by the attempts that were answered.
    pub(super) fn refused(&mut self, span: Span) {
        self.fate = if self.loose_until > span.start { Fate::Left } else { Fate::Refused };
    }

    /// It was made. Whoever asks again gets the same receipt.
    pub(super) fn made(&mut self, span: Span, receipt: &Value) {
        let units = units_of(receipt);
        assert!(self.carts.contains(&units), "{receipt} is not what was to be bought: {self:?}");
        match &mut self.fate {
            Fate::Made { receipt: first, at } => {
                assert_eq!(first, receipt, "the receipt of {:?} changes at {span:?}", self.key);
                *at = span.end.min(*at);
            }
            fate => *fate = Fate::Made { receipt: receipt.clone(), at: span.end },
        }
    }
}

/// Whether each of these purchases can be of an intent of its own.
fn are_of(purchases: &[Cart], intents: &[&Intent]) -> bool {
    let mut of_intent = vec![None; intents.len()];
    (0..purchases.len())
        .all(|number| assign(number, purchases, intents, &mut of_intent, &mut BTreeSet::new()))
}

/// Gives a purchase an intent that it can be of. One that has it may have to take another, but none of those tried.
fn assign(
    number: usize,
    purchases: &[Cart],
    intents: &[&Intent],
    of_intent: &mut [Option<usize>],
    tried: &mut BTreeSet<usize>,
) -> bool {
    for (place, intent) in intents.iter().enumerate() {
        if !intent.carts.contains(&purchases[number]) || !tried.insert(place) {
            continue;
        }
        let gives_way =
            of_intent[place].is_none_or(|other| assign(other, purchases, intents, of_intent, tried));
        if gives_way {
            of_intent[place] = Some(number);
            return true;
        }
    }
    false
}

/// What a receipt is of.
pub(super) fn units_of(receipt: &Value) -> Cart {
    let items = receipt["items"].as_array().expect("a receipt has items");
    let lines = items.iter().map(|item| {
        let units = item["quantity"].as_u64().expect("a number of units");
        (item["item_id"].as_str().expect("an ID").to_owned(), units)
    });
    let units: Cart = lines.collect();
    assert_eq!(units.len(), items.len(), "an item is one line: {receipt}");
    units
}

fn id_of(purchase: &Value) -> &str {
    purchase["purchase_id"].as_str().expect("an ID is a string")
}
