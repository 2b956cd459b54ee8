//! Passwords that are changed, and the sessions that end with the old ones.

use super::harness::{Engine, LEVELS, Memory, SECOND, START, Store, TIMEOUT, database, field, server};
use super::races::race;
use super::{ANN, add, with_session};
use crate::api::error::{Code, Error};
use crate::store::postgres::tests::blocking::migrated_fake;
use crate::store::postgres::tests::fake::ISOLATIONS;

fn change(session: &str, old: &str, new: &str) -> String {
    format!(r#"{{"session_id":"{session}","password":"{old}","new_password":"{new}"}}"#)
}

fn login(password: &str) -> String {
    format!(r#"{{"name":"ann","password":"{password}","role":"buyer"}}"#)
}

#[track_caller]
fn assert_refused(result: Result<String, Error>, code: Code) {
    assert_eq!(result.expect_err("it is refused").code, code);
}

/// Sessions end whether they are in use, idle, or about to buy something, at another service too, where there is one.
fn end_sessions(one: &mut impl Store, mut other: Option<&mut Engine>) {
    one.told(START, "CreateBuyer", ANN);
    let sessions = [0, 1, 2, 3].map(|_| one.log_in(START, "ann", "secret"));
    let [own, used, buying, idle] = &sessions;
    for session in [used, buying] {
        one.told(START, "UpdateCart", &add(session, "1:1", 2));
    }
    let begun = one.told(START, "BeginPurchase", &with_session(buying));
    let now = START + TIMEOUT;
    for session in [own, used, buying] {
        one.told(now - SECOND, "UpdateCart", &add(session, "1:3", 1));
    }
    assert_refused(one.ask(now, "GetCart", &with_session(idle)), Code::SessionTimeout);
    if let Some(other) = &mut other {
        other.told(now, "GetCart", &with_session(used));
    }
    assert_refused(one.ask(now, "ChangePassword", &change(own, "wrong", "new")), Code::AuthFailed);
    assert_eq!(one.told(now, "ChangePassword", &change(own, "secret", "new")), r#"{"changed":true}"#);
    for session in [used, buying, idle] {
        assert_refused(one.ask(now, "GetCart", &with_session(session)), Code::NotLoggedIn);
        assert_refused(one.ask(now, "UpdateCart", &add(session, "1:1", 1)), Code::NotLoggedIn);
        if let Some(other) = &mut other {
            assert_refused(other.ask(now, "GetCart", &with_session(session)), Code::NotLoggedIn);
        }
    }
    one.told(now, "UpdateCart", &add(own, "1:2", 1));
    assert_refused(one.ask(now, "Login", &login("secret")), Code::AuthFailed);
    // What was begun in a session that has ended comes to its end.
    let item = r#"{"item_id":"1:1","seller_id":1,"name":"desk","quantity":2,"price":2}"#;
    let finish = format!(r#"{{"purchase_id":"{}","taken":[{item}]}}"#, field(&begun, "purchase_id"));
    one.told(now, "FinishPurchase", &finish);
    let session = one.log_in(now, "ann", "new");
    let bought = one.told(now, "GetBuyerPurchases", &with_session(&session));
    assert!(bought.contains(r#""purchases_count":1"#), "{bought}");
}

#[test]
fn with_a_password_all_sessions_end_but_that_in_which_it_is_changed() {
    end_sessions(&mut Memory::new(), None);
    for isolation in ISOLATIONS {
        let fake = migrated_fake(isolation);
        end_sessions(&mut Engine::over(&fake, 1), Some(&mut Engine::over(&fake, 2)));
    }
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let [mut one, mut other] = [1, 2].map(|seed| Engine::connect(&server, level, seed));
        end_sessions(&mut one, Some(&mut other));
        let lines = "SELECT count(*) FROM cart_lines WHERE cart NOT IN (SELECT digest FROM sessions)";
        assert_eq!(server.sql(&database(level), lines), "0", "{level}");
    }
}

#[test]
fn guesses_are_counted_whether_at_a_login_or_at_a_change() {
    fn guess(store: &mut impl Store) -> Vec<Code> {
        store.told(START, "CreateBuyer", ANN);
        let session = store.log_in(START, "ann", "secret");
        let mut codes = Vec::new();
        let mut ask = |store: &mut dyn FnMut() -> Result<String, Error>| {
            codes.push(store().expect_err("it is refused").code);
        };
        for _ in 0..11 {
            ask(&mut || store.ask(START, "Login", &login("guess")));
            ask(&mut || store.ask(START, "ChangePassword", &change(&session, "guess", "new")));
        }
        ask(&mut || store.ask(START, "ChangePassword", &change(&session, "secret", "new")));
        let later = START + SECOND * 60;
        store.told(later, "ChangePassword", &change(&session, "secret", "new"));
        codes
    }
    let expected = [[Code::AuthFailed; 20].as_slice(), &[Code::ResourceExhausted; 3]].concat();
    assert_eq!(guess(&mut Memory::new()), expected);
    for isolation in ISOLATIONS {
        assert_eq!(guess(&mut Engine::over(&migrated_fake(isolation), 1)), expected);
    }
}

#[test]
fn of_several_who_change_it_at_once_one_does() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let mut engine = Engine::connect(&server, level, 1);
        engine.told(START, "CreateBuyer", ANN);
        let sessions: Vec<String> = (0..4).map(|_| engine.log_in(START, "ann", "secret")).collect();
        let changes = race(&server, level, |n, engine| {
            let new = format!("new {n}");
            let session = &sessions[usize::try_from(n).expect("there are few")];
            engine.ask(START, "ChangePassword", &change(session, "secret", &new)).map(|_| new)
        });
        let done: Vec<&String> = changes.iter().flatten().collect();
        let [new] = done[..] else { panic!("{level}: {changes:?}") };
        let is_late = |error: &Error| matches!(error.code, Code::AuthFailed | Code::NotLoggedIn);
        assert!(
            changes.iter().filter_map(|change| change.as_ref().err()).all(is_late),
            "{level}: {changes:?}"
        );
        engine.log_in(START, "ann", new);
        let alive =
            sessions.iter().filter(|session| engine.ask(START, "GetCart", &with_session(session)).is_ok());
        assert_eq!(alive.count(), 1, "{level}");
    }
}

/// Some log in by the old password while it is changed: their sessions end with it, or are never opened.
#[test]
fn no_session_that_the_old_password_opens_outlives_it() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let mut engine = Engine::connect(&server, level, 1);
        engine.told(START, "CreateBuyer", ANN);
        for round in 0..4 {
            let (old, new) = (format!("old {round}"), format!("old {}", round + 1));
            let (old, new) = (if round == 0 { "secret" } else { &old }, &new);
            let own = engine.log_in(START, "ann", old);
            engine.told(START, "UpdateCart", &add(&own, "1:1", 1));
            engine.told(START, "SaveCart", &with_session(&own));
            let opened = race(&server, level, |n, engine| match n {
                0 => {
                    engine.told(START, "ChangePassword", &change(&own, old, new));
                    Vec::new()
                }
                _ => {
                    let logins = (0..6).map(|_| engine.ask(START, "Login", &login(old)));
                    logins.flatten().map(|json| field(&json, "session_id")).collect()
                }
            });
            for session in opened.iter().flatten() {
                assert_refused(engine.ask(START, "GetCart", &with_session(session)), Code::NotLoggedIn);
            }
            engine.told(START, "GetCart", &with_session(&own));
            let count = |what: &str| server.sql(&database(level), &format!("SELECT count(*) FROM {what}"));
            assert_eq!((count("sessions"), count("cart_lines")), ("1".to_owned(), "2".to_owned()), "{level}");
            engine.told(START, "Logout", &with_session(&own));
        }
    }
}
