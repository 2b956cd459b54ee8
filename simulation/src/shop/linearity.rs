//! Histories of everything that several users change at once: of each item's stock and of each session's cart, as one
//! object each. A whole is linearizable if all of its objects are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::intents::{Cart, Fate, Intents, units_of};
use super::session_cart::{CartOperation, SessionCart};
use super::stock::{Stock, StockOperation};
use crate::journal::Operation;
use crate::linearizability::{Timed, expect_linearizable};
use crate::request::{Outcome, Span};

/// Histories by the name of the object.
type Histories<O> = BTreeMap<String, Vec<Timed<O>>>;

/// A purchase that was made, and from when to when its stock may have been taken.
pub(super) struct Sale {
    pub(super) span: Span,
    pub(super) units: Cart,
}

/// Checks the stock of each item, of which all `sales` are known.
pub(super) fn check_stocks(journal: &[Operation], sales: &[Sale]) {
    let mut histories = Histories::new();
    for operation in journal {
        if let Some((id, what)) = stock_operation(operation) {
            add(&mut histories, id, operation, what);
        }
    }
    for Sale { span: Span { start, end }, units } in sales {
        for (id, units) in units {
            let operation = StockOperation::Taken { units: *units as i64 };
            let history = histories.get_mut(id).expect("what was bought is known");
            history.push(Timed { start: *start, end: Some(*end), operation });
        }
    }
    for (id, history) in histories {
        expect_linearizable::<Stock>(&format!("the stock of {id}"), history);
    }
}

/// Checks the cart of each session.
pub(super) fn check_carts(journal: &[Operation], intents: &Intents) {
    let mut histories = Histories::new();
    for operation in journal {
        if let Some((session_id, what)) = cart_operation(operation) {
            add(&mut histories, session_id, operation, what);
        }
    }
    for intent in intents.iter() {
        // A purchase that nobody knows of may have been of any of the carts.
        let (bought, end) = match &intent.fate {
            Fate::Made { receipt, at } => (vec![units_of(receipt)], Some(*at)),
            Fate::Open | Fate::Left => (intent.carts.clone(), None),
            Fate::Refused => continue,
        };
        let history = histories.get_mut(&intent.session_id).expect("what is bought was put into a cart");
        for units in bought {
            history.push(Timed { start: intent.started_at, end, operation: CartOperation::Bought(units) });
        }
    }
    for (session_id, history) in histories {
        expect_linearizable::<SessionCart>(&format!("the cart of {session_id}"), history);
    }
}

fn add<O>(histories: &mut Histories<O>, name: &str, asked: &Operation, operation: O) {
    // Nobody knows when what was lost takes effect, though it is known when it was lost.
    let end = asked.end.filter(|_| asked.outcome != Outcome::Unknown);
    histories.entry(name.to_owned()).or_default().push(Timed { start: asked.start, end, operation });
}

/// What a request asked of the stock of an item, and of which; nothing if it certainly changed and showed nothing.
fn stock_operation(asked: &Operation) -> Option<(&str, StockOperation)> {
    let Operation { api, data, outcome, .. } = asked;
    let done = outcome.data();
    match *api {
        "RegisterItemForSale" => {
            let units = data["quantity"].as_i64().expect("a number of units");
            let changed = StockOperation::Changed { delta: units, units };
            Some((text(&done?["item_id"]), changed))
        }
        "UpdateUnitsForSale" => {
            let delta = data["quantity_delta"].as_i64().expect("a number of units");
            let operation = match outcome {
                Outcome::Done(done) => {
                    let units = done["quantity"].as_i64().expect("a number of units");
                    StockOperation::Changed { delta, units }
                }
                Outcome::Refused(code) if code == "OUT_OF_STOCK" => StockOperation::Refused { delta },
                Outcome::Unknown => StockOperation::Lost { delta },
                Outcome::Refused(_) | Outcome::NotDone => return None,
            };
            Some((text(&data["item_id"]), operation))
        }
        "GetItem" => {
            let units = done?["item"]["quantity"].as_i64().expect("a number of units");
            Some((text(&data["item_id"]), StockOperation::Read { units }))
        }
        _ => None,
    }
}

/// What a request asked of the cart of a session, and of which; nothing if it certainly changed and showed nothing.
fn cart_operation(asked: &Operation) -> Option<(&str, CartOperation)> {
    let Operation { api, data, outcome, .. } = asked;
    let operation = match *api {
        "AddItemToCart" | "RemoveItemFromCart" => {
            let units = data["quantity"].as_i64().expect("a number of units");
            let delta = if *api == "AddItemToCart" { units } else { -units };
            let id = text(&data["item_id"]).to_owned();
            match outcome {
                Outcome::Done(done) => {
                    let units = done["quantity"].as_u64().expect("a number of units");
                    CartOperation::Changed { id, delta, units }
                }
                Outcome::Unknown => CartOperation::Lost { id, delta },
                Outcome::Refused(_) | Outcome::NotDone => return None,
            }
        }
        "DisplayCart" | "GetCart" => {
            let shown = outcome.data()?["cart"].clone();
            CartOperation::Shown(serde_json::from_value(shown).expect("a cart"))
        }
        _ => return None,
    };
    Some((text(data.get("session_id")?), operation))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("an ID is a string")
}
