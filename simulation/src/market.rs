//! The market: users search, register, save and vote while connections break and services crash; then a look at
//! everything.

mod buyer;
mod model;
mod seller;

use std::rc::Rc;

use serde_json::{Value, json};

use self::buyer::Buyer;
use self::model::{CATEGORIES, Cart, Model, Shared, Vote, votes};
use self::seller::Seller;
use crate::engine::truth;
use crate::history::AFTERLIFE;
use crate::place::Place;
use crate::record::Record;
use crate::request::{Outcome, Request, Span};
use crate::store::Keep;
use crate::story::Story;
use crate::weather::{Crashes, rough_disk, rough_network};
use crate::world::World;

const SELLERS: usize = 3;
const BUYERS: usize = 4;
/// Requests of each user.
const REQUESTS: usize = 50;

/// Runs everything once, in a world that is made for it.
pub(crate) fn run(keep: Keep, seed: u64, story: &Story) -> Record {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World::new(keep, seed, rough_network(&mut rng), story.clone());
    world.begin_storm(&rough_disk(&mut rng));
    let model = Shared::default();
    let mut users = Vec::new();
    for number in 0..SELLERS {
        let name = format!("seller {number}");
        let seller = Seller::new(name.clone(), rng.u64(..), Rc::clone(&model), REQUESTS);
        users.push(world.add_client(name, &Place::FOR_SELLERS, seller).1);
    }
    for number in 0..BUYERS {
        let name = format!("buyer {number}");
        let buyer = Buyer::new(name.clone(), rng.u64(..), Rc::clone(&model), REQUESTS);
        users.push(world.add_client(name, &Place::FOR_BUYERS, buyer).1);
    }
    let mut crashes = Crashes::new(rng, &world);
    world.run_while(|world| {
        crashes.go_on(world);
        users.iter().any(|done| !done.get())
    });

    crashes.end(&mut world);
    world.end_storm();
    world.pass(AFTERLIFE);
    let answers = check_end(&mut world, &mut model.borrow_mut());
    Record { trace: world.sim.trace(), counters: world.counters(), answers }
}

/// Checks what is left when all users have finished, and that a restart changes nothing.
fn check_end(world: &mut World, model: &mut Model) -> Vec<Outcome> {
    if let Some(engine) = world.engine() {
        truth::check(engine);
    }
    check_catalogue(world, model);
    check_sessions(world, model);
    complete_votes(world, model);
    overtake_votes(world, model);
    check_votes(world, model);
    let before = look_at_everything(world, model);
    world.restart_databases();
    let after = look_at_everything(world, model);
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "memory and file tell the same");
    }
    check_accounts(world, model);
    after
}

/// Every item that was acknowledged or seen is there, once, as its history allows, and IDs have no gaps.
fn check_catalogue(world: &mut World, model: &mut Model) {
    let pages = (0..CATEGORIES).map(search_request).collect();
    for (category, answer) in (0..).zip(world.ask(Place::ServerBuyer(0), pages)) {
        model.see_category(answer.span, category, answer.outcome.data().expect("a page"));
    }
    for seller_id in model.accounts.ids("seller") {
        let answers = world.ask(Place::DbProduct, vec![shelf_request(seller_id)]);
        model.see_shelf(answers[0].span, seller_id, answers[0].outcome.data().expect("a page"));
    }
    for category in 0..CATEGORIES {
        let count =
            model.items.values().filter(|item| item.id.is_some() && item.category == category).count();
        for n in 1..=count {
            assert!(model.names.contains_key(&format!("{category}:{n}")), "{category} has a gap at {n}");
        }
    }
}

/// Sessions that were not ended go on with their carts, saved carts are what was saved, and sessions that
/// were ended stay so.
fn check_sessions(world: &mut World, model: &mut Model) {
    for (session_id, cart) in &model.sessions {
        let shown = world.get(Place::ServerBuyer(0), "DisplayCart", json!({"session_id": session_id}));
        assert_eq!(to_cart(&shown), *cart);
    }
    for (username, saved) in &mut model.saved {
        let credentials = json!({"name": username, "password": username});
        let start = world.sim.now();
        let login = world.get(Place::ServerBuyer(0), "Login", credentials);
        let span = Span { start, end: world.sim.now() };
        let session = json!({"session_id": login["session_id"]});
        saved.read(span, &to_cart(&world.get(Place::ServerBuyer(0), "DisplayCart", session)));
    }
    let ended = model.ended.iter().map(|session_id| cart_request(session_id)).collect();
    for answer in world.ask(Place::ServerBuyer(0), ended) {
        assert_eq!(answer.outcome, Outcome::Refused("NOT_LOGGED_IN".to_owned()));
    }
}

