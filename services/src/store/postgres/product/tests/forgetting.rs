//! What was decided about purchases that have ended is forgotten, and nothing is ever taken for them again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use support::Postgres;

use super::super::super::operation::Transaction;
use super::super::super::tests::fake::ISOLATIONS;
use super::super::super::tests::interleaved::Rivals;
use super::super::super::wire::{Call, Statement, Value};
use super::super::statements;
use super::harness::{NOW, Shop, assert_consistent, at_each_level, at_each_level_of_a_fake, race, server};
use crate::api::Effect;
use crate::api::error::Code;

const BEGIN: Statement = Statement::once("BEGIN");
const COMMIT: Statement = Statement::once("COMMIT");

/// Has a client carry these out, one by one, up to the first that fails, whose code is returned.
#[track_caller]
fn ask(rivals: &mut Rivals<'_>, client: usize, calls: &[Call]) -> Result<(), String> {
    for call in calls {
        let told = rivals.ask(client, call).expect("it waits for nobody");
        told.end().map_err(str::to_owned)?;
    }
    Ok(())
}

/// A transaction of these.
fn transaction(calls: impl IntoIterator<Item = Call>) -> Vec<Call> {
    [BEGIN.with([])].into_iter().chain(calls).chain([COMMIT.with([])]).collect()
}

/// The floor is raised and a decision forgotten while somebody is about to take for the same purchase again, and has seen
/// neither: whatever is seen of it at a level of isolation, it is undone.
#[test]
fn whoever_takes_by_a_floor_of_old_is_undone() {
    let settings = ["fsync=off", "deadlock_timeout=10ms", "log_lock_waits=on", "log_min_messages=log"];
    let Some(mut server) = Postgres::start("trust", &settings) else { return };
    let (id, item) = (Value::Int(100), Value::Int((8 << 32) + 1));
    let decide = || statements::DECIDE_TAKEN.with([id.clone(), Value::Int(1)]);
    let take = || {
        [
            statements::TAKE_UNITS.with([item.clone(), Value::Int(1)]),
            statements::ADD_LINE.with([id.clone(), item.clone(), Value::Int(1)]),
            statements::COUNT_LINES.with([id.clone()]),
        ]
    };
    let forget = [statements::FORGET_DECISIONS, statements::FORGET_LINES]
        .map(|forget| forget.with([id.clone(), id.clone()]));
    for isolation in ISOLATIONS {
        let mut rivals = Rivals::start(&mut server, isolation, 0, 3);
        let [forgetful, raising, late] = [0, 1, 2];
        let made = Statement::once(
            "INSERT INTO items (item_id, seller_id, name, keywords, condition, price_cents, quantity, up, down)
                VALUES ($1, 7, 'desk', '[]', 'new', 10, 5, 0, 0)",
        );
        ask(&mut rivals, forgetful, &[made.with([item.clone()])]).expect("it is made");
        let taken = transaction([decide()].into_iter().chain(take()));
        ask(&mut rivals, forgetful, &taken).expect("it is taken");

        ask(&mut rivals, late, &[BEGIN.with([])]).expect("it begins");
        ask(&mut rivals, forgetful, &[BEGIN.with([])]).expect("it begins");
        ask(&mut rivals, forgetful, &forget).expect("it forgets");
        assert!(rivals.ask(late, &decide()).is_none(), "it waits for what is about to be forgotten");
        ask(&mut rivals, raising, &[statements::RAISE_FLOOR.with([Value::Int(200)])]).expect("it is raised");
        ask(&mut rivals, forgetful, &[COMMIT.with([])]).expect("it is forgotten");
        let decided = rivals.resumed();
        assert!(decided.iter().all(|(client, told)| *client == late && told.end().is_ok()), "{decided:?}");
        let undone = ask(&mut rivals, late, &take());
        let is_undone = undone.as_ref().is_err_and(|code| matches!(code.as_str(), "23514" | "40001"));
        assert!(is_undone, "{isolation:?}: {undone:?}");
        rivals.undo(late);

        let left = Statement::once("SELECT quantity FROM items").with([]);
        let left = rivals.ask(raising, &left).expect("it waits for nobody");
        assert_eq!(left.reply.rows[0].int(0).expect("a number"), 4, "{isolation:?}");
        rivals.compare_tables();
    }
}

