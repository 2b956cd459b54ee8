//! Databases that are down, go down, come back, or do not answer.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use services::Deadlines;
use support::{Act, FakeService, Reply, Store, own_host};

use crate::PROGRAM;
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
    customer_address: SocketAddr,
    product_address: SocketAddr,
    store: Store,
    setup: Setup,
}

impl Shop {
    /// Frontends with so much patience, and no databases yet.
    fn without_databases(patience: Duration) -> Shop {
        let deadlines = Deadlines { password: patience, ..Deadlines::new(patience) };
        let setup = Setup { deadlines, ..Setup::default() };
        let (customer_address, product_address) = (own_address(), own_address());
        Shop {
            buyer: Server::buyer(customer_address, product_address, &setup),
            seller: Server::seller(customer_address, product_address, &setup),
            customer: None,
            product: None,
            customer_address,
            product_address,
            store: Store::new(PROGRAM),
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
        let listen = self.customer_address.to_string();
        self.customer = Some(Server::customer(&listen, &self.store, &self.setup));
    }

    fn start_product(&mut self) {
        let listen = self.product_address.to_string();
        self.product = Some(Server::product(&listen, &self.store, &self.setup));
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
fn own_address() -> SocketAddr {
    (own_host(), 6001).into()
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
    let product = FakeService::db_product(shop.product_address, Act::Ignore);
    let units = json!({"item_id": "1:1", "quantity_delta": 1});
    let price = json!({"item_id": "1:1", "price": 1});
    for (api, data) in [("UpdateUnitsForSale", units), ("ChangeItemPrice", price)] {
        let message = seller.refused(api, data, "UNAVAILABLE");
        assert!(message.contains("db_product") && message.contains("may have been made"), "{api}: {message}");
        assert_eq!(product.next_call().api, api);
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
        let product = FakeService::db_product(shop.product_address, Act::Die);
        let message = seller.refused(api, data, "UNAVAILABLE");
        assert_eq!(product.next_call().api, api);
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
    let product = FakeService::db_product(shop.product_address, Act::Ignore);
    shop.start_customer();
    let mut client = shop.buyer.client();
    let get = r#"{"request_id":1,"api":"GetItem","data":{"item_id":"1:1"}}"#;
    client.send(format!("{get}\n{get}"));
    assert_eq!(product.next_call().api, "GetItem");
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
