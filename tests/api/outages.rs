//! Databases that are down, go down, come back, or do not answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use services::Deadlines;
use support::Reply;
use tempfile::TempDir;

use crate::cluster::{Server, Setup, User};

/// Patience of a frontend that is to run out in a test.
const SHORT: Duration = Duration::from_millis(400);
/// Patience of a frontend that is not.
const LONG: Duration = Duration::from_secs(20);

/// Frontends, and databases that can be stopped and started at their addresses.
struct Shop {
    buyer: Server,
    seller: Server,
    customer: Option<Server>,
    product: Option<Server>,
    customer_address: String,
    product_address: String,
    directory: TempDir,
    setup: Setup,
}

impl Shop {
    /// Frontends with so much patience, and no databases yet.
    fn without_databases(patience: Duration) -> Shop {
        let deadlines = Deadlines { call: patience, password: patience };
        let setup = Setup { deadlines, ..Setup::default() };
        let (customer_address, product_address) = (own_address(), own_address());
        let (customer, product) = (customer_address.parse().unwrap(), product_address.parse().unwrap());
        Shop {
            buyer: Server::buyer(customer, product, &setup),
            seller: Server::seller(customer, product, &setup),
            customer: None,
            product: None,
            customer_address,
            product_address,
            directory: tempfile::tempdir().unwrap(),
            setup,
        }
    }

    fn with_databases(patience: Duration) -> Shop {
        let mut shop = Shop::without_databases(patience);
        shop.start_customer();
        shop.start_product();
        shop
    }

    fn start_customer(&mut self) {
        let server = Server::customer(&self.customer_address, self.directory.path(), &self.setup);
        self.customer = Some(server);
    }

    fn start_product(&mut self) {
        let server = Server::product(&self.product_address, self.directory.path(), &self.setup);
        self.product = Some(server);
    }

    fn new_buyer(&self) -> User {
        User::register(self.buyer.client(), "bob", "buyer_id")
    }

    fn new_seller(&self) -> User {
        User::register(self.seller.client(), "sue", "seller_id")
    }
}

/// An address for a database that is not always there. Its host is one that no other test uses, so that nobody
/// else is given the port meanwhile.
fn own_address() -> String {
    static LAST_HOST: AtomicU8 = AtomicU8::new(1);
    let host = LAST_HOST.fetch_add(1, Ordering::Relaxed) + 1;
    let listener = TcpListener::bind(format!("127.0.0.{host}:0")).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A `db_product` that takes `connections` and then no more. It answers nothing but the greeting, and reports each API
/// that it is asked for; if it is `dying`, each connection ends with its first request.
fn mute_database(address: &str, connections: usize, dying: bool) -> Receiver<String> {
    let listener = TcpListener::bind(address).unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let streams: Vec<_> = (0..connections).map(|_| listener.accept().unwrap().0).collect();
        drop(listener);
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || listen(&stream, &sender, dying));
        }
    });
    receiver
}

