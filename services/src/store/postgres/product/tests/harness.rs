//! [`Shop`]: a catalogue on PostgreSQL, whose requests are carried out one by one, over a socket that blocks.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use net::Time;
use support::Postgres;

use super::super::super::domain::RemoteDomain;
use super::super::super::operation::Step;
use super::super::super::tests::blocking::{Blocking, LEVELS, migrated_fake};
use super::super::super::tests::fake::{Fake, ISOLATIONS};
use super::super::RemoteProduct;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::engine::caller::Caller;

pub(super) const NOW: Time = Time::from_millis(1_000_000);

/// The JSON of a reply, or why there is none.
pub(super) type Told = Result<String, Error>;

/// A server with the tables.
pub(super) fn server() -> Option<Postgres> {
    let server = Postgres::start("trust", &["fsync=off"])?;
    Blocking::connect(&url(&server)).migrate();
    Some(server)
}

/// Does this with a server whose transactions are isolated at each level, and whose tables are empty.
pub(super) fn at_each_level(test: impl Fn(&Postgres, &str)) {
    let Some(server) = server() else { return };
    for level in LEVELS {
        server.sql("shop", &format!("ALTER DATABASE shop SET default_transaction_isolation TO '{level}'"));
        assert_eq!(server.sql("shop", "SHOW transaction_isolation"), level);
        server.sql(
            "shop",
            "TRUNCATE categories, shelves, items, item_terms, item_votes, decisions, decision_lines;
            UPDATE decision_floor SET purchase_id = 0",
        );
        test(&server, level);
    }
}

/// Does this with an engine in this process whose transactions are isolated at each level.
pub(super) fn at_each_level_of_a_fake(test: impl Fn(&Fake)) {
    ISOLATIONS.into_iter().for_each(|isolation| test(&migrated_fake(isolation)));
}

/// Where a server is.
pub(super) fn url(server: &Postgres) -> String {
    server.url("127.0.0.1", "")
}

/// What each of several replicas does at once, and what becomes of it.
pub(super) fn race<T: Send>(
    server: &Postgres,
    replicas: u32,
    act: impl Fn(u32, &mut Shop) -> T + Sync,
) -> Vec<T> {
    let url = &url(server);
    let ready = &Barrier::new(replicas as usize);
    let act = &act;
    let run = move |replica| {
        let mut shop = Shop::at(url);
        ready.wait();
        let done = act(replica, &mut shop);
        eprintln!("replica {replica}: {} replays", shop.replays());
        done
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..replicas).map(|replica| scope.spawn(move || run(replica))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    })
}

/// A replica of the service.
pub(super) struct Shop {
    pub(super) engine: Blocking,
    pub(super) product: RemoteProduct,
}

impl Shop {
    pub(super) fn open(server: &Postgres) -> Self {
        Self::at(&url(server))
    }

    /// The same, by where the server is.
    pub(super) fn at(url: &str) -> Self {
        Self { engine: Blocking::connect(url), product: RemoteProduct::new() }
    }

    /// The same, over an engine in this process.
    pub(super) fn over(fake: &Fake) -> Self {
        Self { engine: Blocking::connect_to_fake(fake), product: RemoteProduct::new() }
    }

    /// Carries out a request of this API with this `data`.
    pub(super) fn call(&mut self, api: &str, data: &str) -> Told {
        let entry = RemoteProduct::APIS.iter().find(|entry| entry.name == api).expect("it has the API");
        let caller = Caller::new([127, 0, 0, 1].into(), NOW, Duration::from_secs(10));
        let step = (entry.handler)(&mut self.product, NOW, caller, Fields::parse(data)?)?;
        self.go_on(NOW, step)
    }

    /// Does what it is time for. Returns how many steps that took.
    pub(super) fn keep_up(&mut self, now: Time) -> usize {
        let mut steps = 0;
        while let Some(step) = self.product.upkeep(now) {
            self.go_on(now, step).expect("nothing is in its way");
            steps += 1;
        }
        assert!(self.product.upkeep_at().is_none_or(|at| at > now), "what is due is done");
        steps
    }

    fn go_on(&mut self, now: Time, mut step: Step<RemoteProduct>) -> Told {
        loop {
            match step {
                Step::Work(_) => unreachable!("no password is hashed for it"),
                Step::Reply(json) => return Ok(String::from_utf8(json).expect("JSON is text")),
                Step::Ask(transaction, next) => {
                    let answer = self.engine.carry_out(&transaction);
                    step = next(&mut self.product, now, answer)?;
                }
            }
        }
    }

    /// The same, which is not refused.
    #[track_caller]
    pub(super) fn done(&mut self, api: &str, data: &str) -> String {
        self.call(api, data).unwrap_or_else(|error| panic!("{api} {data}: {error:?}"))
    }

    /// The same, which is.
    #[track_caller]
    pub(super) fn refused(&mut self, api: &str, data: &str) -> Error {
        self.call(api, data).expect_err("it is refused")
    }

    /// How often a transaction was carried out anew so far.
    pub(super) fn replays(&self) -> u64 {
        self.engine.replays
    }
}

/// That the rows of the catalogue agree with one another, whatever has happened.
#[track_caller]
pub(super) fn assert_consistent(server: &Postgres) {
    for (what, sql) in [
        (
            "an item in stock is found by its category and its seller, and no other item is found",
            "SELECT count(*) FROM items i FULL JOIN
                (SELECT item_id, count(*) FILTER (WHERE term IN (chr(1) || (item_id >> 32)::text,
                    chr(2) || (SELECT seller_id FROM items j WHERE j.item_id = t.item_id)::text)) AS own
                FROM item_terms t GROUP BY item_id) t
                ON t.item_id = i.item_id
                WHERE i.item_id IS NULL OR (i.quantity > 0 AND t.own IS DISTINCT FROM 2)
                    OR (i.quantity = 0 AND t.item_id IS NOT NULL)",
        ),
        (
            "a shelf counts the items of its seller",
            "SELECT count(*) FROM shelves s
                FULL JOIN (SELECT seller_id, count(*) AS n FROM items GROUP BY seller_id) i
                ON s.seller_id = i.seller_id WHERE s.registered IS DISTINCT FROM i.n AND s.registered <> 0",
        ),
        (
            "numbers have no gaps",
            "SELECT count(*) FROM categories c LEFT JOIN (SELECT item_id >> 32 AS category, count(*) AS n,
                max(item_id & 4294967295) AS max FROM items GROUP BY item_id >> 32) i
                ON i.category = c.category
                WHERE c.last_n <> coalesce(i.n, 0) OR c.last_n <> coalesce(i.max, 0)",
        ),
        (
            "a decision has its lines",
            "SELECT count(*) FROM decisions d
                WHERE lines_found <> (SELECT count(*) FROM decision_lines l WHERE l.purchase_id = d.purchase_id)",
        ),
    ] {
        assert_eq!(server.sql("shop", sql), "0", "{what}");
    }
}
