//! How much there is, as those who watch a service are told.

use net::{Registry, Time};

use super::harness::{Engine, LEVELS, SECOND, START, Store, field, server};
use super::{ANN, add, with_session};
use crate::store::postgres::domain::RemoteDomain;
use crate::store::postgres::tests::blocking::migrated_fake;
use crate::store::postgres::tests::fake::ISOLATIONS;

const NAMES: [&str; 3] = ["marketplace_accounts", "marketplace_sessions", "marketplace_purchases"];

/// What is told of what there is.
fn told(engine: &Engine) -> Vec<String> {
    let registry = Registry::new("shop");
    engine.customer.metrics().into_iter().for_each(|metrics| registry.add(metrics));
    let text = registry.text();
    let lines = text.lines().filter(|line| NAMES.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.trim_start_matches("marketplace_").to_owned()).collect()
}

/// Does what it is time for in so many seconds.
fn keep_up(engine: &mut Engine, from: Time, seconds: u32) {
    (0..seconds).for_each(|second| _ = engine.keep_up(from + SECOND * second));
}

fn count(mut engine: Engine) {
    assert!(told(&engine).is_empty(), "nothing is known yet");
    engine.told(START, "CreateBuyer", ANN);
    for name in ["bob", "cat"] {
        engine.told(START, "CreateSeller", &format!(r#"{{"name":"{name}","password":"secret"}}"#));
    }
    let begin = |engine: &mut Engine, now| {
        let session = engine.log_in(now, "ann", "secret");
        engine.told(now, "UpdateCart", &add(&session, "1:1", 2));
        field(&engine.told(now, "BeginPurchase", &with_session(&session)), "purchase_id")
    };
    let first = begin(&mut engine, START);
    begin(&mut engine, START + SECOND * 2);
    keep_up(&mut engine, START + SECOND * 2, 4);
    let since =
        |seconds: u64| format!("purchases_unfinished_since_seconds {}", START.as_millis() / 1000 + seconds);
    let accounts = [r#"accounts{role="buyer"} 1"#, r#"accounts{role="seller"} 2"#];
    let expected = |unfinished: u32, since: String| {
        let rest = [format!("purchases_unfinished {unfinished}"), since, "sessions 2".to_owned()];
        accounts.map(str::to_owned).into_iter().chain(rest).collect::<Vec<_>>()
    };
    assert_eq!(told(&engine), expected(2, since(0)));
    engine.told(START + SECOND * 8, "FinishPurchase", &format!(r#"{{"purchase_id":"{first}"}}"#));
    keep_up(&mut engine, START + SECOND * 60, 4);
    assert_eq!(told(&engine), expected(1, since(2)));
}

#[test]
fn whoever_watches_is_told_how_much_there_is() {
    ISOLATIONS.into_iter().for_each(|isolation| count(Engine::over(&migrated_fake(isolation), 1)));
    let Some(server) = server(&LEVELS) else { return };
    LEVELS.into_iter().for_each(|level| count(Engine::connect(&server, level, 1)));
}