fn listen(stream: &TcpStream, sender: &Sender<String>, dying: bool) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let request: Value = serde_json::from_str(&line).unwrap();
        if request["api"] == "Ping" {
            greet(stream, &request["request_id"]);
            continue;
        }
        let _ = sender.send(request["api"].as_str().unwrap().to_owned());
        if dying {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn greet(mut stream: &TcpStream, id: &Value) {
    let data = r#"{"service":"db_product","version":"0","commits":0}"#;
    let reply =
        format!("{{\"type\":\"Response\",\"request_id\":{id},\"ok\":true,\"error\":null,\"data\":{data}}}\n");
    let _ = stream.write_all(reply.as_bytes());
}

fn new_item() -> Value {
    json!({"name": "Pen", "category": 1, "condition": "new", "price": 1, "quantity": 5})
}

#[test]
fn without_databases_requests_are_unavailable_and_change_nothing() {
    let shop = Shop::without_databases(SHORT);
    let line = json!({"session_id": "x", "item_id": "1:1", "quantity": 1});
    let vote = json!({"session_id": "x", "item_id": "1:1", "vote": "up"});
    let mut item = new_item();
    item["session_id"] = json!("x");
    let account = json!({"name": "ann", "password": "x"});
    let price = json!({"session_id": "x", "item_id": "1:1", "price": 1});
    let writes = [
        (&shop.buyer, "CreateAccount", account.clone()),
        (&shop.buyer, "Login", account),
        (&shop.buyer, "AddItemToCart", line.clone()),
        (&shop.buyer, "RemoveItemFromCart", line),
        (&shop.buyer, "ProvideFeedback", vote),
        (&shop.buyer, "SaveCart", json!({"session_id": "x"})),
        (&shop.seller, "RegisterItemForSale", item),
        (&shop.seller, "ChangeItemPrice", price),
        (&shop.seller, "Logout", json!({"session_id": "x"})),
    ];
    let reads = [
        (&shop.buyer, "DisplayCart", json!({"session_id": "x"})),
        (&shop.buyer, "SearchItemsForSale", json!({"category": 1})),
        (&shop.buyer, "GetItem", json!({"item_id": "1:1"})),
        (&shop.seller, "DisplayItemsForSale", json!({"session_id": "x"})),
    ];
    // All at once, so that the test waits for the deadline once.
    let ask = |(server, api, data): &(&Server, &'static str, Value)| {
        let mut client = server.client();
        client.send(json!({"request_id": 1, "api": api, "data": data}).to_string());
        (*api, client)
    };
    let (writes, reads): (Vec<_>, Vec<_>) =
        (writes.iter().map(ask).collect(), reads.iter().map(ask).collect());
    shop.buyer.client().assert_usable();
    shop.seller.client().assert_usable();
    for (api, mut client) in writes {
        let message = Reply::new(client.read_line(), "1").refused_with("UNAVAILABLE", api);
        assert!(message.contains("nothing was changed"), "{api}: {message}");
        client.assert_usable();
    }
    for (api, mut client) in reads {
        let message = Reply::new(client.read_line(), "1").refused_with("UNAVAILABLE", api);
        assert!(message.contains("db_"), "{api}: {message}");
        client.assert_usable();
    }
}

#[test]
fn requests_wait_for_databases_that_are_on_their_way() {
    let mut shop = Shop::without_databases(LONG);
    let (mut buyer, mut seller) = (shop.buyer.client(), shop.seller.client());
    buyer.send(r#"{"api":"SearchItemsForSale","data":{"category":1}}"#);
    seller.send(r#"{"api":"CreateAccount","data":{"name":"sue","password":"secret"}}"#);
    shop.start_customer();
    shop.start_product();
    assert_eq!(Reply::new(seller.read_line(), "null").data(), r#"{"seller_id":1}"#);
    let none = r#"{"items":[],"total":0,"next_cursor":null}"#;
    assert_eq!(Reply::new(buyer.read_line(), "null").data(), none);
}

#[test]
fn a_database_may_go_down_and_come_back_while_frontends_run() {
    let mut shop = Shop::with_databases(SHORT);
    let (mut buyer, mut seller) = (shop.new_buyer(), shop.new_seller());
    seller.ok("RegisterItemForSale", new_item());
    let line = json!({"item_id": "1:1", "quantity": 1});
    buyer.ok("AddItemToCart", line.clone());

    shop.product = None;
    let message = buyer.refused("AddItemToCart", line.clone(), "UNAVAILABLE");
    assert!(message.contains("db_product") && message.contains("nothing was changed"), "{message}");
    assert_eq!(buyer.ok_text("DisplayCart", json!({})), r#"{"cart":{"1:1":1}}"#);
    let message = seller.refused("RegisterItemForSale", new_item(), "UNAVAILABLE");
    assert!(message.contains("nothing was changed"), "{message}");

    shop.start_product();
    assert_eq!(buyer.ok_text("AddItemToCart", line.clone()), r#"{"item_id":"1:1","quantity":2}"#);
    assert_eq!(seller.ok_text("RegisterItemForSale", new_item()), r#"{"item_id":"1:2"}"#);

    shop.customer = None;
    buyer.refused("DisplayCart", json!({}), "UNAVAILABLE");
    buyer.client.ok("GetItem", json!({"item_id": "1:1"}));
    shop.start_customer();
    assert_eq!(buyer.ok_text("DisplayCart", json!({})), r#"{"cart":{"1:1":2}}"#);
}

#[test]
fn a_database_that_is_back_in_time_was_never_away() {
    let mut shop = Shop::with_databases(LONG);
    let (mut buyer, mut seller) = (shop.new_buyer(), shop.new_seller());
    seller.ok("RegisterItemForSale", new_item());
    for round in 1..=3 {
        (shop.customer, shop.product) = (None, None);
        let add = json!({"session_id": buyer.session, "item_id": "1:1", "quantity": 1});
        buyer.client.send(json!({"request_id": round, "api": "AddItemToCart", "data": add}).to_string());
        shop.start_product();
        shop.start_customer();
        let reply = Reply::new(buyer.client.read_line(), &round.to_string());
        assert_eq!(reply.data(), format!(r#"{{"item_id":"1:1","quantity":{round}}}"#));
    }
}

#[test]
fn a_change_that_a_database_has_seen_and_not_answered_may_have_been_made() {
    let mut shop = Shop::without_databases(SHORT);
    shop.start_customer();
    let mut seller = shop.new_seller();
    // Both frontends have two connections to it.
    let asked = mute_database(&shop.product_address, 4, false);
    let units = json!({"item_id": "1:1", "quantity_delta": 1});
    let price = json!({"item_id": "1:1", "price": 1});
    for (api, data) in [("UpdateUnitsForSale", units), ("ChangeItemPrice", price)] {
        let message = seller.refused(api, data, "UNAVAILABLE");
        assert!(message.contains("db_product") && message.contains("may have been made"), "{api}: {message}");
        assert_eq!(asked.recv_timeout(LONG).unwrap(), api);
    }
    seller.refused("DisplayItemsForSale", json!({}), "UNAVAILABLE");
}

#[test]
fn a_change_may_have_been_made_by_a_database_that_died_and_stayed_away() {
    for (api, data) in [
        ("UpdateUnitsForSale", json!({"item_id": "1:1", "quantity_delta": 1})),
        ("ChangeItemPrice", json!({"item_id": "1:1", "price": 1})),
    ] {
        let mut shop = Shop::without_databases(SHORT);
        shop.start_customer();
        let mut seller = shop.new_seller();
        let asked = mute_database(&shop.product_address, 4, true);
        let message = seller.refused(api, data, "UNAVAILABLE");
        assert_eq!(asked.recv_timeout(LONG).unwrap(), api);
        assert!(message.contains("may have been made"), "{api}: {message}");
    }
}

#[test]
fn a_database_that_takes_no_connection_changes_nothing() {
    let mut shop = Shop::without_databases(SHORT);
    shop.start_customer();
    shop.setup.database_limits.connections_max = 0;
    shop.start_product();
    let mut seller = shop.new_seller();
    let message = seller.refused("RegisterItemForSale", new_item(), "UNAVAILABLE");
    assert!(message.contains("db_product") && message.contains("nothing was changed"), "{message}");
}

#[test]
fn a_frontend_that_is_stopped_answers_what_is_in_flight() {
    let mut shop = Shop::without_databases(SHORT);
    let asked = mute_database(&shop.product_address, 4, false);
    shop.start_customer();
    let mut client = shop.buyer.client();
    let get = r#"{"request_id":1,"api":"GetItem","data":{"item_id":"1:1"}}"#;
    client.send(format!("{get}\n{get}"));
    assert_eq!(asked.recv_timeout(LONG).unwrap(), "GetItem");
    drop(shop);
    // Both had come before.
    Reply::new(client.read_line(), "1").refused_with("UNAVAILABLE", "GetItem");
    Reply::new(client.read_line(), "1").refused_with("UNAVAILABLE", "GetItem");
    client.assert_closed();
}

#[test]
fn a_database_that_is_stopped_has_kept_what_it_answered() {
    let mut shop = Shop::with_databases(LONG);
    let mut client = shop.product.as_ref().unwrap().client();
    let mut item = new_item();
    item["seller_id"] = json!(1);
    client.ok("RegisterItem", item);
    let add = r#"{"api":"UpdateUnitsForSale","data":{"item_id":"1:1","quantity_delta":1}}"#;
    client.send_bytes(format!("{add}\n").repeat(2000).as_bytes());
    client.read_line();
    shop.product = None;
    let answered = 1 + client.read_to_end().lines().count();
    shop.start_product();
    let item = shop.product.as_ref().unwrap().client().ok("GetItem", json!({"item_id": "1:1"}));
    assert_eq!(item["item"]["quantity"], 5 + answered);
}
