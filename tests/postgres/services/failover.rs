//! A PostgreSQL that replaces its primary by itself, whose primary is killed again and again while a hundred clients shop:
//! what was acknowledged is kept, nothing is done twice, and no service has to be started again. In the end one falls silent.
//!
//! It takes some eight minutes, so it is run by itself, with as many kills as `FAILOVER_KILLS` says:
//! `cargo test --release --test postgres failover -- --ignored --nocapture`, or `.ci/failover`, which installs what it needs.

mod buyer;
mod seller;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{Patroni, StopAtEnd, assert_code, wait_until};

use self::buyer::Buyer;
use self::seller::Seller;
use self::user::{Counts, Progress};
use super::{Fleet, PROGRAM};

const BUYERS: u64 = 80;
const SELLERS: u64 = 20;
/// Categories over which the items are spread, and the keyword that all of them have.
const CATEGORIES: u32 = 10;
const KEYWORD: &str = "pen";
/// Kills, unless `FAILOVER_KILLS` says otherwise.
const KILLS: u32 = 20;
/// How long the cluster is left alone between two kills.
const CALM: Duration = Duration::from_secs(3);
/// How long after its death a change must succeed again, at most: after that of a PostgreSQL, which its Patroni notices, and
/// of a node, which the others hold for alive until its leadership runs out.
const POSTGRES_AWAY_MAX: Duration = Duration::from_secs(8);
const NODE_AWAY_MAX: Duration = Duration::from_secs(25);
/// And of a node that falls silent without closing a connection: a service may have begun to connect to it again, which it
/// gives up after 10 s, when the others have a new leader.
const SILENT_AWAY_MAX: Duration = Duration::from_secs(40);

/// What is killed of a primary, or stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Postgres,
    Node,
    /// All of a node, which says nothing more and closes nothing until another one has taken over.
    Silent,
}

impl Victim {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Node => "node",
            Self::Silent => "silent node",
        }
    }

    fn away_max(self) -> Duration {
        match self {
            Self::Postgres => POSTGRES_AWAY_MAX,
            Self::Node => NODE_AWAY_MAX,
            Self::Silent => SILENT_AWAY_MAX,
        }
    }
}

/// A role for the services, as the guide to engines has it, and its database.
fn prepare(cluster: &Patroni) -> String {
    cluster.sql("postgres", "CREATE ROLE market LOGIN");
    for limit in
        ["statement_timeout = '5s'", "lock_timeout = '2s'", "idle_in_transaction_session_timeout = '5s'"]
    {
        cluster.sql("postgres", &format!("ALTER ROLE market SET {limit}"));
    }
    cluster.sql("postgres", "CREATE DATABASE shop OWNER market");
    let url = cluster.url("market", "shop");
    assert_code(&PROGRAM.command(&["migrate", "--store", &url]).output().unwrap(), 0);
    url
}

/// Kills the primary, or stops it, and waits until changes and reads succeed again, and then until another one could be killed. Returns
/// how long the first change took.
fn kill(number: u32, victim: Victim, cluster: &mut Patroni, progress: &Progress) -> Duration {
    let (node, before, since) = (cluster.leader(), progress.counts(), Instant::now());
    match victim {
        Victim::Postgres => cluster.kill_postgres(node),
        Victim::Node => cluster.kill_node(node),
        Victim::Silent => cluster.signal_node(node, Signal::STOP),
    }
    progress.look_out();
    wait_until("a change and a read", || progress.counts().first(since).is_some());
    let [change, read] = progress.counts().first(since).expect("it was waited for");
    match victim {
        Victim::Postgres => {}
        Victim::Node => cluster.restart_node(node),
        Victim::Silent => {
            // If it went on, it would answer reads for a moment by what it knew before, until its Patroni finds out.
            cluster.kill_node(node);
            cluster.restart_node(node);
        }
    }
    wait_until("the return of the node", || cluster.is_whole());
    let Counts { changes, refused, unknown, .. } = progress.counts();
    println!(
        "{number:>4}  {:<11}  pg{}  {:>8.1}  {:>6.1}  {:>7.1}  {:>7}  {:>7}  {changes:>12}",
        victim.name(),
        node + 1,
        change.as_secs_f64(),
        read.as_secs_f64(),
        since.elapsed().as_secs_f64(),
        refused - before.refused,
        unknown - before.unknown,
    );
    change
}

