//! Several services at the same time on the same rows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use net::Time;
use support::Postgres;

use super::harness::{Engine, LEVELS, SECOND, START, Store, database, field, server, url};
use super::{ANN, add, with_session};
use crate::api::error::{Code, Error};

const SERVICES: u64 = 4;

/// What each of the services has made of its part, all at the same time.
pub(super) fn race<T: Send>(
    server: &Postgres,
    level: &str,
    part: impl Fn(u64, &mut Engine) -> T + Sync,
) -> Vec<T> {
    let url = &url(server, level);
    thread::scope(|scope| {
        let part = &part;
        let run = |n| scope.spawn(move || part(n, &mut Engine::connect_to(url, 100 + n)));
        let threads: Vec<_> = (0..SERVICES).map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not fail")).collect()
    })
}

/// Accounts of a seller and a buyer, and a session of the buyer.
fn prepared(server: &Postgres, level: &str) -> (Engine, String) {
    let mut engine = Engine::connect(server, level, 1);
    engine.told(START, "CreateBuyer", ANN);
    engine.told(START, "CreateSeller", r#"{"name":"sam","password":"secret"}"#);
    let session = engine.log_in(START, "ann", "secret");
    (engine, session)
}

fn finish(engine: &mut Engine, now: Time, begun: &str) -> Result<String, Error> {
    let purchase_id = field(begun, "purchase_id");
    let (_, lines) = begun.split_once("\"lines\":{").expect("it has lines");
    let (lines, _) = lines.split_once('}').expect("it ends");
    let item = |line: &str| {
        let (id, units) = line.rsplit_once(':').expect("a line has units");
        format!(r#"{{"item_id":{id},"seller_id":1,"name":"desk","quantity":{units},"price":2}}"#)
    };
    let taken: Vec<_> = lines.split(',').map(item).collect();
    engine.ask(
        now,
        "FinishPurchase",
        &format!(r#"{{"purchase_id":"{purchase_id}","taken":[{}]}}"#, taken.join(",")),
    )
}

#[test]
fn a_name_is_taken_once_and_no_number_is_given_twice() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let numbers = race(&server, level, |n, engine| {
            let create = |name: String| format!(r#"{{"name":"{name}","password":"secret"}}"#);
            let own = engine.told(START, "CreateBuyer", &create(format!("own {n}")));
            (engine.ask(START, "CreateBuyer", &create("same".to_owned())), own)
        });
        let (made, taken): (Vec<_>, Vec<_>) =
            numbers.iter().map(|(same, _)| same).partition(|same| same.is_ok());
        assert_eq!((made.len(), taken.len()), (1, 3), "{level}");
        assert!(
            taken.iter().all(|taken| taken.as_ref().is_err_and(|error| error.code == Code::AlreadyExists))
        );
        let own = numbers.iter().map(|(_, own)| own.clone());
        let mut all: Vec<_> = own.chain([made[0].clone().expect("it is made")]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 5, "{level}: {all:?}");
    }
}

#[test]
fn units_in_a_cart_are_counted_one_by_one() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let (mut engine, session) = prepared(&server, level);
        race(&server, level, |n, engine| {
            for round in 0..15 {
                engine.told(START, "UpdateCart", &add(&session, "1:1", 2));
                engine.told(START, "UpdateCart", &add(&session, &format!("2:{}", n + 1), 1));
                engine.told(START, "UpdateCart", &add(&session, "1:1", -1));
                engine.told(START, "UpdateCart", &add(&session, &format!("2:{}", n + 1), -1));
                if round % 5 == 0 {
                    engine.told(START, "SaveCart", &with_session(&session));
                }
            }
        });
        let cart = engine.told(START, "GetCart", &with_session(&session));
        assert_eq!(cart, r#"{"cart":{"1:1":60}}"#, "{level}");
    }
}

#[test]
fn a_cart_never_holds_more_than_there_is_nor_too_many_lines() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let (mut engine, session) = prepared(&server, level);
        let update = |item: &str| {
            let data = add(&session, item, 1);
            data.replace('}', r#","quantity_max":10}"#)
        };
        let added = race(&server, level, |_, engine| {
            (0..10).filter(|_| engine.ask(START, "UpdateCart", &update("1:1")).is_ok()).count()
        });
        assert_eq!(added.iter().sum::<usize>(), 10, "{level}");
        let fill = "INSERT INTO cart_lines (cart, item_id, quantity) SELECT cart, item_id + n, 1 \
            FROM cart_lines, generate_series(1, 996) AS u(n)";
        server.sql(&database(level), fill);
        let added = race(&server, level, |n, engine| {
            let item = |round| format!("3:{}", n * 10 + round + 1);
            (0..3).filter(|round| engine.ask(START, "UpdateCart", &update(&item(*round))).is_ok()).count()
        });
        assert_eq!(added.iter().sum::<usize>(), 3, "{level}");
        engine.told(START, "GetCart", &with_session(&session));
    }
}

