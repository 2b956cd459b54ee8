//! The end of a shop: once faults have stopped, every purchase ends without being asked for, and then all books agree.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::intents::{Cart, units_of};
use super::ledger::Ledger;
use super::linearity::{self, Sale};
use crate::engine::truth;
use crate::place::Place;
use crate::request::{Outcome, Request, Span};
use crate::script::Answer;
use crate::world::World;

/// Under what `db_customer` counts the purchases that have not ended.
const UNFINISHED: &str = "marketplace_purchases_unfinished";
/// By when every purchase has ended, after faults have stopped.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
/// How often somebody looks whether a disk has failed.
const STEP: Duration = Duration::from_millis(10);
/// How old what is forgotten is, and how long it waits to be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(12);

/// As many calls as a frontend for each kind of user may lose, and one more.
const ATTEMPTS_MAX: usize = 11;
/// Where they have connections to two of each database.
const ATTEMPTS_ON_ENGINE_MAX: usize = 21;

/// Checks all of it, and returns what the databases tell. Faults have just stopped, and clients ask no more.
pub(super) fn audit(world: &mut World, ledger: &mut Ledger) -> Vec<Outcome> {
    wait_until_all_have_ended(world);
    if world.is_on_engine() {
        // A connection to an engine that was left half-open loses the first thing that is asked over it.
        world.restart_databases();
    }
    // It may have been, because of its disk.
    ledger.sessions.restarted(world.sim.now());
    expect_none_unfinished(world);
    if let Some(engine) = world.engine() {
        truth::check(engine);
    }
    check_books(world, ledger);
    let before = (check_carts(world, ledger), look_at_everything(world, ledger));
    world.restart_databases();
    let after = (check_carts(world, ledger), look_at_everything(world, ledger));
    linearity::check_carts(&world.journal.operations(), &ledger.intents);
    assert_eq!(after, before, "memory and disk tell the same");
    expect_none_unfinished(world);
    world.pass(FORGOTTEN_AFTER);
    check_decisions(world);
    after.1
}

/// Lets so much time pass as purchases have. A disk that was to fail may do so yet, and then it begins anew.
fn wait_until_all_have_ended(world: &mut World) {
    let mut failures = world.disk_failures;
    let mut end_at = world.sim.now() + ENDED_WITHIN;
    while world.sim.now() < end_at {
        world.pass(STEP);
        if world.disk_failures > failures {
            failures = world.disk_failures;
            end_at = world.sim.now() + ENDED_WITHIN;
        }
    }
}

/// How many purchases have not ended, if anybody can tell.
pub(super) fn unfinished(world: &World) -> u64 {
    match world.engine() {
        Some(engine) => truth::unfinished(engine),
        None => world.metric(Place::DbCustomer, UNFINISHED),
    }
}

fn expect_none_unfinished(world: &World) {
    let unfinished = unfinished(world);
    assert_eq!(unfinished, 0, "purchases end by themselves within {ENDED_WITHIN:?}");
}

/// What was given to the items is in stock or in a history, and sellers have sold what buyers have bought.
fn check_books(world: &mut World, ledger: &mut Ledger) {
    let mut sold = BTreeMap::<String, u64>::new();
    let mut sales = Vec::new();
    for buyer_id in ledger.accounts.ids("buyer") {
        let (span, history) = ask(world, Place::DbCustomer, history_of(buyer_id));
        ledger.intents.see_history(span, buyer_id, &history);
        for purchase in history["purchases"].as_array().expect("a history has purchases") {
            ledger.see_prices(purchase);
            let span = ledger.intents.span_of(buyer_id, purchase, span);
            sales.push(Sale { span, units: units_of(purchase) });
            for (id, units) in units_of(purchase) {
                *sold.entry(id).or_default() += units;
            }
        }
    }
    for (id, item) in &ledger.items {
        let (span, data) =
            ask(world, Place::DbProduct, Request { api: "GetItem", data: json!({"item_id": id}) });
        let units = data["item"]["quantity"].as_u64().expect("a quantity");
        ledger.see_units(span, id, units);
        let sold = sold.get(id).copied().unwrap_or(0);
        assert!(
            item.adds_up_to((units + sold) as i64),
            "{id} has {units} units in stock and {sold} sold, which is not what it was given: {item:#?}"
        );
    }
    for seller_id in ledger.accounts.ids("seller") {
        let is_theirs = |id: &String| ledger.items.get(id).is_some_and(|item| item.seller_id == seller_id);
        let units: u64 = sold.iter().filter(|(id, _)| is_theirs(id)).map(|(_, units)| units).sum();
        let (_, rating) = ask(world, Place::DbCustomer, rating_of(seller_id));
        assert_eq!(rating["items_sold"], units, "seller {seller_id} has sold what buyers have bought");
    }
    linearity::check_stocks(&world.journal.operations(), &sales);
}

