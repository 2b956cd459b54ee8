//! Calls while a database is down, in virtual time.

use std::time::Duration;

use serde_json::json;

use crate::place::Place;
use crate::request::{Outcome, Request};
use crate::store::Keep;
use crate::story::Story;
use crate::world::{World, calm};

/// How long a frontend waits for a database.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// More than the network takes, and than a link waits before it connects again.
const SLACK: Duration = Duration::from_millis(400);

fn search() -> Vec<Request> {
    vec![Request { api: "SearchItemsForSale", data: json!({"category": 1}) }]
}

#[test]
fn a_call_waits_for_a_database_that_is_soon_back() {
    let mut world = World::new(Keep::Disks, 1, calm(), Story::silent());
    world.pass(SLACK);
    world.crash(Place::DbProduct);
    let asked = world.begin(Place::ServerBuyer(0), search());
    world.pass(CALL_TIMEOUT - SLACK);
    world.start(Place::DbProduct);
    let answers = world.finish(asked);
    let Outcome::Done(data) = &answers[0].outcome else { panic!("it is back in time: {answers:?}") };
    assert_eq!(data["total"], 0);
}

#[test]
fn a_call_is_given_up_when_its_time_is_over() {
    let mut world = World::new(Keep::Disks, 2, calm(), Story::silent());
    world.pass(SLACK);
    world.crash(Place::DbProduct);
    let answers = world.ask(Place::ServerBuyer(0), search());
    assert_eq!(answers[0].outcome, Outcome::NotDone, "UNAVAILABLE, and a read changes nothing");
    let waited = answers[0].span.end.since(answers[0].span.start);
    assert!((CALL_TIMEOUT..CALL_TIMEOUT + SLACK).contains(&waited), "{waited:?}");

    world.start(Place::DbProduct);
    assert!(world.ask(Place::ServerBuyer(0), search())[0].outcome.data().is_some(), "it is back");
}

#[test]
fn a_change_that_never_left_says_that_nothing_was_changed() {
    let mut world = World::new(Keep::Disks, 3, calm(), Story::silent());
    let account = json!({"name": "ann", "password": "secret"});
    world.get(Place::ServerSeller(0), "CreateAccount", account.clone());
    let login = world.get(Place::ServerSeller(0), "Login", account);
    world.crash(Place::DbProduct);
    world.pass(SLACK);
    let item = json!({"session_id": login["session_id"], "name": "desk", "category": 1,
        "condition": "used", "price": 1, "quantity": 1});
    let register = vec![Request { api: "RegisterItemForSale", data: item }];
    assert_eq!(world.ask(Place::ServerSeller(0), register.clone())[0].outcome, Outcome::NotDone);

    world.start(Place::DbProduct);
    let answers = world.ask(Place::ServerSeller(0), register.clone());
    assert_eq!(answers[0].outcome.data(), Some(&json!({"item_id": "1:1"})), "it is the first one");

    world.crash(Place::DbCustomer);
    world.pass(SLACK);
    let answers = world.ask(Place::ServerSeller(0), register);
    assert_eq!(answers[0].outcome, Outcome::NotDone, "a session that cannot be checked changes nothing");
}

#[test]
fn each_database_is_missed_only_by_those_who_need_it() {
    let mut world = World::new(Keep::Disks, 4, calm(), Story::silent());
    world.crash(Place::DbCustomer);
    assert!(world.ask(Place::ServerBuyer(0), search())[0].outcome.data().is_some());
    let ping = world.get(Place::ServerSeller(0), "Ping", json!({}));
    assert_eq!(ping["service"], "server_seller");
}
