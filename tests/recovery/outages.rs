//! Services that are away for a while, in a known way: who waits, who is told, and who recovers.

use std::iter;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Client, Marketplace, PATIENCE, Service, own_host, request, wait_until};

use super::admin::Watched;
use super::{PROGRAM, log_in};

/// So short that a call fails while a database is away.
const IMPATIENT: &str = "--call-timeout-ms=50";

/// A client of each kind, each with a session, and an item for sale.
struct Users {
    buyer: Client,
    seller: Client,
    buyer_session: String,
    seller_session: String,
    item: String,
}

impl Users {
    fn new(marketplace: &Marketplace) -> Self {
        let addresses = marketplace.addresses();
        let (mut buyer, mut seller) = (Client::new(addresses.buyer), Client::new(addresses.seller));
        let (buyer_session, seller_session) = (log_in(&mut buyer, "ann"), log_in(&mut seller, "bob"));
        let item = json!({
            "session_id": seller_session, "name": "Intro", "category": 1, "keywords": ["book"],
            "condition": "used", "price": 2.5, "quantity": 100,
        });
        let item = seller.ok("RegisterItemForSale", item)["item_id"].as_str().unwrap().to_owned();
        Self { buyer, seller, buyer_session, seller_session, item }
    }

    /// `data` with the buyer's session.
    fn buying(&self, data: Value) -> Value {
        with(data, "session_id", &self.buyer_session)
    }

    /// `data` with the seller's session and the item.
    fn selling(&self, data: Value) -> Value {
        with(with(data, "session_id", &self.seller_session), "item_id", &self.item)
    }
}

#[test]
fn sessions_and_carts_go_on_over_a_new_connection_when_a_frontend_is_restarted() {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let mut users = Users::new(&marketplace);
    let add = users.buying(json!({"item_id": users.item, "quantity": 2}));
    users.buyer.ok("AddItemToCart", add.clone());
    for restarts in 1..=2 {
        for frontend in [&mut marketplace.server_buyer, &mut marketplace.server_seller] {
            // Once it is killed, and once it ends in order.
            if restarts == 1 {
                frontend.kill()
            } else {
                frontend.stop()
            }
            frontend.restart();
        }
        let addresses = marketplace.addresses();
        (users.buyer, users.seller) = (Client::new(addresses.buyer), Client::new(addresses.seller));
        let cart = users.buyer.ok("DisplayCart", users.buying(json!({})));
        assert_eq!(cart["cart"], json!({&users.item: 2 * restarts}));
        assert_eq!(users.buyer.ok("AddItemToCart", add.clone())["quantity"], 2 * (restarts + 1));
        users.seller.ok("ChangeItemPrice", users.selling(json!({"price": restarts})));
    }
}

#[test]
fn two_frontends_serve_the_same_session() {
    let marketplace = PROGRAM.marketplace(&[]);
    let mut users = Users::new(&marketplace);
    let (customer, product) = (marketplace.db_customer.address, marketplace.db_product.address);
    let replica = PROGRAM.frontend("server_buyer", customer, product, &["--reactors=2"]);
    let mut other = Client::new(replica.address);
    let add = users.buying(json!({"item_id": users.item, "quantity": 1}));
    assert_eq!(users.buyer.ok("AddItemToCart", add.clone())["quantity"], 1);
    assert_eq!(other.ok("AddItemToCart", add)["quantity"], 2);
    other.ok("Logout", users.buying(json!({})));
    users.buyer.refused("DisplayCart", users.buying(json!({})), "NOT_LOGGED_IN");
}

/// Calls that are made while a database restarts wait for it. The frontends' patience is longer here than the
/// usual 2 s, so that the test holds on the slowest machine.
#[test]
fn calls_wait_for_a_database_that_restarts() {
    let mut marketplace = PROGRAM.marketplace(&[&format!("--call-timeout-ms={}", PATIENCE.as_millis())]);
    let mut users = Users::new(&marketplace);
    for place in 0..2 {
        let waiting = [
            ("SearchItemsForSale", users.buying(json!({"category": 1}))),
            ("AddItemToCart", users.buying(json!({"item_id": users.item, "quantity": 1}))),
            ("ProvideFeedback", users.buying(json!({"item_id": users.item, "vote": "up"}))),
        ];
        let selling = [
            ("ChangeItemPrice", users.selling(json!({"price": 3 + place}))),
            ("UpdateUnitsForSale", users.selling(json!({"quantity_delta": 1}))),
        ];
        let addresses = marketplace.addresses();
        let database = &mut *marketplace.services()[place];
        database.stop();
        thread::scope(|scope| {
            for (api, data) in waiting {
                scope.spawn(move || Client::new(addresses.buyer).ok(api, data));
            }
            for (api, data) in selling {
                scope.spawn(move || Client::new(addresses.seller).ok(api, data));
            }
            database.restart();
        });
    }
    let item = users.buyer.ok("GetItem", json!({"item_id": users.item}));
    assert_eq!(item["item"]["price"], 4.0);
    assert_eq!(item["item"]["quantity"], 102);
    assert_eq!(item["item"]["feedback"], json!({"up": 1, "down": 0}));
    let cart = users.buyer.ok("DisplayCart", users.buying(json!({})));
    assert_eq!(cart["cart"], json!({&users.item: 2}));
}

