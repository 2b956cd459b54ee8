//! Votes for items, and what they make of a seller's rating.

use serde_json::json;

use crate::cluster::{Cluster, User};

#[track_caller]
fn assert_rating(seller: &mut User, buyer: &mut User, up: u32, down: u32) {
    let feedback = format!(r#"{{"up":{up},"down":{down}}}"#);
    let rating =
        format!(r#"{{"seller_id":{},"name":"Sue","feedback":{feedback},"items_sold":0}}"#, seller.id);
    assert_eq!(seller.ok_text("GetSellerRating", json!({})), rating);
    let seller_id = json!({"seller_id": seller.id});
    assert_eq!(buyer.ok_text("GetSellerRating", seller_id), rating, "buyers see the same");
}

#[track_caller]
fn vote(buyer: &mut User, item: &str, vote: &str, up: u32, down: u32) {
    let voted = buyer.ok_text("ProvideFeedback", json!({"item_id": item, "vote": vote}));
    let feedback = format!(r#"{{"up":{up},"down":{down}}}"#);
    assert_eq!(voted, format!(r#"{{"item_id":"{item}","feedback":{feedback}}}"#));
    let seen = buyer.ok_text("GetItem", json!({"item_id": item}));
    assert!(seen.ends_with(&format!(r#","feedback":{feedback}}}}}"#)), "{seen}");
}

#[test]
fn a_vote_counts_for_the_item_and_its_seller_and_is_replaced() {
    let cluster = Cluster::start();
    let (mut seller, mut bob, mut eve) =
        (cluster.new_seller("Sue"), cluster.new_buyer("bob"), cluster.new_buyer("eve"));
    let (pen, ink) = (seller.sell(1, "Pen", &[], 1), seller.sell(1, "Ink", &[], 0));
    assert_rating(&mut seller, &mut bob, 0, 0);
    vote(&mut bob, &pen, "up", 1, 0);
    assert_rating(&mut seller, &mut bob, 1, 0);
    vote(&mut bob, &pen, "up", 1, 0);
    assert_rating(&mut seller, &mut bob, 1, 0);
    vote(&mut bob, &pen, "down", 0, 1);
    assert_rating(&mut seller, &mut bob, 0, 1);
    vote(&mut eve, &pen, "up", 1, 1);
    vote(&mut bob, &ink, "up", 1, 0);
    assert_rating(&mut seller, &mut bob, 2, 1);

    // Another session is no other buyer, and a restart forgets no vote.
    bob.session = User::log_in(&mut bob.client, "bob");
    vote(&mut bob, &pen, "up", 2, 0);
    let cluster = cluster.restart();
    (seller.client, bob.client) = (cluster.seller.client(), cluster.buyer.client());
    vote(&mut bob, &pen, "up", 2, 0);
    vote(&mut bob, &pen, "down", 1, 1);
    assert_rating(&mut seller, &mut bob, 2, 1);
}

#[test]
fn what_cannot_be_voted_for_is_refused() {
    let cluster = Cluster::start();
    let (mut seller, mut bob) = (cluster.new_seller("Sue"), cluster.new_buyer("bob"));
    let pen = seller.sell(1, "Pen", &[], 1);
    let message = bob.refused("ProvideFeedback", json!({"item_id": "1:2", "vote": "up"}), "NOT_FOUND");
    assert!(message.contains("1:2"), "{message}");
    let for_another = json!({"item_id": pen, "vote": "up", "buyer_id": 2});
    assert!(bob.refused("ProvideFeedback", for_another, "INVALID_ARGUMENT").contains("`buyer_id`"));
    assert!(bob.refused("GetSellerRating", json!({"seller_id": 9}), "NOT_FOUND").contains('9'));
    let own_only = seller.refused("GetSellerRating", json!({"seller_id": 1}), "INVALID_ARGUMENT");
    assert!(own_only.contains("`seller_id`"), "{own_only}");
    assert_rating(&mut seller, &mut bob, 0, 0);
}

#[test]
fn ratings_of_sellers_do_not_mix() {
    let cluster = Cluster::start();
    let (mut sue, mut tom) = (cluster.new_seller("Sue"), cluster.new_seller("Tom"));
    let mut bob = cluster.new_buyer("bob");
    let pen = tom.sell(1, "Pen", &[], 1);
    vote(&mut bob, &pen, "down", 0, 1);
    assert_rating(&mut sue, &mut bob, 0, 0);
    let tom = r#"{"seller_id":2,"name":"Tom","feedback":{"up":0,"down":1},"items_sold":0}"#;
    assert_eq!(bob.ok_text("GetSellerRating", json!({"seller_id": 2})), tom);
}
