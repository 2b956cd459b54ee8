//! What clients make of replies that are lost, late or bad: a service that answers from a script says how often it was
//! asked.

use serde_json::{Value, json};
use support::{Act, FakeService};

use crate::language::{Language, Outcome, Shopper};
use crate::shop::client::Error;

const DONE: Act = Act::Reply("{}");
const LOGIN: Act = Act::Reply(r#"{"session_id":"first","user_id":1,"role":"buyer"}"#);
const LOGIN_AGAIN: Act = Act::Reply(r#"{"session_id":"second","user_id":1,"role":"buyer"}"#);
const TIMED_OUT: Act = Act::Error("SESSION_TIMEOUT");
/// The only reply that says that its request may be sent again, whatever it is. It is one to the first request.
const NOTHING_CHANGED: Act = Act::Line(
    r#"{"type":"Response","request_id":1,"ok":false,"error":{"code":"UNAVAILABLE","message":"db_product is away; nothing was changed"},"data":null}"#,
);

/// Has a client in each language talk to a service with this script. `talk` is also given the service.
fn each(script: &[Act], is_alone: bool, talk: impl Fn(&mut dyn Shopper, &FakeService)) {
    for language in Language::all() {
        println!("{language:?}");
        let service = FakeService::start(script);
        let mut client = language.client(&[service.address.to_string()], is_alone);
        talk(&mut *client, &service);
    }
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Error::OutcomeUnknown(_)))
}

fn refused(code: &str) -> Outcome {
    Err(Error::Refused { code: code.to_owned(), message: "a \u{1b}[31mmessage".to_owned() })
}

fn with_key() -> Value {
    json!({"idempotency_key": "order-7"})
}

#[test]
fn what_reads_is_repeated_until_it_is_answered() {
    for lost in [Act::Close, Act::Error("UNAVAILABLE"), Act::Error("INTERNAL"), Act::Line("nonsense")] {
        each(&[lost.clone(), lost, DONE], false, |client, service| {
            assert_eq!(client.call("GetItem", json!({"item_id": "1:1"})), Ok(json!({})));
            assert_eq!(service.apis(), ["GetItem"; 3]);
        });
    }
}

#[test]
fn what_acts_each_time_is_sent_once() {
    for api in ["AddItemToCart", "RegisterItemForSale", "CreateAccount", "MakePurchase", "ClearCart"] {
        for lost in [Act::Close, Act::Error("UNAVAILABLE"), Act::Line("nonsense")] {
            each(&[lost, DONE], false, |client, service| {
                let outcome = client.call(api, json!({}));
                assert!(is_unknown(&outcome), "{api}: {outcome:?}");
                assert_eq!(service.apis(), [api]);
            });
        }
    }
}

#[test]
fn who_is_alone_may_send_again_what_leaves_the_same_behind() {
    each(&[Act::Close, DONE, Act::Close], true, |client, service| {
        assert_eq!(client.call("SaveCart", json!({})), Ok(json!({})));
        assert!(is_unknown(&client.call("AddItemToCart", json!({}))));
        assert_eq!(service.apis(), ["SaveCart", "SaveCart", "AddItemToCart"]);
    });
}

#[test]
fn a_purchase_with_a_key_is_asked_for_again_under_the_same() {
    each(&[Act::Close, DONE], false, |client, service| {
        assert_eq!(client.call("MakePurchase", with_key()), Ok(json!({})));
        let requests = service.requests();
        assert_eq!(requests.len(), 2);
        assert!(requests.iter().all(|request| request["data"] == with_key()));
    });
}

#[test]
fn whatever_has_changed_nothing_is_sent_again() {
    each(&[NOTHING_CHANGED, DONE], false, |client, service| {
        assert_eq!(client.call("AddItemToCart", json!({})), Ok(json!({})));
        assert_eq!(service.apis().len(), 2);
    });
}

#[test]
fn a_refusal_is_an_answer() {
    each(&[Act::Error("NOT_FOUND"), Act::Error("NOT_LOGGED_IN")], false, |client, service| {
        assert_eq!(client.call("GetItem", json!({})), refused("NOT_FOUND"));
        // Nobody has logged in, so there is nothing to renew.
        assert_eq!(client.call("DisplayCart", json!({})), refused("NOT_LOGGED_IN"));
        assert_eq!(service.apis().len(), 2);
    });
}