fn item(quantity: u32) -> String {
    format!(
        r#"{{"name":"desk","category":8,"keywords":[],"condition":"new","price":10,"quantity":{quantity},"seller_id":3}}"#
    )
}

/// A purchase of a unit of each of some items.
fn purchase(id: u64, items: u32, ended_before: u64) -> String {
    let lines: Vec<String> = (1..=items).map(|n| format!(r#""8:{n}":1"#)).collect();
    format!(r#"{{"purchase_id":"{id}","lines":{{{}}},"ended_before":"{ended_before}"}}"#, lines.join(","))
}

/// What two replicas say and do, of which one is told that purchases have ended.
fn forget_what_has_ended(mut told: Shop, mut untold: Shop) {
    assert_eq!((told.keep_up(NOW), untold.keep_up(NOW)), (1, 1), "what there is, is counted");
    told.done("RegisterItem", &item(2));
    let taken = told.done("TakeStock", &purchase(5, 1, 0));
    let again = told.done("TakeStock", &purchase(6, 1, 0));
    let refused = told.done("TakeStock", &purchase(7, 1, 0));
    assert!(taken.starts_with(r#"{"taken""#) && refused.starts_with(r#"{"refused""#));
    assert_eq!((told.keep_up(NOW), untold.keep_up(NOW)), (0, 0), "none has ended, as far as is known");
    assert_eq!(told.done("TakeStock", &purchase(7, 1, 6)), refused);
    assert_eq!(untold.done("TakeStock", &purchase(5, 1, 0)), taken, "it is not forgotten yet");

    assert_eq!(told.keep_up(NOW), 1);
    assert_eq!(told.keep_up(NOW + INTERVAL), 0, "there is nothing more to forget");
    // Whoever was told of no end finds the floor, though nobody has been refused yet.
    for shop in [&mut untold, &mut told] {
        let error = shop.refused("TakeStock", &purchase(5, 1, 0));
        assert_eq!(error.code, Code::FailedPrecondition, "{error:?}");
        assert_eq!(shop.done("TakeStock", &purchase(6, 1, 0)), again, "it has not ended");
        assert_eq!(shop.done("TakeStock", &purchase(7, 1, 0)), refused);
    }
    // Whoever has heard of it since goes through what is left, and finds nothing.
    assert_eq!(untold.keep_up(NOW), 1);
    assert_eq!(told.done("TakeStock", &purchase(8, 1, 8)), refused);
    assert_eq!(told.keep_up(NOW + INTERVAL), 1);
    assert_eq!(told.refused("TakeStock", &purchase(7, 1, 0)).code, Code::FailedPrecondition);
}

/// As long as decisions wait to be forgotten together.
const INTERVAL: Duration = Duration::from_secs(1);

#[test]
fn what_was_decided_is_forgotten_once_the_purchase_has_ended_and_is_not_decided_again() {
    at_each_level_of_a_fake(|fake| forget_what_has_ended(Shop::over(fake), Shop::over(fake)));
    at_each_level(|server, level| {
        forget_what_has_ended(Shop::open(server), Shop::open(server));
        assert_eq!(server.sql("shop", "SELECT purchase_id FROM decisions"), "8", "{level}");
        assert_eq!(server.sql("shop", "SELECT count(*) FROM decision_lines"), "0", "{level}");
        assert_consistent(server);
    });
}

/// A refusal is committed by who has not seen the floor, after all below that was forgotten.
fn forget_what_comes_late(mut shop: Shop) {
    const LATE: Statement = Statement::once(
        "INSERT INTO decisions (purchase_id, decision, lines_wanted, lines_found, shortages)
            VALUES ($1, 'refused', 0, 0, '[]')",
    );
    let decisions = |shop: &mut Shop| {
        let read = statements::COUNT_DECISIONS.with([Value::Int(0)]);
        let replies = shop.engine.carry_out(&Transaction::read(None, read)).expect("it reads");
        replies[0].rows[0].int(0).expect("a number")
    };
    shop.done("RegisterItem", &item(2));
    shop.done("TakeStock", &purchase(5, 1, 0));
    shop.done("TakeStock", &purchase(9, 1, 9));
    shop.keep_up(NOW);
    assert_eq!(decisions(&mut shop), 1, "that of 9");
    let late = Transaction::write(5, Effect::Once, vec![LATE.with([Value::Int(5)])]);
    shop.engine.carry_out(&late).expect("it is written");
    let again_at = NOW + 600 * INTERVAL;
    shop.keep_up(again_at - INTERVAL);
    assert_eq!(decisions(&mut shop), 2, "it is not looked at again for each purchase");
    shop.keep_up(again_at);
    assert_eq!(decisions(&mut shop), 1);
}

#[test]
fn what_is_written_late_is_forgotten_in_the_end() {
    at_each_level_of_a_fake(|fake| forget_what_comes_late(Shop::over(fake)));
    at_each_level(|server, _| forget_what_comes_late(Shop::open(server)));
}

#[test]
fn as_much_is_forgotten_at_once_as_keeps_nobody_waiting() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    shop.done("RegisterItem", &item(1));
    assert_eq!(shop.keep_up(NOW), 1, "what there is, is counted");
    // A thousand small ones, and then four of 800 lines each.
    server.sql(
        "shop",
        "INSERT INTO decisions SELECT n, 'taken', 1, 1, '' FROM generate_series(1, 1000) n;
        INSERT INTO decision_lines SELECT n, 1, 1, 1, '', 1 FROM generate_series(1, 1000) n;
        INSERT INTO decisions SELECT n, 'taken', 800, 800, '' FROM generate_series(2001, 2004) n;
        INSERT INTO decision_lines SELECT n, item, 1, 1, '', 1
            FROM generate_series(2001, 2004) n, generate_series(1, 800) item",
    );
    shop.done("TakeStock", &purchase(3000, 1, 3000));
    // Of those that are read at once, the large ones are two steps.
    assert_eq!(shop.keep_up(NOW), 4);
    assert_eq!(server.sql("shop", "SELECT purchase_id FROM decisions"), "3000");
    assert_eq!(server.sql("shop", "SELECT purchase_id FROM decision_lines"), "3000");
}

/// Several replicas take for the same purchases while these end and are forgotten. Whoever comes late is told the same as
/// whoever came first, or that the purchase has ended, and a purchase takes a unit once.
#[test]
fn nothing_is_taken_twice_by_replicas_that_forget_at_once() {
    const EACH: u64 = 60;
    at_each_level(|server, level| {
        Shop::open(server).done("RegisterItem", &item(1000));
        let first_told = Mutex::new(BTreeMap::new());
        race(server, 6, |replica, shop| {
            for round in 0..EACH {
                // Neighbours ask for the same ones, some of them after others have ended these.
                let id = 1 + round + 10 * u64::from(replica % 2);
                let ended_before = if replica == 0 { id.saturating_sub(3) } else { 0 };
                match shop.call("TakeStock", &purchase(id, 1, ended_before)) {
                    Ok(told) => {
                        let mut all = first_told.lock().expect("nobody has failed");
                        assert_eq!(all.entry(id).or_insert_with(|| told.clone()), &told, "{level}");
                    }
                    Err(error) => assert_eq!(error.code, Code::FailedPrecondition, "{error:?}"),
                }
                shop.keep_up(NOW + INTERVAL * u32::try_from(round).expect("it is small"));
            }
        });
        let taken = first_told.into_inner().expect("nobody has failed").len();
        let left: usize = server.sql("shop", "SELECT quantity FROM items").parse().expect("a number");
        assert_eq!(1000 - left, taken, "{level}");
        assert_consistent(server);
        let floor =
            "SELECT count(*) FROM decisions, decision_floor f WHERE decisions.purchase_id < f.purchase_id";
        eprintln!("{level}: {taken} taken, {} still to be forgotten", server.sql("shop", floor));
    });
}
