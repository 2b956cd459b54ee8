//! Buying, and what is left of it at buyers and sellers.

use serde_json::{Value, json};

use super::{Talk, WRONG};
use crate::api::{Api, Role};
use crate::client::{ReplyError, STOCK, Use};

/// The receipt of so many units of the only item.
fn receipt(number: u64, quantity: u32, price: f64) -> Value {
    let items = json!([{"item_id": "1:1", "name": "A", "quantity": quantity, "price": price}]);
    json!({"purchase_id": number.to_string(), "items": items, "total": price * f64::from(quantity)})
}

/// Puts a unit of the only item into the cart, which then holds so many.
fn add(talk: &mut Talk, quantity: u32) {
    assert_eq!(talk.call(Api::AddItemToCart, &json!({"item_id": "1:1", "quantity": quantity})), Ok(()));
}

#[test]
fn a_buyer_fills_the_cart_and_buys_it_under_a_key_of_its_own() {
    let mut talk = Talk::ready(Role::Buyer, "purchase");
    let mut keys = Vec::new();
    for number in 1..=3 {
        let (api, _) = talk.next();
        assert_eq!(api, Api::AddItemToCart);
        assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "quantity": 1})), Ok(()));
        let (api, data) = talk.next();
        assert_eq!(api, Api::MakePurchase);
        keys.push(data["idempotency_key"].as_str().expect("there is one").to_owned());
        assert_eq!(talk.answer(api, &receipt(number, 1, 10.0)), Ok(()));
    }
    keys.dedup();
    assert_eq!(keys.len(), 3);
    assert_eq!(talk.world.sold_of(3), 3);
}

#[test]
fn a_receipt_must_be_of_the_cart_and_of_a_new_purchase() {
    let bought = |mix, quantity| {
        let mut talk = Talk::ready(Role::Buyer, mix);
        (1..=quantity).for_each(|quantity| add(&mut talk, quantity));
        talk
    };
    assert_eq!(bought("shopping", 2).call(Api::MakePurchase, &receipt(1, 2, 12.5)), Ok(()));
    assert_eq!(bought("purchase", 2).call(Api::MakePurchase, &receipt(1, 2, 12.5)), WRONG, "it costs 10");
    let mut wrong = vec![receipt(1, 1, 12.5), receipt(1, 2, 11.0), json!({})];
    for (field, value) in [("total", json!(12.5)), ("items", json!([])), ("purchase_id", json!("x"))] {
        wrong.push(receipt(1, 2, 12.5));
        wrong.last_mut().expect("it was pushed")[field] = value;
    }
    let mut other = receipt(1, 2, 12.5);
    other["items"][0]["item_id"] = json!("1:2");
    wrong.push(other);
    let mut twice = receipt(1, 2, 12.5);
    twice["items"] = json!([twice["items"][0], twice["items"][0]]);
    twice["total"] = json!(50.0);
    wrong.push(twice);
    for wrong in wrong {
        assert_eq!(bought("shopping", 2).call(Api::MakePurchase, &wrong), WRONG, "{wrong}");
    }

    let mut talk = bought("purchase", 1);
    assert_eq!(talk.call(Api::MakePurchase, &receipt(1, 1, 10.0)), Ok(()));
    add(&mut talk, 1);
    assert_eq!(talk.call(Api::MakePurchase, &receipt(1, 1, 10.0)), WRONG, "that one is known");
}

