//! Databases whose memory is full: nothing new is kept, and all else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use support::{Client, Failure, PATIENCE};

use crate::cluster::{Cluster, MEMORY_MAX_MIB, Setup, User};

const FULL: &str = "this database holds as much as its memory limit of 100 MiB allows (--memory-max-mib)";

struct Market {
    cluster: Cluster,
    resident_mib: Arc<AtomicU64>,
}

impl Market {
    fn start() -> Market {
        let setup = Setup::default();
        let resident_mib = Arc::clone(&setup.resident_mib);
        Market { cluster: Cluster::in_files(setup), resident_mib }
    }

    /// Has the process take so much memory, and waits until both databases have seen it.
    fn take(&self, resident_mib: u64) {
        self.resident_mib.store(resident_mib, Ordering::Relaxed);
        let is_full = resident_mib >= MEMORY_MAX_MIB;
        let item = json!({"seller_id": 1000, "name": "Pen", "category": 1000, "keywords": [], "condition": "new",
            "price": 1, "quantity": 0});
        let session = json!({"name": "eve", "password": "secret", "role": "buyer"});
        await_room(&mut self.cluster.product.client(), "RegisterItem", &item, is_full);
        await_room(&mut self.cluster.customer.client(), "Login", &session, is_full);
    }
}

/// Asks for something new until it is refused, or is not any more.
fn await_room(client: &mut Client, api: &str, data: &Value, is_full: bool) {
    let give_up_at = Instant::now() + PATIENCE;
    while is_full
        != matches!(client.call(api, data), Err(Failure::Refused(code, _)) if code == "RESOURCE_EXHAUSTED")
    {
        assert!(Instant::now() < give_up_at, "{api} does not notice how much memory there is");
    }
}

fn assert_full(user: &mut User, api: &str, data: Value) {
    assert_eq!(user.refused(api, data, "RESOURCE_EXHAUSTED"), FULL, "{api}");
}

#[test]
fn nothing_new_is_kept_and_all_else_goes_on() {
    let market = Market::start();
    let cluster = &market.cluster;
    cluster.new_buyer("eve");
    let (mut ann, mut bob) = (cluster.new_seller("ann"), cluster.new_buyer("bob"));
    let (pen, ink) = (ann.sell(1, "Pen", &[], 10), ann.sell(1, "Ink", &[], 10));
    bob.ok("AddItemToCart", json!({"item_id": pen, "quantity": 3}));
    let bought = bob.ok_text("MakePurchase", json!({"idempotency_key": "before"}));
    bob.ok("AddItemToCart", json!({"item_id": pen, "quantity": 1}));
    bob.ok("ProvideFeedback", json!({"item_id": pen, "vote": "up"}));
    market.take(MEMORY_MAX_MIB);

    let new_item =
        json!({"name": "Pad", "category": 1, "keywords": [], "condition": "new", "price": 1, "quantity": 1});
    assert_full(&mut ann, "RegisterItemForSale", new_item);
    let (account, login) =
        (json!({"name": "dan", "password": "x"}), json!({"name": "bob", "password": "secret"}));
    assert_eq!(ann.client.refused("CreateAccount", &account, "RESOURCE_EXHAUSTED"), FULL);
    assert_eq!(bob.client.refused("CreateAccount", &account, "RESOURCE_EXHAUSTED"), FULL);
    assert_eq!(bob.client.refused("Login", &login, "RESOURCE_EXHAUSTED"), FULL);
    assert_full(&mut bob, "AddItemToCart", json!({"item_id": ink, "quantity": 1}));
    assert_full(&mut bob, "MakePurchase", json!({"idempotency_key": "after"}));
    assert_full(&mut bob, "ProvideFeedback", json!({"item_id": ink, "vote": "up"}));
    let vote = json!({"buyer_id": 1, "item_id": ink, "seller_id": 99, "vote": "up", "revision": 1});
    cluster.customer.client().refused("RateSeller", vote, "NOT_FOUND");

    ann.ok("ChangeItemPrice", json!({"item_id": pen, "price": 2}));
    ann.ok("UpdateUnitsForSale", json!({"item_id": pen, "quantity_delta": 5}));
    bob.ok("ProvideFeedback", json!({"item_id": pen, "vote": "down"}));
    bob.ok("AddItemToCart", json!({"item_id": pen, "quantity": 1}));
    assert_eq!(
        bob.ok_text("MakePurchase", json!({"idempotency_key": "before"})),
        bought,
        "it is not a new one"
    );
    bob.ok("RemoveItemFromCart", json!({"item_id": pen, "quantity": 2}));
    bob.ok("SaveCart", json!({}));
    assert_eq!(bob.ok("DisplayCart", json!({}))["cart"], json!({}));
    assert_eq!(bob.ok("GetBuyerPurchases", json!({}))["purchases_count"], 1);
    assert_eq!(bob.ok("SearchItemsForSale", json!({"category": 1}))["total"], 2);
    ann.ok("Logout", json!({}));

    market.take(MEMORY_MAX_MIB - 1);
    bob.ok("AddItemToCart", json!({"item_id": ink, "quantity": 1}));
    bob.ok("MakePurchase", json!({}));
}