#[test]
fn a_purchase_is_begun_once_and_made_once() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let (mut engine, session) = prepared(&server, level);
        for round in 0..8 {
            engine.told(START, "UpdateCart", &add(&session, "1:1", 3));
            let key = if round % 2 == 0 { format!(r#","idempotency_key":"{round}""#) } else { String::new() };
            let data = format!(r#"{{"session_id":"{session}"{key}}}"#);
            let outcomes = race(&server, level, |_, engine| buy(engine, &session, &data));
            let history = engine.told(START, "GetBuyerPurchases", r#"{"buyer_id":1}"#);
            let rating = engine.told(START, "GetSellerRating", r#"{"seller_id":1}"#);
            let cart = engine.told(START, "GetCart", &with_session(&session));
            let held = if cart == r#"{"cart":{}}"# { 0 } else { last_number(&cart) };
            let added: u64 = outcomes.iter().map(|(_, added)| added).sum();
            assert_eq!(
                last_number(&rating) + held,
                3 + added,
                "{level}, round {round}: {outcomes:?} {history}"
            );
            if !key.is_empty() {
                assert!(
                    outcomes.iter().all(|(receipt, _)| *receipt == outcomes[0].0),
                    "{level}: {outcomes:?}"
                );
            }
            engine.told(START, "ClearCart", &with_session(&session));
            server.sql(&database(level), "UPDATE sellers SET items_sold = 0");
        }
        let left = server.sql(
            &database(level),
            "SELECT (SELECT count(*) FROM purchases_begun) + (SELECT count(*) FROM purchase_lines)",
        );
        assert_eq!(left, "0", "{level}");
    }
}

/// Buys what is in the cart, and puts a unit into it in between. Returns the receipt, or the error, and how many units that
/// were.
fn buy(engine: &mut Engine, session: &str, data: &str) -> (String, u64) {
    match engine.ask(START, "BeginPurchase", data) {
        Ok(begun) if begun.contains("unfinished") => {
            engine.told(START, "UpdateCart", &add(session, "1:1", 1));
            (finish(engine, START, &begun).expect("it is made"), 1)
        }
        Ok(made) => {
            let receipt = made.strip_prefix("{\"made\":").and_then(|rest| rest.strip_suffix('}'));
            (receipt.expect("it is made").to_owned(), 0)
        }
        Err(error) => (format!("{:?}", error.code), 0),
    }
}

/// The number at the end of some JSON.
fn last_number(json: &str) -> u64 {
    let (_, number) = json.rsplit_once(':').expect("it has a field");
    number.trim_end_matches('}').parse().expect("it is a number")
}

#[test]
fn a_purchase_is_claimed_by_one() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let (mut engine, _) = prepared(&server, level);
        for _ in 0..12 {
            let session = engine.log_in(START, "ann", "secret");
            engine.told(START, "UpdateCart", &add(&session, "1:1", 1));
            engine.told(START, "BeginPurchase", &with_session(&session));
        }
        let now = START + SECOND;
        let claimed = race(&server, level, |_, engine| {
            (0..3).map(|_| engine.told(now, "ClaimPurchases", r#"{"limit":3}"#)).collect::<String>()
        });
        // Whoever was in somebody's way went without some.
        let rest = (0..4).map(|_| engine.told(now, "ClaimPurchases", r#"{"limit":3}"#));
        let all = claimed.into_iter().chain(rest).collect::<String>();
        assert_eq!(all.matches("purchase_id").count(), 12, "{level}");
        let mut ids: Vec<_> =
            all.split("purchase_id\":\"").skip(1).map(|rest| rest.split('"').next()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 12, "{level}");
    }
}

#[test]
fn a_purchase_whose_session_is_gone_is_made_once_too() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let (mut engine, _) = prepared(&server, level);
        for round in 1..=8 {
            let session = engine.log_in(START, "ann", "secret");
            engine.told(START, "UpdateCart", &add(&session, "1:1", 1));
            let begun = engine.told(START, "BeginPurchase", &with_session(&session));
            engine.told(START, "Logout", &with_session(&session));
            let receipts =
                race(&server, level, |_, engine| finish(engine, START, &begun).expect("it is made"));
            assert!(receipts.iter().all(|receipt| *receipt == receipts[0]), "{level}: {receipts:?}");
            let rating = engine.told(START, "GetSellerRating", r#"{"seller_id":1}"#);
            assert_eq!(last_number(&rating), round, "{level}");
        }
    }
}

/// Purchases are begun, found out about and finished, by services whose clocks are far apart.
#[test]
fn what_counts_as_ended_never_begins_and_is_never_under_way() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        prepared(&server, level);
        let greatest = AtomicU64::new(0);
        let told = race(&server, level, |n, engine| {
            // Of one of them, time stands still.
            let clock =
                |round: u32| if n == 0 { START } else { START + SECOND * (n as u32 * 100 + round * 13) };
            for round in 0..25 {
                let now = clock(round);
                let session = engine.log_in(now, "ann", "secret");
                engine.told(now, "UpdateCart", &add(&session, "1:1", 1));
                let before = greatest.load(Ordering::SeqCst);
                let begun = engine.told(now, "BeginPurchase", &with_session(&session));
                let [id, ended] =
                    ["purchase_id", "ended_before"].map(|name| field(&begun, name).parse().expect(name));
                assert!(id >= before, "{level}: {id} begins, and {before} has counted as ended");
                let latest = greatest.fetch_max(ended, Ordering::SeqCst).max(ended);
                assert!(id >= latest, "{level}: {id} is under way, and {latest} counts as ended");
                engine.keep_up(now + SECOND);
                assert!(id >= greatest.load(Ordering::SeqCst), "{level}: {id} is under way");
                finish(engine, now, &begun).expect("it is made");
            }
            greatest.load(Ordering::SeqCst)
        });
        assert!(told.iter().all(|ended| *ended > 0), "{level}: it is found out");
    }
}

#[test]
fn votes_count_once_in_whatever_order_they_come() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let (mut engine, _) = prepared(&server, level);
        race(&server, level, |n, engine| {
            for revision in 1..=10 {
                let vote = if (revision + n) % 2 == 0 { "up" } else { "down" };
                for (buyer, of) in [(n + 1, 1), (9, 2)] {
                    let ids = format!(r#""buyer_id":{buyer},"item_id":"1:{of}","seller_id":1"#);
                    let revision = if of == 1 { revision } else { revision * SERVICES + n };
                    engine.told(
                        START,
                        "RateSeller",
                        &format!(r#"{{{ids},"vote":"{vote}","revision":{revision}}}"#),
                    );
                }
            }
        });
        // The last ones: those of four buyers, by turns, and that of the fourth service for the fifth.
        let rating = engine.told(START, "GetSellerRating", r#"{"seller_id":1}"#);
        assert!(rating.contains(r#""feedback":{"up":2,"down":3}"#), "{level}: {rating}");
    }
}