/// Checks the carts in which buyers have finished; returns which of their sessions live.
fn check_carts(world: &mut World, ledger: &mut Ledger) -> Vec<bool> {
    let Ledger { carts, sessions, .. } = ledger;
    let check = |(session_id, cart): (&String, &Cart)| {
        let data = json!({"session_id": session_id});
        let answers = world.ask(Place::DbCustomer, vec![Request { api: "GetCart", data }]);
        let Answer { span, outcome } = &answers[0];
        let lives = sessions.answered(session_id, *span, outcome);
        if lives {
            let shown = outcome.data().map(|data| &data["cart"]);
            assert_eq!(shown, Some(&json!(cart)), "the cart of {session_id}");
        }
        lives
    };
    carts.iter().map(check).collect()
}

/// What was decided of purchases that have ended is forgotten after the next one.
fn check_decisions(world: &mut World) {
    // Each link of a frontend may have been left half-open, and loses one call until it notices.
    let attempts_max = if world.is_on_engine() { ATTEMPTS_ON_ENGINE_MAX } else { ATTEMPTS_MAX };
    let attempts = (0..attempts_max).find(|attempt| buy_something(world, *attempt).is_some());
    let attempts = attempts.expect("on a calm network, a purchase can be made");
    world.pass(FORGOTTEN_AFTER);
    if let Some(engine) = world.engine() {
        return truth::check(engine);
    }
    let remembered = world.metric(Place::DbProduct, "marketplace_decisions");
    let needed = 1..=1 + attempts as u64;
    assert!(
        needed.contains(&remembered),
        "{remembered} decisions are remembered, and {needed:?} may be needed"
    );
}

/// Makes a purchase, unless an answer is lost.
fn buy_something(world: &mut World, attempt: usize) -> Option<()> {
    let mut sessions = Vec::new();
    for places in [Place::FOR_SELLERS, Place::FOR_BUYERS] {
        let place = places.into_iter().find(|place| world.runs(*place)).expect("one was left alive");
        let account = json!({"name": format!("auditor {attempt}"), "password": "secret"});
        try_ask(world, place, "CreateAccount", account.clone())?;
        sessions.push((place, try_ask(world, place, "Login", account)?["session_id"].clone()));
    }
    let [(for_sellers, seller), (for_buyers, buyer)] = &sessions[..] else { unreachable!("there are two") };
    let item = json!({"session_id": seller, "name": "desk", "category": 2,
        "condition": "new", "price": 1, "quantity": 1});
    let id = try_ask(world, *for_sellers, "RegisterItemForSale", item)?["item_id"].clone();
    let unit = json!({"session_id": buyer, "item_id": id, "quantity": 1});
    try_ask(world, *for_buyers, "AddItemToCart", unit)?;
    try_ask(world, *for_buyers, "MakePurchase", json!({"session_id": buyer})).map(drop)
}

fn try_ask(world: &mut World, place: Place, api: &'static str, data: Value) -> Option<Value> {
    let answers = world.ask(place, vec![Request { api, data }]);
    match &answers[0].outcome {
        Outcome::Done(data) => Some(data.clone()),
        Outcome::NotDone | Outcome::Unknown => None,
        Outcome::Refused(code) => panic!("{api} is refused with {code}"),
    }
}

/// All that the databases tell of what they hold.
fn look_at_everything(world: &mut World, ledger: &Ledger) -> Vec<Outcome> {
    let sellers = ledger.accounts.ids("seller").into_iter().map(rating_of);
    let buyers = ledger.accounts.ids("buyer").into_iter().map(history_of);
    let mut answers = world.ask(Place::DbCustomer, sellers.chain(buyers).collect());
    let shelves = ledger.accounts.ids("seller").into_iter().map(|seller_id| {
        let data = json!({"seller_id": seller_id, "sold_out": true, "limit": 1000});
        Request { api: "DisplayItemsForSale", data }
    });
    answers.extend(world.ask(Place::DbProduct, shelves.collect()));
    answers.into_iter().map(|answer| answer.outcome).collect()
}

fn ask(world: &mut World, place: Place, request: Request) -> (Span, Value) {
    let start = world.sim.now();
    let data = world.get(place, request.api, request.data);
    (Span { start, end: world.sim.now() }, data)
}

fn history_of(buyer_id: u64) -> Request {
    Request { api: "GetBuyerPurchases", data: json!({"buyer_id": buyer_id, "limit": 1000}) }
}

fn rating_of(seller_id: u64) -> Request {
    Request { api: "GetSellerRating", data: json!({"seller_id": seller_id}) }
}