#[test]
fn what_grows_is_refused_a_reserve_later() {
    let market = Market::start();
    let cluster = &market.cluster;
    cluster.new_buyer("eve");
    let (mut ann, mut bob) = (cluster.new_seller("ann"), cluster.new_buyer("bob"));
    let (pen, ink) = (ann.sell(1, "Pen", &[], 10), ann.sell(1, "Ink", &[], 0));
    bob.ok("AddItemToCart", json!({"item_id": pen, "quantity": 1}));
    market.take(2 * MEMORY_MAX_MIB);
    assert_full(&mut bob, "SaveCart", json!({}));
    assert_full(&mut ann, "UpdateUnitsForSale", json!({"item_id": ink, "quantity_delta": 1}));
    ann.ok("UpdateUnitsForSale", json!({"item_id": pen, "quantity_delta": -10}));
    ann.ok("ChangeItemPrice", json!({"item_id": ink, "price": 2}));

    market.take(MEMORY_MAX_MIB);
    let restock = json!({"item_id": ink, "quantity_delta": 1});
    await_room(&mut cluster.product.client(), "UpdateUnitsForSale", &restock, false);
    await_room(&mut bob.client, "SaveCart", &json!({"session_id": bob.session}), false);
}

#[test]
fn a_purchase_that_has_begun_ends_though_memory_is_full() {
    let market = Market::start();
    let cluster = &market.cluster;
    cluster.new_buyer("eve");
    let (mut ann, mut bob) = (cluster.new_seller("ann"), cluster.new_buyer("bob"));
    let pen = ann.sell(1, "Pen", &[], 10);
    bob.ok("AddItemToCart", json!({"item_id": pen, "quantity": 3}));
    let begin = json!({"session_id": bob.session, "idempotency_key": "begun"});
    cluster.customer.client().ok("BeginPurchase", begin);
    market.take(MEMORY_MAX_MIB);
    let receipt = bob.ok("MakePurchase", json!({"idempotency_key": "begun"}));
    assert_eq!(receipt["items"][0]["quantity"], 3);
    assert_eq!(bob.ok("GetBuyerPurchases", json!({}))["purchases_count"], 1);
}

#[test]
fn a_start_refuses_nothing_that_is_stored() {
    let market = Market::start();
    let pen = market.cluster.new_seller("ann").sell(1, "Pen", &[], 10);
    let bob = market.cluster.new_buyer("bob").session;
    let Market { cluster, resident_mib } = market;
    resident_mib.store(10 * MEMORY_MAX_MIB, Ordering::Relaxed);
    let cluster = cluster.restart();
    let mut buyer = cluster.buyer.client();
    assert_eq!(buyer.ok("GetItem", json!({"item_id": pen}))["item"]["quantity"], 10);
    buyer.ok("DisplayCart", json!({"session_id": bob}));
}
