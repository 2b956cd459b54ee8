//! Sessions in virtual time: when they time out, and what a crash of `db_customer` means to them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::place::Place;
use crate::request::{Outcome, Request};
use crate::store::Keep;
use crate::story::Story;
use crate::world::{World, calm};

const TIMEOUT: Duration = Duration::from_secs(300);
/// More than a request takes.
const SLACK: Duration = Duration::from_secs(1);
/// How far the activity in the file may lag behind, which is what a crash may add to a session's time.
const DOUBT: Duration = Duration::from_secs(60);

/// A world with a buyer who has just logged in.
fn logged_in(seed: u64) -> (World, Value) {
    let mut world = World::new(Keep::Disks, seed, calm(), Story::silent());
    let account = json!({"name": "ann", "password": "secret"});
    world.get(Place::ServerBuyer(0), "CreateAccount", account.clone());
    let session_id = world.get(Place::ServerBuyer(0), "Login", account)["session_id"].clone();
    (world, session_id)
}

fn show(world: &mut World, session_id: &Value) -> Outcome {
    let data = json!({"session_id": session_id});
    world.ask(Place::ServerBuyer(0), vec![Request { api: "DisplayCart", data }]).remove(0).outcome
}

fn is_live(world: &mut World, session_id: &Value) -> bool {
    match show(world, session_id) {
        Outcome::Done(_) => true,
        outcome => {
            assert_eq!(outcome, timed_out());
            false
        }
    }
}

fn timed_out() -> Outcome {
    Outcome::Refused("SESSION_TIMEOUT".to_owned())
}

fn restart(world: &mut World, place: Place) {
    world.crash(place);
    world.start(place);
}

#[test]
fn a_session_may_be_idle_for_almost_five_minutes() {
    let (mut world, session_id) = logged_in(1);
    for _ in 0..3 {
        world.pass(TIMEOUT - SLACK);
        assert!(is_live(&mut world, &session_id), "any request counts as activity");
    }
    world.pass(TIMEOUT);
    assert!(!is_live(&mut world, &session_id));
    assert!(!is_live(&mut world, &session_id), "a refused request is no activity");
}

#[test]
fn a_session_that_timed_out_is_remembered_for_a_while() {
    let (mut world, session_id) = logged_in(2);
    world.pass(TIMEOUT * 10);
    assert_eq!(show(&mut world, &session_id), timed_out());
    world.pass(Duration::from_secs(1000));
    assert_eq!(show(&mut world, &session_id), Outcome::Refused("NOT_LOGGED_IN".to_owned()));
}

#[test]
fn browsing_with_a_session_is_activity_and_without_one_needs_none() {
    let (mut world, session_id) = logged_in(3);
    let search = |session_id: &Value| Request {
        api: "SearchItemsForSale",
        data: json!({"session_id": session_id, "category": 1}),
    };
    world.pass(TIMEOUT - SLACK);
    assert!(world.ask(Place::ServerBuyer(0), vec![search(&session_id)])[0].outcome.data().is_some());
    world.pass(TIMEOUT - SLACK);
    assert!(is_live(&mut world, &session_id));
    world.pass(TIMEOUT);
    let answers = world.ask(Place::ServerBuyer(0), vec![search(&session_id), search(&Value::Null)]);
    assert_eq!(answers[0].outcome, timed_out());
    assert!(answers[1].outcome.data().is_some());
}

#[test]
fn a_session_outlives_crashes_of_any_service() {
    let (mut world, session_id) = logged_in(4);
    for place in world.places() {
        world.pass(TIMEOUT - SLACK);
        restart(&mut world, *place);
        assert!(is_live(&mut world, &session_id), "{place:?}");
    }
    // Activity is stored now and then, and a crash forgets none that keeps a session alive.
    for _ in 0..10 {
        world.pass(TIMEOUT / 6);
        assert!(is_live(&mut world, &session_id));
        // Nobody waits until it is stored.
        world.pass(SLACK);
        restart(&mut world, Place::DbCustomer);
    }
    world.pass(TIMEOUT - SLACK);
    assert!(is_live(&mut world, &session_id));
}

#[test]
fn a_crash_gives_a_session_the_benefit_of_the_doubt_and_no_more() {
    let (mut world, session_id) = logged_in(5);
    restart(&mut world, Place::DbCustomer);
    world.pass(TIMEOUT + DOUBT);
    assert!(!is_live(&mut world, &session_id));
    restart(&mut world, Place::DbCustomer);
    assert!(!is_live(&mut world, &session_id), "it is remembered across a crash that it timed out");
}

#[test]
fn many_crashes_do_not_keep_an_idle_session_alive() {
    let (mut world, session_id) = logged_in(6);
    for _ in 0..4 {
        world.pass((TIMEOUT + DOUBT) / 4);
        restart(&mut world, Place::DbCustomer);
    }
    assert!(!is_live(&mut world, &session_id));
}

#[test]
fn what_timed_out_stays_so_when_the_clock_is_set_back() {
    for (seed, back) in [(7, 60), (8, 3600), (9, 2 * 24 * 3600)] {
        let (mut world, session_id) = logged_in(seed);
        // Nobody asks for anything meanwhile.
        world.pass(TIMEOUT * 2);
        let mut world = world.set_back(Duration::from_secs(back));
        assert!(!is_live(&mut world, &session_id));
    }
}

#[test]
fn a_session_has_only_what_it_had_left_when_the_clock_is_set_back() {
    let (mut world, session_id) = logged_in(10);
    world.pass(TIMEOUT - SLACK);
    let mut world = world.set_back(Duration::from_secs(2 * 24 * 3600));
    assert!(is_live(&mut world, &session_id), "it was alive");
    world.pass(TIMEOUT - SLACK);
    let mut world = world.set_back(Duration::from_secs(2 * 24 * 3600));
    world.pass(DOUBT * 2 + SLACK);
    assert!(!is_live(&mut world, &session_id));
    let account = json!({"name": "ann", "password": "secret"});
    let session_id = world.get(Place::ServerBuyer(0), "Login", account)["session_id"].clone();
    assert!(is_live(&mut world, &session_id), "one can log in again");
}
