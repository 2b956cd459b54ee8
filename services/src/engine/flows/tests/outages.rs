//! Databases that cannot be reached, break off, answer something else or are others: what is repeated, what clients are
//! told, and what is counted.

use std::time::Duration;

use super::harness::{Harness, SESSION, buyer, seller};
use super::{ok, patience, price_change, two_units, validated, vote, vote_for_item};
use crate::engine::flows::{Flow, Lane};

#[test]
fn a_lost_read_is_repeated_until_its_time_is_over() {
    let mut buyer = buyer();
    buyer.ask("1", "GetItem", r#"{"item_id":"1:42"}"#);
    let first = buyer.calls();
    buyer.pass(patience() / 2);
    buyer.break_lane(Lane::Product);
    assert_eq!(buyer.calls(), [], "the lane is down");
    buyer.mend_lane(Lane::Product);
    assert_eq!(buyer.calls(), first, "the same call again");
    buyer.break_lane(Lane::Product);
    buyer.mend_lane(Lane::Product);
    assert_eq!(buyer.calls(), first, "as often as it takes");
    buyer.pass(patience() / 2);
    let (code, message) = buyer.refusal();
    assert_eq!((&*code, &*message), ("UNAVAILABLE", "db_product did not answer; nothing was changed"));
    buyer.reply(Lane::Product, &ok("{}"));
    assert_eq!(buyer.replies(), [""; 0], "the late reply is nobody's");
}

#[test]
fn a_call_waits_for_its_lane() {
    let mut buyer = buyer();
    buyer.break_lane(Lane::Product);
    buyer.ask("1", "GetItem", r#"{"item_id":"1:42"}"#);
    assert_eq!(buyer.calls(), []);
    buyer.pass(patience() - Duration::from_millis(1));
    assert_eq!(buyer.replies(), [""; 0]);
    buyer.pass(Duration::from_millis(1));
    let (code, message) = buyer.refusal();
    assert_eq!((&*code, &*message), ("UNAVAILABLE", "db_product cannot be reached; nothing was changed"));
}

#[test]
fn a_lost_change_that_cannot_be_repeated_is_not_and_says_so() {
    let mut seller = seller();
    let update = format!(r#"{{"session_id":"{SESSION}","item_id":"1:42","quantity_delta":1}}"#);
    seller.ask("1", "UpdateUnitsForSale", &update);
    seller.calls();
    seller.reply(Lane::Customer, &validated());
    assert_eq!(seller.calls().len(), 1);
    seller.break_lane(Lane::ProductWrites);
    seller.mend_lane(Lane::ProductWrites);
    assert_eq!(seller.calls(), []);
    let (code, message) = seller.refusal();
    let expected = "db_product did not answer; the change may have been made";
    assert_eq!((&*code, &*message), ("UNAVAILABLE", expected));
}

#[test]
fn a_change_that_never_left_says_so() {
    let mut seller = seller();
    seller.break_lane(Lane::ProductWrites);
    seller.ask("1", "ChangeItemPrice", &price_change());
    seller.calls();
    seller.reply(Lane::Customer, &validated());
    seller.pass(patience());
    let (code, message) = seller.refusal();
    assert_eq!((&*code, &*message), ("UNAVAILABLE", "db_product cannot be reached; nothing was changed"));
}

#[test]
fn a_change_whose_first_attempt_was_lost_may_have_been_made_whatever_became_of_the_last() {
    let mut buyer = buyer();
    buyer.ask("1", "Logout", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    assert_eq!(buyer.calls().len(), 1);
    buyer.break_lane(Lane::CustomerWrites);
    buyer.pass(patience());
    let (code, message) = buyer.refusal();
    assert_eq!(
        (&*code, &*message),
        ("UNAVAILABLE", "db_customer cannot be reached; the change may have been made")
    );
}

/// Breaks the connection with the only call that is under way, and tells whether it is made again.
fn is_repeated(harness: &mut Harness<impl Flow>, lane: Lane) -> bool {
    let calls = harness.calls();
    assert_eq!(calls.len(), 1);
    harness.break_lane(lane);
    harness.mend_lane(lane);
    let again = harness.calls();
    if again.is_empty() {
        let (_, message) = harness.refusal();
        assert!(message.ends_with("did not answer; the change may have been made"), "{message}");
        return false;
    }
    assert_eq!(again, calls);
    true
}

#[test]
fn only_what_undoes_nothing_is_repeated() {
    let session = format!(r#"{{"session_id":"{SESSION}"}}"#);
    let account = r#"{"name":"ann","password":"secret"}"#;
    let two_units = two_units();
    for (api, data, lane, repeated) in [
        ("CreateAccount", account, Lane::CustomerPasswords, false),
        ("Login", account, Lane::CustomerPasswords, true),
        ("Logout", &session, Lane::CustomerWrites, true),
        ("RemoveItemFromCart", &two_units, Lane::CustomerWrites, false),
        ("SaveCart", &session, Lane::CustomerWrites, false),
        ("ClearCart", &session, Lane::CustomerWrites, false),
        ("DisplayCart", &session, Lane::Customer, true),
        ("GetBuyerPurchases", &session, Lane::Customer, true),
        ("SearchItemsForSale", r#"{"category":1}"#, Lane::Product, true),
    ] {
        let mut buyer = buyer();
        buyer.ask("1", api, data);
        assert_eq!(is_repeated(&mut buyer, lane), repeated, "{api}");
    }

    let mut adding = buyer();
    adding.ask("1", "AddItemToCart", &two_units);
    adding.reply(Lane::Product, &ok(r#"{"available":5,"ok":true}"#));
    adding.calls();
    adding.break_lane(Lane::CustomerWrites);
    assert!(adding.refusal().1.ends_with("the change may have been made"));

    let item = r#""name":"pen","category":1,"condition":"new","price":1,"quantity":1"#;
    for (api, data) in [
        ("RegisterItemForSale", format!(r#"{{"session_id":"{SESSION}",{item}}}"#)),
        ("ChangeItemPrice", price_change()),
        (
            "UpdateUnitsForSale",
            format!(r#"{{"session_id":"{SESSION}","item_id":"1:42","quantity_delta":1}}"#),
        ),
    ] {
        let mut seller = seller();
        seller.ask("1", api, &data);
        assert!(is_repeated(&mut seller, Lane::Customer), "who asks is a question");
        seller.reply(Lane::Customer, &validated());
        assert!(!is_repeated(&mut seller, Lane::ProductWrites), "{api}");
    }

    let mut voting = buyer();
    voting.ask("1", "ProvideFeedback", &vote());
    voting.calls();
    voting.reply(Lane::Customer, &validated());
    assert!(!is_repeated(&mut voting, Lane::ProductWrites), "another vote may have replaced it");
    vote_for_item(&mut voting);
    assert!(is_repeated(&mut voting, Lane::CustomerWrites), "its revision keeps it in order");
}

#[test]
fn a_change_whose_session_could_not_be_checked_was_not_made() {
    let mut seller = seller();
    seller.ask("1", "ChangeItemPrice", &price_change());
    seller.pass(patience());
    let (code, message) = seller.refusal();
    assert_eq!((&*code, &*message), ("UNAVAILABLE", "db_customer did not answer; nothing was changed"));
}

#[test]
fn a_line_that_is_not_the_reply_is_not_relayed_and_ends_the_connection() {
    for line in [
        r#"{"type":"Response","request_id":2,"ok":true,"error":null,"data":{"secret":1}}"#,
        r#"{"type":"Response","request_id":null,"ok":false,"error":{"code":"RESOURCE_EXHAUSTED","message":"full"},"data":null}"#,
        r#"{"type":"Response","request_id":1,"ok":true,"error":null,"data":{"half"#,
        "nonsense",
    ] {
        let mut buyer = buyer();
        buyer.ask("1", "GetItem", r#"{"item_id":"1:42"}"#);
        let call = buyer.calls();
        buyer.line(Lane::Product, line);
        assert_eq!(buyer.replies(), [""; 0], "{line}");
        buyer.mend_lane(Lane::Product);
        assert_eq!(buyer.calls(), call, "{line}");

        buyer.connect();
        buyer.ask("1", "ClearCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
        buyer.line(Lane::CustomerWrites, line);
        let (code, message) = buyer.refusal();
        let expected = "db_customer did not answer; the change may have been made";
        assert_eq!((&*code, &*message), ("UNAVAILABLE", expected), "{line}");
    }
}

#[test]
fn a_client_that_numbers_its_requests_like_the_frontend_is_not_mistaken_for_it() {
    let mut buyer = buyer();
    let clients: Vec<_> = (1..=3).map(|_| buyer.connect()).collect();
    for (client, item) in clients.iter().zip(1..) {
        buyer.ask_as(*client, "1", "GetItem", &format!(r#"{{"item_id":"1:{item}"}}"#));
    }
    // The database skips the first one.
    let reply = r#"{"type":"Response","request_id":2,"ok":true,"error":null,"data":{}}"#;
    buyer.line(Lane::Product, reply);
    for client in clients {
        assert_eq!(buyer.replies_to(client), [""; 0]);
    }
}

#[test]
fn calls_wait_until_the_right_database_answers() {
    let mut buyer = buyer();
    buyer.break_lane(Lane::Product);
    buyer.connect_lane(Lane::Product);
    buyer.ask("1", "GetItem", r#"{"item_id":"1:42"}"#);
    assert_eq!(buyer.calls(), [], "nobody has said who it is");
    buyer.greet(Lane::Product, "db_customer");
    assert_eq!(buyer.calls(), [], "the addresses are swapped");
    buyer.mend_lane(Lane::Product);
    assert_eq!(buyer.calls().len(), 1);
}

#[test]
fn which_databases_are_reached_is_counted() {
    let mut buyer = buyer();
    let connects = "marketplace_backend_connects_total";
    let up =
        ["db_customer", "db_product"].map(|name| format!(r#"marketplace_backend_up{{backend="{name}"}} 1"#));
    assert_eq!(buyer.metrics("marketplace_backend_up"), up);
    let ok = [
        format!(r#"{connects}{{backend="db_customer",outcome="ok"}} 3"#),
        format!(r#"{connects}{{backend="db_product",outcome="ok"}} 2"#),
    ];
    assert_eq!(buyer.metrics(connects), ok);
    buyer.break_lane(Lane::ProductWrites);
    assert_eq!(buyer.metrics("marketplace_backend_up"), up[..1], "one lane is missing");
    buyer.connect_lane(Lane::ProductWrites);
    buyer.greet(Lane::ProductWrites, "db_customer");
    let failed = format!(r#"{connects}{{backend="db_product",outcome="failed"}} 1"#);
    assert!(buyer.metrics(connects).contains(&failed));
    buyer.mend_lane(Lane::ProductWrites);
    assert_eq!(buyer.metrics("marketplace_backend_up"), up);
}