#[test]
fn a_session_that_is_over_is_renewed() {
    each(&[LOGIN, TIMED_OUT, LOGIN_AGAIN, DONE], false, |client, service| {
        client.log_in("ann", "secret").unwrap();
        assert_eq!(client.call("ChangeItemPrice", json!({})), Ok(json!({})));
        assert_eq!(service.apis(), ["Login", "ChangeItemPrice", "Login", "ChangeItemPrice"]);
        let requests = service.requests();
        let sessions = [1, 3].map(|index: usize| &requests[index]["data"]["session_id"]);
        assert_eq!(sessions, ["first", "second"]);
    });
}

#[test]
fn many_calls_renew_a_session_once() {
    each(&[LOGIN, TIMED_OUT, TIMED_OUT, LOGIN_AGAIN, DONE, DONE], false, |client, service| {
        client.log_in("ann", "secret").unwrap();
        let outcomes = client.call_all("ChangeItemPrice", vec![json!({}), json!({})]);
        assert_eq!(outcomes, [Ok(json!({})), Ok(json!({}))]);
        assert_eq!(service.apis().iter().filter(|api| *api == "Login").count(), 2);
    });
}

#[test]
fn a_new_session_has_another_cart_so_nothing_is_bought_of_it_unasked() {
    each(&[LOGIN, TIMED_OUT, LOGIN_AGAIN, DONE], false, |client, service| {
        client.log_in("ann", "secret").unwrap();
        assert_eq!(client.call("MakePurchase", with_key()), Err(Error::CartReplaced));
        assert_eq!(service.apis(), ["Login", "MakePurchase", "Login"]);
        assert_eq!(client.call("DisplayCart", json!({})), Ok(json!({})));
        assert_eq!(service.requests()[3]["data"]["session_id"], "second");
    });
}

#[test]
fn a_login_that_fails_leaves_the_refusal() {
    each(&[LOGIN, TIMED_OUT, Act::Error("AUTH_FAILED")], false, |client, service| {
        client.log_in("ann", "secret").unwrap();
        assert_eq!(client.call("DisplayCart", json!({})), refused("SESSION_TIMEOUT"));
        assert_eq!(service.apis(), ["Login", "DisplayCart", "Login"]);
    });
}

#[test]
fn what_a_lost_purchase_has_done_no_later_failure_decides() {
    each(&[LOGIN, Act::Close, TIMED_OUT, LOGIN_AGAIN], false, |client, _| {
        client.log_in("ann", "secret").unwrap();
        assert!(is_unknown(&client.call("MakePurchase", with_key())));
    });
    each(&[Act::Close, Act::Error("RESOURCE_EXHAUSTED")], false, |client, _| {
        assert!(is_unknown(&client.call("MakePurchase", with_key())));
    });
    // A key is free again only where its purchase was not made.
    each(&[Act::Close, Act::Error("OUT_OF_STOCK")], false, |client, _| {
        assert_eq!(client.call("MakePurchase", with_key()), refused("OUT_OF_STOCK"));
    });
}

#[test]
fn of_many_calls_only_those_are_open_that_were_not_answered() {
    each(&[DONE, Act::Close, DONE], false, |client, service| {
        let outcomes = client.call_all("AddItemToCart", vec![json!({}), json!({}), json!({})]);
        assert_eq!(outcomes[0], Ok(json!({})));
        assert!(outcomes[1..].iter().all(is_unknown), "{outcomes:?}");
        // Both calls that follow go over a new connection, and are answered from the start.
        assert_eq!(client.call("Ping", json!({})), Ok(json!({})));
        assert_eq!(service.apis(), ["AddItemToCart", "AddItemToCart", "Ping"]);
    });
}

#[test]
fn an_address_that_is_away_is_passed_over() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for language in Language::all() {
        let service = FakeService::start(&[DONE]);
        let addresses = [nobody.to_string(), service.address.to_string()];
        let mut client = language.client(&addresses, false);
        assert_eq!(client.call("AddItemToCart", json!({})), Ok(json!({})), "{language:?}");
    }
}

/// Nothing was sent over it, so even what acts each time just works.
#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    each(&[DONE, DONE], false, |client, service| {
        assert_eq!(client.call("AddItemToCart", json!({})), Ok(json!({})));
        service.close_connections();
        assert_eq!(client.call("AddItemToCart", json!({})), Ok(json!({})));
    });
}