#[test]
fn an_outage_is_reported_and_a_frontend_recovers_by_itself() {
    let mut marketplace = PROGRAM.marketplace(&[IMPATIENT]);
    let mut users = Users::new(&marketplace);
    let search = json!({"category": 1});
    let price = users.selling(json!({"price": 7}));
    let units = users.selling(json!({"quantity_delta": 1}));
    let add = users.buying(json!({"item_id": users.item, "quantity": 1}));
    for killed in [false, true] {
        for place in 0..2 {
            let database = &mut *marketplace.services()[place];
            let name = database.name;
            if killed {
                database.kill()
            } else {
                database.stop()
            }
            let unseen = format!("{name} did not answer; the change may have been made");
            let check = |client: &mut Client, api, data: &Value| {
                let mut refusal = || client.refused(api, data.clone(), "UNAVAILABLE");
                // On a busy machine the frontend may be asked before it sees the end of the connection.
                let seen = iter::repeat_with(&mut refusal).take(100).find(|message| *message != unseen);
                assert_eq!(seen, Some(format!("{name} cannot be reached; nothing was changed")), "{api}");
            };
            check(&mut users.seller, "UpdateUnitsForSale", &units);
            check(&mut users.seller, "ChangeItemPrice", &price);
            check(&mut users.buyer, "AddItemToCart", &add);
            if name == "db_product" {
                users.buyer.refused("SearchItemsForSale", search.clone(), "UNAVAILABLE");
            }
            users.buyer.ok("Ping", json!({}));

            database.restart();
            users.buyer.insist("SearchItemsForSale", users.buying(search.clone()), |_| ());
            users.seller.insist("ChangeItemPrice", &price, |_| ());
        }
    }
    let item = users.buyer.ok("GetItem", json!({"item_id": users.item}));
    assert_eq!(item["item"]["quantity"], 100, "nothing was changed, as was said");
}

#[test]
fn a_database_that_hangs_is_given_up_and_its_late_replies_go_to_nobody() {
    let mut marketplace = PROGRAM.marketplace(&[IMPATIENT]);
    let mut users = Users::new(&marketplace);
    let units = users.selling(json!({"quantity_delta": 1}));
    marketplace.db_product.process().signal(Signal::STOP);
    for _ in 0..3 {
        let message = users.seller.refused("UpdateUnitsForSale", units.clone(), "UNAVAILABLE");
        assert_eq!(message, "db_product did not answer; the change may have been made");
    }
    marketplace.db_product.process().signal(Signal::CONT);
    // All three are carried out now, and none of their replies is taken for this one's.
    let reply = users.seller.insist("ChangeItemPrice", users.selling(json!({"price": 8})), |_| ());
    assert_eq!(reply, json!({"item_id": users.item, "price": 8.0}));
    let item = users.buyer.insist("GetItem", json!({"item_id": users.item}), |_| ());
    assert_eq!(item["item"]["quantity"], 103);
}

#[test]
fn a_database_that_falls_behind_has_requests_refused_early_until_it_goes_on() {
    const QUEUED: usize = 16;
    let data = tempfile::tempdir().unwrap();
    let customer = PROGRAM.database("db_customer", data.path());
    let mut product = PROGRAM.database("db_product", data.path());
    let options = ["--call-timeout-ms=600000", "--behind-after-ms=1"];
    let frontend = Watched::frontend("server_buyer", customer.address, product.address, &options);
    let search = json!({"category": 1});
    let mut clients: Vec<_> = (0..QUEUED).map(|_| Client::new(frontend.address())).collect();
    clients[0].insist("SearchItemsForSale", &search, |_| ());

    product.process().signal(Signal::STOP);
    clients.iter_mut().for_each(|client| client.send(request("SearchItemsForSale", &search)));
    let calls = r#"marketplace_calls_in_flight{backend="product"}"#;
    wait_until("all have called", || frontend.metrics()[calls] as usize == QUEUED);
    thread::sleep(Duration::from_millis(1));
    let mut newcomer = Client::new(frontend.address());
    let message = newcomer.refused("SearchItemsForSale", &search, "RESOURCE_EXHAUSTED");
    assert_eq!(message, "db_product answers too slowly, try again in 1 s; nothing was changed");
    let refused = r#"marketplace_calls_refused_total{backend="product",reason="behind"}"#;
    assert_eq!(frontend.metrics()[refused], 1.0);

    product.process().signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(client.read_json()["ok"], true, "what was taken is answered");
    }
    newcomer.ok("SearchItemsForSale", &search);
}

