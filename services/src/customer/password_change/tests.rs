//! What happens between the comparing of a password and what follows from it.

use std::net::Ipv4Addr;
use std::time::Duration;

use net::sim::SimWorker;
use net::{Time, Waker};

use crate::api::Encode;
use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::customer::rows::Loaded;
use crate::customer::{Customer, HashCost, Passwords};
use crate::engine::caller::Caller;
use crate::engine::domain::{Domain, Handler, Job};
use crate::engine::room::Room;

const NOW: Time = Time::from_millis(1_000_000);
/// The first of two hashers is done first.
const FIRST: u8 = 1;
const SECOND: u8 = 2;

/// A `db_customer` with two threads for passwords, and a buyer with two sessions.
fn with_sessions() -> (Customer, [String; 2]) {
    let hasher = |seed| -> Box<dyn net::Worker<_, _>> {
        let passwords = Passwords::new(HashCost { memory_kib: 8, passes: 1 }).expect("valid");
        Box::new(SimWorker::new(passwords, Waker::new(|| ()), seed))
    };
    let mut random = 0;
    let random = Box::new(move || {
        random += 1;
        random
    });
    let loaded = Loaded::new(Duration::from_secs(300));
    let mut customer = Customer::new(loaded, Room::default(), vec![hasher(1), hasher(2)], random);
    let account = r#"{"name":"ann","password":"old"}"#;
    begin(&mut customer, FIRST, "CreateBuyer", account);
    finish(&mut customer).expect("it is opened");
    let sessions = [0, 1].map(|_| {
        begin(&mut customer, FIRST, "Login", &login("old"));
        let json = finish(&mut customer).expect("the password is right");
        json.split('"').nth(3).expect("it has a session").to_owned()
    });
    (customer, sessions)
}

fn login(password: &str) -> String {
    format!(r#"{{"name":"ann","password":"{password}","role":"buyer"}}"#)
}

fn change(session: &str, new: &str) -> String {
    format!(r#"{{"session_id":"{session}","password":"old","new_password":"{new}"}}"#)
}

/// Begins a request of a client of its own.
fn begin(customer: &mut Customer, host: u8, api: &str, data: &str) -> Job {
    let entry = Customer::APIS.iter().find(|entry| entry.name == api).expect(api);
    let Handler::Begin(begin) = entry.handler else { panic!("{api} hashes no password") };
    let caller = Caller::new(Ipv4Addr::new(10, 0, 0, host).into(), NOW, Duration::from_secs(10));
    begin(customer, NOW, caller, Fields::parse(data).expect("an object")).expect("it begins")
}

/// Finishes the next request.
fn finish(customer: &mut Customer) -> Result<String, Error> {
    let (_, finished) = customer.poll(NOW).expect("one is under way");
    customer.seal();
    customer.publish(usize::MAX);
    let mut json = Vec::new();
    finished?.encode(&mut json);
    Ok(String::from_utf8(json).expect("JSON is text"))
}

#[test]
fn a_login_by_a_password_that_is_changed_meanwhile_opens_no_session() {
    let (mut customer, [session, _]) = with_sessions();
    begin(&mut customer, FIRST, "ChangePassword", &change(&session, "new"));
    begin(&mut customer, SECOND, "Login", &login("old"));
    assert_eq!(finish(&mut customer).expect("it is changed"), r#"{"changed":true}"#);
    assert_eq!(finish(&mut customer).expect_err("it is another").code, Code::AuthFailed);
    assert_eq!(customer.sessions.rows.len(), 1, "that in which it was changed");
    begin(&mut customer, SECOND, "Login", &login("new"));
    finish(&mut customer).expect("it is the new one");
}

#[test]
fn of_two_changes_at_a_time_the_second_finds_another_password_or_no_session() {
    for (of_second, code) in [(0, Code::AuthFailed), (1, Code::NotLoggedIn)] {
        let (mut customer, sessions) = with_sessions();
        begin(&mut customer, FIRST, "ChangePassword", &change(&sessions[0], "new"));
        begin(&mut customer, SECOND, "ChangePassword", &change(&sessions[of_second], "newer"));
        finish(&mut customer).expect("it is changed");
        assert_eq!(finish(&mut customer).expect_err("it was changed").code, code);
        begin(&mut customer, SECOND, "Login", &login("new"));
        finish(&mut customer).expect("it is that of the first");
    }
}

#[test]
fn a_session_that_ends_meanwhile_changes_nothing() {
    let (mut customer, [session, _]) = with_sessions();
    begin(&mut customer, FIRST, "ChangePassword", &change(&session, "new"));
    let number = u64::from_str_radix(&session[..16], 16).expect("it is a number");
    customer.sessions.close(number);
    assert_eq!(finish(&mut customer).expect_err("it has ended").code, Code::NotLoggedIn);
    begin(&mut customer, SECOND, "Login", &login("old"));
    finish(&mut customer).expect("it is what it was");
}
