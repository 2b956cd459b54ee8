//! The flows of both frontends, on a node whose databases are played by the tests: which calls are made, and
//! what becomes of their replies.

mod behind;
mod harness;
mod outages;
mod purchases;
mod recoveries;
mod renewals;
mod replicas;

use std::time::Duration;

use self::harness::{Harness, SESSION, buyer, seller};
use crate::engine::flow::Flow;
use crate::engine::lane::Deadlines;
use crate::engine::lane::Lane;
use crate::frontend::buyer::Buyer;

/// How long the frontend waits for a database.
fn patience() -> Duration {
    Deadlines::default().call
}

#[test]
fn a_read_is_one_call_and_its_reply_is_relayed_byte_by_byte_under_the_clients_id() {
    let mut buyer = buyer();
    buyer.ask(r#""a\u00e9""#, "GetItem", r#"{"item_id":"1:42"}"#);
    let call = r#"{"type":"Request","request_id":#,"api":"GetItem","data":{"item_id":"1:42"}}"#;
    assert_eq!(buyer.calls(), [(Lane::Product, call.to_owned())]);
    let reply = |id| {
        format!(
            r#"{{"type":"Response","request_id":{id},"ok":true,"error":null,"data":{{ "odd" : [1.50e1] }}}}"#
        )
    };
    buyer.reply(Lane::Product, &reply("1"));
    assert_eq!(buyer.replies(), [reply(r#""a\u00e9""#)]);
}

#[test]
fn a_refusal_by_a_database_is_relayed_too() {
    let mut buyer = buyer();
    buyer.ask("-7", "ClearCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    let call = format!(
        r#"{{"type":"Request","request_id":#,"api":"ClearCart","data":{{"session_id":"{SESSION}","role":"buyer"}}}}"#
    );
    assert_eq!(buyer.calls(), [(Lane::CustomerWrites, call)]);
    let reply = |id| {
        format!(
            r#"{{"type":"Response","request_id":{id},"ok":false,"error":{{"code":"SESSION_TIMEOUT","message":"x"}},"data":null}}"#
        )
    };
    buyer.reply(Lane::CustomerWrites, &reply(1));
    assert_eq!(buyer.replies(), [reply(-7)]);
}

/// Checks that a request makes exactly one call, without answering it.
fn expect_call(harness: &mut Harness<impl Flow>, api: &str, data: &str, lane: Lane, call: &str) {
    harness.ask("1", api, data);
    let calls = harness.calls();
    let expected = format!(r#"{{"type":"Request","request_id":#,{call}}}"#);
    assert_eq!(calls, [(lane, expected)], "{api}");
    harness.reply(lane, r#"{"type":"Response","request_id":1,"ok":true,"error":null,"data":{}}"#);
    assert_eq!(harness.replies().len(), 1, "{api}");
}

#[test]
fn each_kind_of_call_has_its_lane() {
    let session = format!(r#"{{"session_id":"{SESSION}"}}"#);
    let as_buyer = format!(r#"{{"session_id":"{SESSION}","role":"buyer"}}"#);
    let own = |api: &str| format!(r#""api":"{api}","data":{as_buyer}"#);
    let buyer = &mut buyer();
    expect_call(buyer, "Logout", &session, Lane::CustomerWrites, &own("Logout"));
    expect_call(buyer, "SaveCart", &session, Lane::CustomerWrites, &own("SaveCart"));
    expect_call(buyer, "DisplayCart", &session, Lane::Customer, &own("GetCart"));
    let search = r#"{"keywords":["oak"],"limit":5,"cursor":"1:1:1"}"#;
    let call = format!(r#""api":"SearchItems","data":{search}"#);
    expect_call(buyer, "SearchItemsForSale", search, Lane::Product, &call);
    let page = r#"{"limit":5,"cursor":"1"}"#;
    let call = format!(r#""api":"ListCategories","data":{page}"#);
    expect_call(buyer, "ListCategories", page, Lane::Product, &call);
    let account = r#"{"name":"ann","password":"secret"}"#;
    let call = r#""api":"CreateBuyer","deadline_ms":10000,"client_address":"127.0.0.1","data":{"name":"ann","username":"ann","password":"secret"}"#;
    expect_call(buyer, "CreateAccount", account, Lane::CustomerPasswords, call);
    let call = r#""api":"Login","deadline_ms":10000,"client_address":"127.0.0.1","data":{"username":"ann","password":"secret","role":"buyer"}"#;
    expect_call(buyer, "Login", account, Lane::CustomerPasswords, call);

    let passwords = r#""password":"old","new_password":"new""#;
    let change = format!(r#"{{"session_id":"{SESSION}",{passwords}}}"#);
    let call = |role: &str| {
        let data = format!(r#"{{"session_id":"{SESSION}","role":"{role}",{passwords}}}"#);
        format!(r#""api":"ChangePassword","deadline_ms":10000,"client_address":"127.0.0.1","data":{data}"#)
    };
    expect_call(buyer, "ChangePassword", &change, Lane::CustomerPasswords, &call("buyer"));

    let seller = &mut seller();
    expect_call(seller, "ChangePassword", &change, Lane::CustomerPasswords, &call("seller"));
    let call = r#""api":"CreateSeller","deadline_ms":10000,"client_address":"127.0.0.1","data":{"name":"ann","username":"ann","password":"secret"}"#;
    expect_call(seller, "CreateAccount", account, Lane::CustomerPasswords, call);
    let call = format!(r#""api":"GetSellerRating","data":{{"session_id":"{SESSION}","role":"seller"}}"#);
    expect_call(seller, "GetSellerRating", &session, Lane::Customer, &call);
}

#[test]
fn a_bad_request_reaches_no_database() {
    let mut buyer = buyer();
    for (api, data, code) in [
        ("Nonsense", "{}", "UNIMPLEMENTED"),
        ("GetItem", "{}", "INVALID_ARGUMENT"),
        ("GetItem", r#"{"item_id":"1:1","x":1}"#, "INVALID_ARGUMENT"),
        ("DisplayCart", "{}", "NOT_LOGGED_IN"),
        ("SearchItemsForSale", "{}", "INVALID_ARGUMENT"),
    ] {
        buyer.ask("1", api, data);
        assert_eq!(buyer.calls(), [], "{api}");
        assert_eq!(buyer.refusal().0, code, "{api}");
    }
    buyer.ask("1", "Ping", "{}");
    assert!(buyer.replies()[0].contains(r#""ok":true"#));
}

#[test]
fn a_price_is_changed_once_it_is_known_who_asks() {
    let mut seller = seller();
    seller.ask("1", "ChangeItemPrice", &price_change());
    let call = format!(
        r#"{{"type":"Request","request_id":#,"api":"ValidateSession","data":{{"session_id":"{SESSION}","role":"seller"}}}}"#
    );
    assert_eq!(seller.calls(), [(Lane::Customer, call)]);
    seller.reply(Lane::Customer, &validated());
    let call = r#"{"type":"Request","request_id":#,"api":"ChangeItemPrice","data":{"item_id":"1:42","price":0.5,"seller_id":7}}"#;
    assert_eq!(seller.calls(), [(Lane::ProductWrites, call.to_owned())]);
    assert_eq!(seller.replies(), [""; 0]);
    seller.reply(Lane::ProductWrites, &ok("{}"));
    assert_eq!(seller.replies(), [ok("{}")]);
}

#[test]
fn a_session_that_is_refused_ends_a_request() {
    let mut seller = seller();
    seller.ask("1", "ChangeItemPrice", &price_change());
    seller.calls();
    seller.reply(Lane::Customer, &refused("NOT_LOGGED_IN"));
    assert_eq!(seller.calls(), []);
    assert_eq!(seller.refusal().0, "NOT_LOGGED_IN");
}

#[test]
fn a_vote_counts_for_the_item_and_then_for_its_seller() {
    let mut buyer = buyer();
    let voted = vote_for_item(&mut buyer);
    let call = r#"{"type":"Request","request_id":#,"api":"RateSeller","data":{"buyer_id":7,"item_id":"1:42","seller_id":3,"vote":"up","revision":2}}"#;
    assert_eq!(buyer.calls(), [(Lane::CustomerWrites, call.to_owned())]);
    assert_eq!(buyer.replies(), [""; 0]);
    buyer.reply(Lane::CustomerWrites, &ok(r#"{"rated":true}"#));
    assert_eq!(buyer.replies(), [voted]);
}

#[test]
fn a_vote_whose_second_half_is_lost_says_so_and_is_completed_when_repeated() {
    let mut buyer = buyer();
    vote_for_item(&mut buyer);
    buyer.calls();
    buyer.pass(patience());
    let (code, message) = buyer.refusal();
    assert_eq!(code, "UNAVAILABLE");
    assert!(message.contains("may not count for its seller yet: vote again to complete it"), "{message}");

    buyer.reply(Lane::CustomerWrites, &ok(r#"{"rated":true}"#));
    assert_eq!(buyer.replies(), [""; 0], "too late");
    let voted = vote_for_item(&mut buyer);
    buyer.calls();
    buyer.reply(Lane::CustomerWrites, &ok(r#"{"rated":true}"#));
    assert_eq!(buyer.replies(), [voted]);
}

#[test]
fn a_vote_whose_second_half_is_refused_for_now_does_not_say_that_nothing_was_changed() {
    let mut buyer = buyer();
    vote_for_item(&mut buyer);
    buyer.reply(Lane::CustomerWrites, &refused("RESOURCE_EXHAUSTED"));
    let (code, message) = buyer.refusal();
    assert_eq!(code, "RESOURCE_EXHAUSTED");
    assert!(message.starts_with("the vote counts for the item, and may not count"), "{message}");
}

#[test]
fn a_vote_for_the_item_of_an_unknown_seller_counts() {
    let mut buyer = buyer();
    let voted = vote_for_item(&mut buyer);
    buyer.reply(Lane::CustomerWrites, &refused("NOT_FOUND"));
    assert_eq!(buyer.replies(), [voted]);
}

#[test]
fn a_vote_is_completed_though_its_voter_has_left() {
    let mut buyer = buyer();
    buyer.ask("1", "ProvideFeedback", &vote());
    buyer.disconnect();
    assert!(!buyer.is_idle());
    buyer.reply(Lane::Customer, &validated());
    buyer.reply(Lane::ProductWrites, &item_voted());
    buyer.reply(Lane::CustomerWrites, &ok(r#"{"rated":true}"#));
    assert_eq!(buyer.calls().len(), 3);
    assert!(buyer.is_idle());
}

#[test]
fn an_item_goes_into_the_cart_if_there_is_enough_of_it() {
    let mut buyer = buyer();
    buyer.ask("1", "AddItemToCart", &two_units());
    let call = r#"{"type":"Request","request_id":#,"api":"CheckAvailability","data":{"item_id":"1:42","quantity":2}}"#;
    assert_eq!(buyer.calls(), [(Lane::Product, call.to_owned())]);
    buyer.reply(Lane::Product, &ok(r#"{"available":5,"ok":true}"#));
    let call = format!(
        r#"{{"type":"Request","request_id":#,"api":"UpdateCart","data":{{"session_id":"{SESSION}","role":"buyer","item_id":"1:42","quantity_delta":2,"quantity_max":5}}}}"#
    );
    assert_eq!(buyer.calls(), [(Lane::CustomerWrites, call)]);
    let reply = ok(r#"{"item_id":"1:42","quantity":2}"#);
    buyer.reply(Lane::CustomerWrites, &reply);
    assert_eq!(buyer.replies(), [reply]);
}

#[test]
fn who_is_not_logged_in_is_told_that_first() {
    for (answer, code) in [(validated(), "OUT_OF_STOCK"), (refused("NOT_LOGGED_IN"), "NOT_LOGGED_IN")] {
        let mut buyer = buyer();
        buyer.ask("1", "AddItemToCart", &two_units());
        buyer.reply(Lane::Product, &ok(r#"{"available":1,"ok":false}"#));
        buyer.reply(Lane::Customer, &answer);
        assert_eq!(buyer.refusal().0, code);
    }
}

#[test]
fn a_reply_of_another_form_is_our_defect() {
    let mut seller = seller();
    seller.ask("1", "ChangeItemPrice", &price_change());
    seller.reply(Lane::Customer, &ok(r#"{"user_id":"seven"}"#));
    assert_eq!(seller.refusal().0, "INTERNAL");
}

/// How many calls with passwords are under way while nothing is known of how long they take.
const UNDER_WAY: usize = 6;

const LOGIN: &str = r#"{"name":"ann","password":"secret"}"#;

/// A buyer's frontend with so many clients from 127.0.0.1, each of which logs in.
fn flooded(count: usize) -> Harness<Buyer> {
    let mut buyer = buyer();
    for _ in 0..count {
        buyer.connect();
        buyer.ask("1", "Login", LOGIN);
    }
    buyer
}

#[test]
fn a_flood_of_passwords_waits_at_the_frontend_and_others_pass_it() {
    let mut buyer = flooded(UNDER_WAY + 100);
    assert_eq!(buyer.calls().len(), UNDER_WAY);
    assert_eq!(buyer.metrics("marketplace_passwords_waiting"), ["marketplace_passwords_waiting 100"]);
    let other = buyer.connect_from([127, 0, 0, 2].into());
    buyer.ask("1", "Login", r#"{"name":"ben","password":"secret"}"#);
    assert_eq!(buyer.calls(), []);

    let mut calls = Vec::new();
    while calls.len() < 2 {
        buyer.pass(Duration::from_millis(15));
        buyer.reply(Lane::CustomerPasswords, &refused("AUTH_FAILED"));
        calls.extend(buyer.calls());
    }
    assert!(calls[1].1.contains(r#""client_address":"127.0.0.2""#), "it is second: {calls:?}");
    (0..UNDER_WAY).for_each(|_| buyer.reply(Lane::CustomerPasswords, &refused("AUTH_FAILED")));
    assert_eq!(buyer.replies_to(other).len(), 1);
}

/// Whether somebody who has asked for this and been answered so comes before others from elsewhere who ask later.
fn keeps_its_place(api: &str, data: &str, answer: &str) -> bool {
    let mut buyer = flooded(0);
    // From somebody else it is known how long a password takes.
    buyer.connect_from([127, 0, 0, 9].into());
    for _ in 0..2 {
        buyer.ask("1", "Login", LOGIN);
        buyer.pass(Duration::from_millis(90));
        buyer.reply(Lane::CustomerPasswords, &ok("{}"));
    }
    let guesser = [127, 0, 0, 3].into();
    buyer.connect_from(guesser);
    // The second time it has the turn that its kind has all the same.
    for _ in 0..2 {
        buyer.ask("1", api, data);
        buyer.pass(Duration::from_millis(90));
        buyer.reply(Lane::CustomerPasswords, answer);
    }
    buyer.calls();
    let ask = |buyer: &mut Harness<Buyer>, host, api, data| {
        buyer.connect_from([127, 0, 0, host].into());
        buyer.ask("1", api, data);
    };
    (10..12).for_each(|host| ask(&mut buyer, host, "Login", LOGIN));
    ask(&mut buyer, 3, api, data);
    ask(&mut buyer, 2, "Login", LOGIN);
    assert_eq!(buyer.calls().len(), 2, "two are under way");
    buyer.pass(Duration::from_millis(90));
    buyer.reply(Lane::CustomerPasswords, &ok("{}"));
    buyer.calls()[0].1.contains("127.0.0.3")
}

#[test]
fn whoever_guesses_by_changing_a_password_comes_last_as_by_logging_in() {
    let change = format!(r#"{{"session_id":"{SESSION}","password":"guess","new_password":"x"}}"#);
    for (api, data) in [("Login", LOGIN), ("ChangePassword", &change)] {
        assert!(!keeps_its_place(api, data, &refused("AUTH_FAILED")), "{api}");
        assert!(keeps_its_place(api, data, &refused("UNAVAILABLE")), "{api}: nothing was compared");
        assert!(keeps_its_place(api, data, &ok("{}")), "{api}");
    }
}

#[test]
fn logins_that_have_waited_for_a_store_in_vain_say_nothing_of_how_long_a_password_takes() {
    let mut buyer = flooded(UNDER_WAY);
    for _ in 0..UNDER_WAY {
        buyer.pass(Duration::from_secs(1));
        buyer.reply(Lane::CustomerPasswords, &refused("UNAVAILABLE"));
    }
    // It is back.
    buyer.calls();
    for _ in 0..50 {
        buyer.connect();
        buyer.ask("1", "Login", LOGIN);
        assert_eq!(buyer.replies(), [""; 0], "it is not refused");
    }
    assert_eq!(buyer.calls().len(), UNDER_WAY);
}

#[test]
fn what_waits_for_a_password_until_its_deadline_is_told_so_and_never_called() {
    let mut buyer = flooded(UNDER_WAY + 1);
    buyer.calls();
    buyer.pass(Duration::from_secs(10));
    let (code, message) = buyer.refusal();
    assert_eq!(code, "UNAVAILABLE");
    assert!(message.contains("try again in"), "{message}");
    assert_eq!(buyer.calls(), []);
    assert_eq!(buyer.metrics("marketplace_passwords_waiting"), [""; 0]);
}

#[test]
fn a_client_that_is_gone_needs_no_turn() {
    let mut buyer = flooded(UNDER_WAY + 1);
    buyer.calls();
    buyer.disconnect();
    (0..UNDER_WAY).for_each(|_| buyer.reply(Lane::CustomerPasswords, &refused("AUTH_FAILED")));
    assert_eq!(buyer.calls(), []);
    assert_eq!(buyer.metrics("marketplace_passwords_waiting"), [""; 0]);
}

#[test]
fn requests_of_several_clients_are_kept_apart() {
    let mut buyer = buyer();
    let first = buyer.client();
    buyer.ask("1", "GetItem", r#"{"item_id":"1:1"}"#);
    let second = buyer.connect();
    buyer.ask("1", "GetItem", r#"{"item_id":"1:2"}"#);
    assert_eq!(buyer.calls().len(), 2);
    buyer.reply(Lane::Product, &ok("1"));
    buyer.reply(Lane::Product, &ok("2"));
    assert_eq!(buyer.replies_to(first), [ok("1")]);
    assert_eq!(buyer.replies_to(second), [ok("2")]);
}

fn price_change() -> String {
    format!(r#"{{"session_id":"{SESSION}","item_id":"1:42","price":0.5}}"#)
}

fn two_units() -> String {
    format!(r#"{{"session_id":"{SESSION}","item_id":"1:42","quantity":2}}"#)
}

fn vote() -> String {
    format!(r#"{{"session_id":"{SESSION}","item_id":"1:42","vote":"up"}}"#)
}

fn item_voted() -> String {
    ok(r#"{"item_id":"1:42","feedback":{"up":2,"down":1},"seller_id":3,"revision":2}"#)
}

/// Votes, and answers the calls up to the one for the seller; returns what the buyer is to be told.
fn vote_for_item(buyer: &mut Harness<Buyer>) -> String {
    buyer.ask("1", "ProvideFeedback", &vote());
    assert_eq!(buyer.calls().len(), 1);
    buyer.reply(Lane::Customer, &validated());
    let call = r#"{"type":"Request","request_id":#,"api":"ProvideFeedback","data":{"item_id":"1:42","vote":"up","buyer_id":7}}"#;
    assert_eq!(buyer.calls(), [(Lane::ProductWrites, call.to_owned())]);
    buyer.reply(Lane::ProductWrites, &item_voted());
    ok(r#"{"item_id":"1:42","feedback":{"up":2,"down":1}}"#)
}

/// The line of a reply to request 1.
fn ok(data: &str) -> String {
    format!(r#"{{"type":"Response","request_id":1,"ok":true,"error":null,"data":{data}}}"#)
}

fn refused(code: &str) -> String {
    format!(
        r#"{{"type":"Response","request_id":1,"ok":false,"error":{{"code":"{code}","message":"no"}},"data":null}}"#
    )
}

fn validated() -> String {
    ok(r#"{"role":"seller","user_id":7}"#)
}

#[test]
fn a_request_is_counted_with_the_outcome_that_is_relayed() {
    let mut buyer = buyer();
    let outcomes = [
        (r#""ok":true,"error":null,"data":{}"#, "ok"),
        (r#""ok":false,"error":{"code":"NOT_FOUND","message":"x"},"data":null"#, "not_found"),
    ];
    for (reply, outcome) in outcomes {
        buyer.ask("1", "GetItem", r#"{"item_id":"1:42"}"#);
        let in_flight = r#"marketplace_calls_in_flight{backend="product"} 1"#;
        assert_eq!(buyer.metrics("marketplace_calls_in_flight"), [in_flight]);
        buyer.reply(Lane::Product, &format!(r#"{{"type":"Response","request_id":1,{reply}}}"#));
        assert_eq!(buyer.replies().len(), 1);
        assert_eq!(buyer.metrics("marketplace_calls_in_flight"), [""; 0]);
        let expected = format!(r#"marketplace_requests_total{{api="GetItem",outcome="{outcome}"}} 1"#);
        assert!(buyer.metrics("marketplace_requests_total").contains(&expected), "no {expected}");
    }
}

#[test]
fn a_request_that_no_database_sees_is_counted_too() {
    let mut buyer = buyer();
    buyer.ask("1", "Ping", "{}");
    buyer.ask("1", "GetItem", "{}");
    buyer.ask("1", "Get\u{e9}\\\"{}", "{}");
    buyer.ask("1", "Login", r#"{"username":"ann","password":"secret"}"#);
    buyer.pass(Deadlines::default().password);
    assert_eq!(buyer.replies().len(), 4);
    let counted = [
        r#"marketplace_requests_total{api="GetItem",outcome="invalid_argument"} 1"#,
        r#"marketplace_requests_total{api="Login",outcome="unavailable"} 1"#,
        r#"marketplace_requests_total{api="Ping",outcome="ok"} 1"#,
        r#"marketplace_requests_total{api="unknown",outcome="unimplemented"} 1"#,
    ];
    assert_eq!(buyer.metrics("marketplace_requests_total"), counted);
}