/// Sends the last vote of each buyer for each item once more: now all of them are counted everywhere, and none
/// that was lost can still come.
fn complete_votes(world: &mut World, model: &mut Model) {
    let last = model.votes.clone();
    for buyer_id in model.accounts.ids("buyer") {
        let username = model.accounts.0[&("buyer", buyer_id)].clone();
        let login =
            world.get(Place::ServerBuyer(0), "Login", json!({"name": username, "password": username}));
        for ((_, id), vote) in last.iter().filter(|((voter, _), _)| *voter == buyer_id) {
            let vote = json!({"session_id": login["session_id"], "item_id": id, "vote": vote.name()});
            // Once more than that, to see that a repeated vote is not counted twice.
            let first = world.get(Place::ServerBuyer(0), "ProvideFeedback", vote.clone());
            let second = world.get(Place::ServerBuyer(0), "ProvideFeedback", vote);
            assert_eq!(first, second);
        }
    }
}

/// Lets a vote that was overtaken on its way come at last, when a newer one was counted for the seller.
fn overtake_votes(world: &mut World, model: &Model) {
    for ((buyer_id, id), cast) in &model.votes {
        let older = if *cast == Vote::Up { Vote::Down } else { Vote::Up };
        let seller_id = model.items[&model.names[id]].seller_id;
        let data = json!({"buyer_id": buyer_id, "item_id": id, "seller_id": seller_id,
            "vote": older.name(), "revision": 1});
        world.get(Place::DbCustomer, "RateSeller", data);
    }
}

/// Each vote counts once for its item and once for its seller.
fn check_votes(world: &mut World, model: &mut Model) {
    for id in model.names.keys() {
        let shown = world.get(Place::ServerBuyer(0), "GetItem", json!({"item_id": id}));
        assert_eq!(shown["item"]["feedback"], feedback(model, &|other| other == id), "{id}");
    }
    for seller_id in model.accounts.ids("seller") {
        let rating = world.get(Place::DbCustomer, "GetSellerRating", json!({"seller_id": seller_id}));
        let is_theirs = |id: &str| model.items[&model.names[id]].seller_id == seller_id;
        assert_eq!(rating["feedback"], feedback(model, &is_theirs), "seller {seller_id}");
        assert!(votes(&rating["feedback"]) <= model.votes.len() as u64);
    }
}

/// What the last votes for some items come to.
fn feedback(model: &Model, of: &dyn Fn(&str) -> bool) -> Value {
    let count = |vote| model.votes.iter().filter(|((_, id), cast)| of(id) && **cast == vote).count();
    json!({"up": count(Vote::Up), "down": count(Vote::Down)})
}

/// All that the databases tell of what they hold.
fn look_at_everything(world: &mut World, model: &Model) -> Vec<Outcome> {
    let mut customer = Vec::new();
    let mut product = Vec::new();
    for category in 0..CATEGORIES {
        for keywords in [json!([]), json!(["any"]), json!(["item", "1"])] {
            let data = json!({"category": category, "keywords": keywords, "limit": 5});
            product.push(Request { api: "SearchItems", data });
        }
    }
    product.push(Request { api: "SearchItems", data: json!({"keywords": ["2", "seller", "any"]}) });
    for id in model.names.keys() {
        product.push(Request { api: "GetItem", data: json!({"item_id": id}) });
    }
    for seller_id in model.accounts.ids("seller") {
        product.push(shelf_request(seller_id));
        customer.push(Request { api: "GetSellerRating", data: json!({"seller_id": seller_id}) });
    }
    for buyer_id in model.accounts.ids("buyer") {
        customer.push(Request { api: "GetCart", data: json!({"buyer_id": buyer_id}) });
        customer.push(Request { api: "GetBuyerPurchases", data: json!({"buyer_id": buyer_id}) });
    }
    for session_id in model.sessions.keys().chain(&model.ended) {
        let data = json!({"session_id": session_id});
        customer.push(Request { api: "ValidateSession", data: data.clone() });
        customer.push(Request { api: "GetCart", data });
    }
    let mut answers = world.ask(Place::DbProduct, product);
    answers.extend(world.ask(Place::DbCustomer, customer));
    let outcomes: Vec<_> = answers.into_iter().map(|answer| answer.outcome).collect();
    assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::NotDone | Outcome::Unknown)));
    outcomes
}

/// Whoever had an account has it still, with its password.
fn check_accounts(world: &mut World, model: &Model) {
    for ((role, id), username) in &model.accounts.0 {
        let login = json!({"username": username, "password": username, "role": role});
        assert_eq!(world.get(Place::DbCustomer, "Login", login)["user_id"], *id, "{username}");
    }
}

fn to_cart(shown: &Value) -> Cart {
    serde_json::from_value(shown["cart"].clone()).expect("a cart")
}

fn search_request(category: u64) -> Request {
    Request { api: "SearchItemsForSale", data: json!({"category": category, "limit": 1000}) }
}

fn cart_request(session_id: &str) -> Request {
    Request { api: "DisplayCart", data: json!({"session_id": session_id}) }
}

fn shelf_request(seller_id: u64) -> Request {
    let data = json!({"seller_id": seller_id, "sold_out": true, "limit": 1000});
    Request { api: "DisplayItemsForSale", data }
}