#[test]
fn a_buyer_looks_at_the_end_whether_all_purchases_are_remembered() {
    let mut talk = Talk::ready(Role::Buyer, "purchase");
    assert!(!talk.client.has_teardown(), "nothing was bought");
    for number in 1..=2 {
        add(&mut talk, 1);
        assert_eq!(talk.call(Api::MakePurchase, &receipt(number, 1, 10.0)), Ok(()));
    }
    let history = |count: u64| json!({"buyer_id": 7, "purchases_count": count, "purchases": []});
    assert_eq!(talk.tear_down().0, Api::GetBuyerPurchases);
    assert_eq!(talk.answer(Api::GetBuyerPurchases, &history(1)), WRONG);
    assert!(!talk.client.has_teardown(), "nothing is tried twice");

    // Unless the session has ended meanwhile.
    add(&mut talk, 1);
    assert_eq!(talk.call(Api::MakePurchase, &receipt(3, 1, 10.0)), Ok(()));
    let (api, _) = talk.tear_down();
    let id = talk.client.last_id;
    let timed_out = format!(
        r#"{{"type":"Response","request_id":{id},"ok":false,"error":{{"code":"SESSION_TIMEOUT","message":"?"}},"data":null}}"#
    );
    assert_eq!(talk.client.take(api, timed_out.as_bytes(), &mut talk.world), Ok(Use::Something));
    assert_eq!(talk.tear_down().0, Api::Login);
    assert_eq!(talk.answer(Api::Login, &json!({"session_id": "s2", "user_id": 7})), Ok(()));
    assert_eq!(talk.tear_down().0, Api::GetBuyerPurchases);
    assert_eq!(talk.answer(Api::GetBuyerPurchases, &history(3)), Ok(()));
    assert!(!talk.client.has_teardown());
}

/// A seller, of whose item two units were bought and a third may have been.
fn selling() -> Talk {
    let mut talk = Talk::ready(Role::Seller, "shopping");
    for number in 1..=3 {
        let cart = [(0, 1)].into();
        talk.world.begin(&cart);
        assert!(number == 3 || talk.world.sold(number, &cart));
    }
    talk
}

#[test]
fn what_a_seller_is_told_lies_between_what_was_bought_and_what_may_have_been() {
    for (sold, result) in [(1, WRONG), (2, Ok(())), (3, Ok(())), (4, WRONG)] {
        let rating = json!({"seller_id": 7, "items_sold": sold});
        assert_eq!(selling().call(Api::GetSellerRating, &rating), result, "{sold} sold");
        let units = json!({"item_id": "1:1", "quantity": STOCK + 1 - sold});
        assert_eq!(selling().call(Api::UpdateUnitsForSale, &units), result, "{sold} sold");
    }
}

#[test]
fn at_the_end_the_units_that_are_left_are_all_that_were_not_bought() {
    let mut talk = selling();
    assert_eq!(talk.tear_down().0, Api::GetSellerRating);
    assert_eq!(talk.answer(Api::GetSellerRating, &json!({"seller_id": 7, "items_sold": 2})), Ok(()));
    let (api, data) = talk.tear_down();
    assert_eq!((api, &data["quantity_delta"]), (Api::UpdateUnitsForSale, &json!(2 - STOCK)));
    assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "quantity": 0})), Ok(()));

    let mut talk = selling();
    talk.client.confirm_nothing();
    let (api, _) = talk.tear_down();
    assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "quantity": 1})), Err(ReplyError::Wrong));
}

#[test]
fn a_seller_of_several_items_has_them_all_bought() {
    let mut talk = Talk::new(Role::Seller, "purchase");
    talk.client = talk.client.with_items(2);
    let replies = [
        (Api::Ping, json!({"service": "server"})),
        (Api::CreateAccount, json!({"seller_id": 7})),
        (Api::Login, json!({"session_id": "s1", "user_id": 7})),
        (Api::RegisterItemForSale, json!({"item_id": "1:1"})),
        (Api::RegisterItemForSale, json!({"item_id": "2:1"})),
    ];
    assert_eq!(talk.client.setup_len(), replies.len());
    for (number, (api, data)) in replies.iter().enumerate() {
        assert_eq!(talk.client.setup_api(number), *api);
        assert_eq!(talk.call(*api, data), Ok(()));
    }
    assert_eq!(talk.world.matching_items(), 1, "the others are not searched for");
    let cart = [(1, 5)].into();
    talk.world.begin(&cart);
    assert!(talk.world.sold(1, &cart));
    talk.client.confirm_nothing();
    for (item_id, units) in [("1:1", STOCK), ("2:1", STOCK - 5)] {
        let (api, data) = talk.tear_down();
        assert_eq!((&data["item_id"], &data["quantity_delta"]), (&json!(item_id), &json!(-units)));
        assert_eq!(talk.answer(api, &json!({"item_id": item_id, "quantity": 0})), Ok(()));
    }
}