/// Has everybody shop while primaries are killed. Returns how long changes were away after each kill.
fn shop(
    kills: u32,
    cluster: &mut Patroni,
    progress: &Progress,
    buyers: &mut [Buyer<'_>],
    sellers: &mut [Seller<'_>],
) -> Vec<(Victim, Duration)> {
    let [is_bought, is_sold] = [(); 2].map(|()| AtomicBool::new(false));
    println!("kill  victim             change/s  read/s  whole/s  refused  unknown  acknowledged");
    thread::scope(|scope| {
        let (is_bought, is_sold) = (&is_bought, &is_sold);
        let _end_of_sellers = StopAtEnd(is_sold);
        sellers.iter_mut().for_each(|seller| {
            scope.spawn(|| {
                while !is_sold.load(Ordering::Relaxed) {
                    seller.step();
                }
            });
        });
        // Buyers end first, because what they buy last may have to be brought by a seller.
        thread::scope(|scope| {
            let _end_of_buyers = StopAtEnd(is_bought);
            buyers.iter_mut().for_each(|buyer| {
                scope.spawn(|| {
                    while !is_bought.load(Ordering::Relaxed) {
                        buyer.step();
                    }
                });
            });
            let victims = [Victim::Postgres, Victim::Node].into_iter().cycle().take(kills as usize);
            (1..)
                .zip(victims.chain([Victim::Silent]))
                .map(|(number, victim)| {
                    thread::sleep(CALM);
                    (victim, kill(number, victim, cluster, progress))
                })
                .collect()
        })
    })
}

/// Checks what everybody knows against what the services say, and against the engine itself.
fn audit(cluster: &Patroni, fleet: &Fleet, buyers: &mut [Buyer<'_>], sellers: &mut [Seller<'_>]) {
    let mut client = fleet.client("server_buyer");
    // What a kill has left unfinished is brought to its end by others.
    wait_until("the end of all purchases", || {
        cluster.sql("shop", "SELECT count(*) FROM purchases_begun") == "0"
    });
    buyers.iter_mut().for_each(|buyer| buyer.audit(&mut client));
    let receipts: Vec<_> = buyers.iter().flat_map(|buyer| &buyer.receipts).collect();
    let ids: BTreeSet<_> = receipts.iter().map(|receipt| receipt["purchase_id"].to_string()).collect();
    assert_eq!(ids.len(), receipts.len(), "no purchase has two receipts");
    let mut sold = BTreeMap::new();
    for (item_id, units) in receipts.iter().flat_map(|receipt| buyer::lines(receipt)) {
        *sold.entry(item_id).or_default() += units;
    }
    sellers.iter_mut().for_each(|seller| seller.audit(&mut client, &sold));
    let made = receipts.len().to_string();
    for table in ["purchases", "purchase_keys"] {
        assert_eq!(cluster.sql("shop", &format!("SELECT count(*) FROM {table}")), made, "{table}");
    }
    // What was decided is forgotten by and by. What is not is of purchases that were made.
    let astray = "SELECT count(*) FROM decisions
        WHERE decision = 'taken' AND purchase_id NOT IN (SELECT purchase_id FROM purchases)";
    assert_eq!(cluster.sql("shop", astray), "0", "stock is taken for nobody");
    let units: u64 = sold.values().sum();
    println!("{made} purchases of {units} units: each is there once, and so is every unit");
}

#[test]
#[ignore = "it takes eight minutes"]
fn nothing_is_lost_or_done_twice_where_the_primary_is_replaced_again_and_again() {
    let kills = env::var("FAILOVER_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let Some(mut cluster) = Patroni::start() else { return };
    let folder = cluster.guarded_folder();
    let start_service = |name, args| PROGRAM.replica_in(&folder, name, args);
    let mut fleet = Fleet::start_by(&prepare(&cluster), 2, start_service);
    let progress = Progress::default();
    let buyer = |number| Buyer::open(number, fleet.client("server_buyer"), &progress);
    let mut buyers: Vec<_> = (0..BUYERS).map(buyer).collect();
    let seller = |number| Seller::open(number, fleet.client("server_seller"), &progress);
    let mut sellers: Vec<_> = (0..SELLERS).map(seller).collect();
    let start = Instant::now();
    let aways = shop(kills, &mut cluster, &progress, &mut buyers, &mut sellers);
    let Counts { changes, reads, refused, unknown, .. } = progress.counts();
    println!(
        "{changes} changes and {reads} reads in {:.0} s; {refused} calls refused, {unknown} of unknown outcome",
        start.elapsed().as_secs_f64()
    );
    audit(&cluster, &fleet, &mut buyers, &mut sellers);
    for service in &mut fleet.services {
        assert!(service.process().is_running(), "{} has ended", service.name);
    }
    for (victim, away) in aways {
        assert!(away <= victim.away_max(), "{away:?} after the death of a {}", victim.name());
    }
}
