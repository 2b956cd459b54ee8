//! Commits that wait for a replica which does not come: the engine is left with room, reads are answered, and changes are
//! made again as soon as they can be.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Client, Postgres, run_during, wait_until};

use super::{Fleet, lines, migrated, unavailable};

/// How many processes of the engine serve a database, or have served one and do not know that it is gone.
const SERVING: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'marketplace'";
/// Which of them wait for a replica.
const WAITING: &str = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' ORDER BY pid";
/// Connections of a database, and databases.
const CONNECTIONS: usize = 8;
const DATABASES: usize = 2;
/// How long commits wait.
const STALL: Duration = Duration::from_secs(32);
/// How many more than its connections a database may leave behind in that time: one after 10 and one after 20 s.
const MORE: usize = 2;

fn count(server: &Postgres) -> usize {
    server.sql("postgres", SERVING).parse().expect("a number")
}

/// Has commits wait for a replica of this name, or for none.
fn wait_for_replica(server: &Postgres, name: &str) {
    server.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
    server.sql("postgres", "SELECT pg_reload_conf()");
    wait_until("the setting", || server.sql("postgres", "SHOW synchronous_standby_names") == name);
}

#[test]
fn an_engine_whose_commits_wait_for_a_replica_keeps_room_and_is_used_again_at_once() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let mut fleet = Fleet::start(&migrated(&server), 1);
    wait_until("all connections", || count(&server) == DATABASES * CONNECTIONS);
    let mut product = Client::new(fleet.addresses("db_product")[0]);
    let (mut most, mut waiting, mut items) = (0, BTreeSet::new(), Vec::new());
    let report = run_during(fleet.frontends(), "stalled", 4, || {
        thread::sleep(Duration::from_secs(1));
        wait_for_replica(&server, "nobody");
        let since = Instant::now();
        while since.elapsed() < STALL {
            thread::sleep(Duration::from_millis(200));
            most = most.max(count(&server));
            waiting.extend(server.sql("postgres", WAITING).lines().map(str::to_owned));
            items.push(product.call("GetItem", json!({"item_id": "1:1"})).is_ok());
        }
        let said = unavailable(&mut product, "ChangeItemPrice", json!({"item_id": "1:1", "price": 7}));
        assert_eq!(said, "the store answers too slowly; nothing was changed");
        wait_for_replica(&server, "");
        thread::sleep(Duration::from_secs(2));
    });
    let answered = items.iter().filter(|is_answered| **is_answered).count();
    println!(
        "at most {most} processes, {} waited for the replica; {answered} of {} reads",
        waiting.len(),
        items.len()
    );
    println!("{} acknowledged, failed: {:#?}", report.acknowledged, report.failures);
    assert!(report.lost.is_empty(), "lost: {:#?}", report.lost);
    assert!(most <= DATABASES * (2 * CONNECTIONS + MORE), "{most} processes of the engine");
    assert!(answered * 2 > items.len(), "{answered} of {} reads", items.len());
    wait_until("the end of all that was given up", || count(&server) == DATABASES * CONNECTIONS);
    for service in &mut fleet.services[..DATABASES] {
        let log = service.process().log().to_owned();
        println!("{log}");
        assert_eq!(lines(service, "event=store_commits_answered"), 1, "{log}");
    }
}