#[test]
fn a_frontend_may_be_there_before_its_databases() {
    let data = tempfile::tempdir().unwrap();
    let port = 6001;
    let absent = (own_host(), port).into();
    let frontend = PROGRAM.frontend("server_buyer", absent, absent, &[IMPATIENT]);
    let mut buyer = Client::new(frontend.address);
    buyer.ok("Ping", json!({}));
    buyer.refused("SearchItemsForSale", json!({"category": 1}), "UNAVAILABLE");
    let _database = PROGRAM.database_at("db_product", data.path(), absent);
    assert_eq!(buyer.insist("SearchItemsForSale", json!({"category": 1}), |_| ())["total"], 0);
}

#[test]
fn a_frontend_says_once_which_database_is_away_and_when_it_is_back() {
    let data = tempfile::tempdir().unwrap();
    let customer = PROGRAM.database("db_customer", data.path());
    let absent = (own_host(), 6002).into();
    let mut frontend = PROGRAM.frontend("server_seller", customer.address, absent, &[]);
    let line = frontend.process().wait_for("event=backend_down");
    let expected = format!(
        "WARN  [services::engine::databases] event=backend_down backend=db_product address={absent} reason=\"Connection refused"
    );
    assert!(line.contains(&expected), "{line}");
    for _ in 0..2 {
        let mut product = PROGRAM.database_at("db_product", data.path(), absent);
        let line = frontend.process().wait_for("event=backend_up backend=db_product");
        assert!(line.contains("away_ms="), "{line}");
        product.stop();
        frontend.process().wait_for("event=backend_down backend=db_product");
        // Connecting again and again in vain is not worth a line.
        thread::sleep(Duration::from_millis(300));
    }
    frontend.stop();
    let (_, log) = frontend.finish();
    assert_eq!(log.matches("event=backend_down").count(), 3, "{log}");
    assert_eq!(log.matches("event=backend_up").count(), 3, "{log}");
}

#[test]
fn addresses_that_are_swapped_are_found_before_any_client_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let [customer, product] = ["db_customer", "db_product"].map(|name| PROGRAM.database(name, data.path()));
    let mut frontend = PROGRAM.frontend("server_buyer", product.address, customer.address, &[IMPATIENT]);
    let process = frontend.process();
    let lines = [process.wait_for("event=backend_down"), process.wait_for("event=backend_down")];
    for (name, address, other) in
        [("db_customer", product.address, "db_product"), ("db_product", customer.address, "db_customer")]
    {
        let expected =
            format!("backend={name} address={address} reason=\"it is {other}, not {name}\" failures=1");
        assert!(lines.iter().any(|line| line.contains(&expected)), "{expected}: {lines:?}");
    }
    let mut buyer = Client::new(frontend.address);
    let message = buyer.refused("SearchItemsForSale", json!({"category": 1}), "UNAVAILABLE");
    assert_eq!(message, "db_product cannot be reached; nothing was changed");
}

#[test]
fn a_frontend_that_a_database_turns_away_says_what_it_was_told() {
    let data = tempfile::tempdir().unwrap();
    let customer = PROGRAM.database("db_customer", data.path());
    let mut args = Service::database_args("db_product", data.path());
    args.push("--connections-max=1".to_owned());
    let full =
        Service::adopt("db_product", PROGRAM.command(&["db_product", "--listen=127.0.0.1:0"]).args(args));
    let mut only = Client::new(full.address);
    only.ok("Ping", json!({}));
    let mut frontend = PROGRAM.frontend("server_buyer", customer.address, full.address, &[]);
    let line = frontend.process().wait_for("event=backend_down");
    assert!(line.contains("reason=\"it says: there are 1 connections, and there may be no more\""), "{line}");
}

fn with(mut data: Value, field: &str, value: &str) -> Value {
    data[field] = value.into();
    data
}
