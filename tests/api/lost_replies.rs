//! Connections to databases that break between a change and its reply: what others were told meanwhile stays true.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Act, FakeService, Reply};

use crate::cluster::{Cluster, Server, Setup, User};
use crate::proxy::{pass, proxy};

/// No test waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The marketplace, and a second pair of frontends that reach one of the databases through a proxy.
struct Lossy {
    cluster: Cluster,
    buyer: Server,
    seller: Server,
    /// A change was made, and its reply is about to be lost.
    made: Receiver<()>,
    lose: Sender<()>,
    _proxy: FakeService,
}

impl Lossy {
    /// The proxy of the database that has `api` loses the reply to the first call of it.
    fn new(database: &str, api: &'static str) -> Lossy {
        let cluster = Cluster::with(Setup::default());
        let (made_out, made) = channel();
        let (lose, lose_in) = channel();
        let first = Mutex::new(Some((made_out, lose_in)));
        let act = move |called: &str, reply: &[u8]| {
            let first = if called == api { first.lock().unwrap().take() } else { None };
            let Some((made, lose)) = first else { return pass(reply) };
            made.send(()).unwrap();
            let _ = lose.recv_timeout(PATIENCE);
            Act::Close
        };
        let (mut customer, mut product) = (cluster.customer.address, cluster.product.address);
        let changed = if database == "db_customer" { &mut customer } else { &mut product };
        let proxy = proxy(*changed, act);
        *changed = proxy.address;
        let setup = Setup::default();
        let (buyer, seller) =
            (Server::buyer(customer, product, &setup), Server::seller(customer, product, &setup));
        Lossy { cluster, buyer, seller, made, lose, _proxy: proxy }
    }

    /// Asks over the proxy, lets `meanwhile` happen between the change and the loss of its reply, and returns what
    /// the client is told.
    fn ask(&self, frontend: &Server, api: &str, data: Value, meanwhile: impl FnOnce()) -> Reply {
        let mut client = frontend.client();
        client.send(json!({"request_id": 1, "api": api, "data": data}).to_string());
        self.made.recv_timeout(PATIENCE).unwrap();
        meanwhile();
        self.lose.send(()).unwrap();
        Reply::new(client.read_line(), "1")
    }
}

#[track_caller]
fn assert_unknown(reply: &Reply, api: &str) {
    let message = reply.refused_with("UNAVAILABLE", api);
    assert!(message.ends_with("did not answer; the change may have been made"), "{api}: {message}");
}

/// A buyer, and a seller with an item.
fn users(cluster: &Cluster) -> (User, User, String) {
    let (buyer, mut seller) = (cluster.new_buyer("bob"), cluster.new_seller("sue"));
    let item = seller.sell(1, "pen", &[], 100);
    (buyer, seller, item)
}

#[test]
fn a_cart_is_not_cleared_again_after_something_was_added() {
    let lossy = Lossy::new("db_customer", "ClearCart");
    let (mut buyer, _, item) = users(&lossy.cluster);
    let add = json!({"item_id": item, "quantity": 3});
    buyer.ok("AddItemToCart", add.clone());
    let session = json!({"session_id": buyer.session});
    let reply = lossy.ask(&lossy.buyer, "ClearCart", session, || drop(buyer.ok("AddItemToCart", add)));
    assert_unknown(&reply, "ClearCart");
    assert_eq!(buyer.ok("DisplayCart", json!({}))["cart"], json!({item: 3}));
}

#[test]
fn a_cart_is_not_saved_again_over_one_that_was_saved_since() {
    let lossy = Lossy::new("db_customer", "SaveCart");
    let (mut buyer, _, item) = users(&lossy.cluster);
    let other = User::log_in(&mut buyer.client, "bob");
    buyer.ok("AddItemToCart", json!({"item_id": item, "quantity": 1}));
    let session = json!({"session_id": buyer.session});
    let client = &mut buyer.client;
    let reply = lossy.ask(&lossy.buyer, "SaveCart", session, || {
        client.ok("AddItemToCart", json!({"session_id": other, "item_id": item, "quantity": 5}));
        client.ok("SaveCart", json!({"session_id": other}));
    });
    assert_unknown(&reply, "SaveCart");
    buyer.session = User::log_in(&mut buyer.client, "bob");
    assert_eq!(buyer.ok("DisplayCart", json!({}))["cart"], json!({item: 5}));
}

#[test]
fn a_price_does_not_come_back_after_it_was_changed() {
    let lossy = Lossy::new("db_product", "ChangeItemPrice");
    let (mut buyer, mut seller, item) = users(&lossy.cluster);
    let ten = json!({"session_id": seller.session, "item_id": item, "price": 10});
    let reply = lossy.ask(&lossy.seller, "ChangeItemPrice", ten, || {
        seller.ok("ChangeItemPrice", json!({"item_id": item, "price": 20}));
    });
    assert_unknown(&reply, "ChangeItemPrice");
    assert_eq!(buyer.ok("GetItem", json!({"item_id": item}))["item"]["price"], 20.0);
}

#[test]
fn a_vote_does_not_come_back_after_it_was_changed() {
    let lossy = Lossy::new("db_product", "ProvideFeedback");
    let (mut buyer, _, item) = users(&lossy.cluster);
    let up = json!({"session_id": buyer.session, "item_id": item, "vote": "up"});
    let reply = lossy.ask(&lossy.buyer, "ProvideFeedback", up, || {
        buyer.ok("ProvideFeedback", json!({"item_id": item, "vote": "down"}));
    });
    assert_unknown(&reply, "ProvideFeedback");
    let down = json!({"up": 0, "down": 1});
    assert_eq!(buyer.ok("GetItem", json!({"item_id": item}))["item"]["feedback"], down);
    assert_eq!(buyer.ok("GetSellerRating", json!({"seller_id": 1}))["feedback"], down);
}

/// The half of a vote that counts for the seller carries a revision, so it undoes nothing when it is repeated.
#[test]
fn a_vote_is_completed_and_does_not_come_back_at_its_seller() {
    let lossy = Lossy::new("db_customer", "RateSeller");
    let (mut buyer, _, item) = users(&lossy.cluster);
    let up = json!({"session_id": buyer.session, "item_id": item, "vote": "up"});
    let reply = lossy.ask(&lossy.buyer, "ProvideFeedback", up, || {
        buyer.ok("ProvideFeedback", json!({"item_id": item, "vote": "down"}));
    });
    let answered = json!({"item_id": item, "feedback": {"up": 1, "down": 0}});
    assert_eq!(serde_json::from_str::<Value>(&reply.data()).unwrap(), answered);
    let down = json!({"up": 0, "down": 1});
    assert_eq!(buyer.ok("GetItem", json!({"item_id": item}))["item"]["feedback"], down);
    assert_eq!(buyer.ok("GetSellerRating", json!({"seller_id": 1}))["feedback"], down);
}

/// A session that was ended never comes back, so ending it twice undoes nothing.
#[test]
fn logging_out_and_reading_are_repeated() {
    let lossy = Lossy::new("db_customer", "Logout");
    let (buyer, ..) = users(&lossy.cluster);
    let session = json!({"session_id": buyer.session});
    assert_eq!(lossy.ask(&lossy.buyer, "Logout", session, || ()).data(), r#"{"logged_out":true}"#);

    let lossy = Lossy::new("db_product", "GetItem");
    let (_, _, item) = users(&lossy.cluster);
    let reply = lossy.ask(&lossy.buyer, "GetItem", json!({"item_id": item}), || ());
    assert!(reply.data().contains(&item));
}
