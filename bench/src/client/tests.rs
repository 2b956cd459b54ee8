mod purchases;

use std::rc::Rc;

use serde_json::{Value, json};

use super::*;

/// A client, and what it would call.
struct Talk {
    client: Client,
    world: World,
    line: Vec<u8>,
}

impl Talk {
    fn new(role: Role, mix: &str) -> Self {
        let mix = Rc::new(Mix::from_name(mix).expect("it exists"));
        let client = Client::new(role, mix, Rng::with_seed(1), "tag-1-x1".to_owned());
        Self { client, world: World::default(), line: Vec::new() }
    }

    /// A client that has gone through its setup. For a buyer, one item is for sale.
    fn ready(role: Role, mix: &str) -> Self {
        let mut talk = Self::new(role, mix);
        for number in 0..talk.client.setup_len() {
            let api = talk.client.setup_api(number);
            let data = match api {
                Api::Ping => json!({"service": "server"}),
                Api::CreateAccount => json!({"buyer_id": 7, "seller_id": 7}),
                Api::Login => json!({"session_id": "s1", "user_id": 7, "role": "any"}),
                Api::RegisterItemForSale => json!({"item_id": "1:1"}),
                other => panic!("{other:?} is no part of a setup"),
            };
            assert_eq!(talk.call(api, &data), Ok(()), "{api:?}");
        }
        if role == Role::Buyer {
            talk.world.add_item("1:1", 3, true);
        }
        talk
    }

    /// The request that the client writes for this API.
    fn request(&mut self, api: Api) -> Value {
        self.line.clear();
        self.client.write(api, &mut self.world, &mut self.line);
        self.written(api)
    }

    /// The request that the client chooses.
    fn next(&mut self) -> (Api, Value) {
        self.line.clear();
        let api = self.client.next(&mut self.world, &mut self.line);
        (api, self.written(api))
    }

    /// The request that the client makes at the end.
    fn tear_down(&mut self) -> (Api, Value) {
        self.line.clear();
        let api = self.client.tear_down(&mut self.world, &mut self.line);
        (api, self.written(api))
    }

    fn written(&self, api: Api) -> Value {
        let request: Value = serde_json::from_slice(&self.line).expect("a request is JSON");
        assert_eq!(request["api"], api.name());
        assert_eq!(request["request_id"], self.client.last_id);
        request["data"].clone()
    }

    /// Answers the last request.
    fn answer(&mut self, api: Api, data: &Value) -> Result<(), ReplyError> {
        let line = reply(self.client.last_id, data);
        self.client.take(api, line.as_bytes(), &mut self.world).map(|_| ())
    }

    /// Makes a call; tells whether it was of any use.
    fn use_of(&mut self, api: Api, data: &Value) -> Result<Use, ReplyError> {
        self.request(api);
        let line = reply(self.client.last_id, data);
        self.client.take(api, line.as_bytes(), &mut self.world)
    }

    fn call(&mut self, api: Api, data: &Value) -> Result<(), ReplyError> {
        self.request(api);
        self.answer(api, data)
    }
}

fn reply(id: u64, data: &Value) -> String {
    format!(r#"{{"type":"Response","request_id":{id},"ok":true,"error":null,"data":{data}}}"#)
}

const WRONG: Result<(), ReplyError> = Err(ReplyError::Wrong);

#[test]
fn a_seller_is_set_up_and_leaves_nothing_for_sale() {
    let mut talk = Talk::new(Role::Seller, "default");
    assert_eq!(talk.request(Api::CreateAccount), json!({"name": "tag-1-x1", "password": "secret"}));
    assert_eq!(talk.answer(Api::CreateAccount, &json!({"seller_id": 3})), Ok(()));
    assert_eq!(talk.request(Api::Login), json!({"username": "tag-1-x1", "password": "secret"}));
    assert_eq!(talk.answer(Api::Login, &json!({"session_id": "s1", "user_id": 3})), Ok(()));
    let item = talk.request(Api::RegisterItemForSale);
    assert_eq!(item["session_id"], "s1");
    assert_eq!((&item["category"], &item["keywords"]), (&json!(1), &json!(["book"])));
    assert_eq!(talk.answer(Api::RegisterItemForSale, &json!({"item_id": "1:9"})), Ok(()));
    assert_eq!((&*talk.world.items[0].id, talk.world.items[0].seller_id), ("1:9", 3));

    let more = talk.request(Api::RegisterItemForSale);
    assert_ne!(more["category"], 1, "it must not turn up in the search");
    assert_eq!(talk.answer(Api::RegisterItemForSale, &json!({"item_id": "2:1"})), Ok(()));
    assert_eq!(talk.world.items.len(), 1);

    assert_eq!(talk.client.items_for_sale(), 2);
    for (item_id, units) in [("1:9", STOCK), ("2:1", OTHER_UNITS)] {
        assert!(talk.client.has_teardown());
        let (api, sold_out) = talk.tear_down();
        assert_eq!(api, Api::UpdateUnitsForSale);
        assert_eq!(sold_out, json!({"session_id": "s1", "item_id": item_id, "quantity_delta": -units}));
        assert_eq!(talk.answer(Api::UpdateUnitsForSale, &json!({"item_id": item_id, "quantity": 0})), Ok(()));
    }
    assert_eq!((talk.client.has_teardown(), talk.client.items_for_sale()), (false, 0));
}

#[test]
fn an_item_that_cannot_be_taken_off_the_market_is_tried_once_and_counted() {
    let mut talk = Talk::ready(Role::Seller, "default");
    let (api, _) = talk.tear_down();
    assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "quantity": 3})), WRONG);
    assert!(!talk.client.has_teardown());
    let mut talk = Talk::ready(Role::Seller, "default");
    talk.tear_down();
    // No reply came.
    assert_eq!((talk.client.has_teardown(), talk.client.items_for_sale()), (false, 1));
}

#[test]
fn a_seller_who_is_logged_out_at_the_end_logs_in_to_sell_out() {
    let mut talk = Talk::ready(Role::Seller, "Logout");
    assert_eq!(talk.call(Api::Logout, &json!({"logged_out": true})), Ok(()));
    assert_eq!(talk.tear_down().0, Api::Login);
    assert_eq!(talk.answer(Api::Login, &json!({"session_id": "s2", "user_id": 7})), Ok(()));
    let (api, sold_out) = talk.tear_down();
    assert_eq!((api, &sold_out["session_id"]), (Api::UpdateUnitsForSale, &json!("s2")));
}

#[test]
fn a_seller_whose_session_has_timed_out_logs_in_to_sell_out() {
    let mut talk = Talk::ready(Role::Seller, "SearchItemsForSale");
    let (api, first) = talk.tear_down();
    let id = talk.client.last_id;
    let timed_out = format!(
        r#"{{"type":"Response","request_id":{id},"ok":false,"error":{{"code":"SESSION_TIMEOUT","message":"?"}},"data":null}}"#
    );
    assert_eq!(talk.client.take(api, timed_out.as_bytes(), &mut talk.world), Ok(Use::Something));
    assert_eq!(talk.tear_down().0, Api::Login);
    assert_eq!(talk.answer(Api::Login, &json!({"session_id": "s2", "user_id": 7})), Ok(()));
    let (api, again) = talk.tear_down();
    assert_eq!((&again["item_id"], &again["quantity_delta"]), (&first["item_id"], &first["quantity_delta"]));
    assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "quantity": 0})), Ok(()));
    assert_eq!((talk.client.has_teardown(), talk.client.items_for_sale()), (false, 0));
}

#[test]
fn prices_go_back_and_forth_and_must_be_what_was_set() {
    let mut talk = Talk::ready(Role::Seller, "default");
    for price in [12.5, 10.0, 12.5] {
        let (api, data) = talk.next();
        assert_eq!((api, &data["price"]), (Api::ChangeItemPrice, &json!(price)));
        assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "price": price})), Ok(()));
    }
    assert_eq!(talk.request(Api::ChangeItemPrice)["price"], 10.0);
    assert_eq!(talk.answer(Api::ChangeItemPrice, &json!({"item_id": "1:1", "price": 12.5})), WRONG);
    assert_eq!(talk.call(Api::ChangeItemPrice, &json!({"item_id": "1:1"})), WRONG);
}

#[test]
fn units_are_counted() {
    let mut talk = Talk::ready(Role::Seller, "shopping");
    for (delta, quantity) in [(1, STOCK + 1), (-1, STOCK), (1, STOCK + 1)] {
        assert_eq!(talk.request(Api::UpdateUnitsForSale)["quantity_delta"], delta);
        assert_eq!(talk.answer(Api::UpdateUnitsForSale, &json!({"quantity": quantity})), Ok(()));
    }
    assert_eq!(talk.call(Api::UpdateUnitsForSale, &json!({"quantity": STOCK + 1})), WRONG);
}

#[test]
fn a_shelf_holds_what_was_registered() {
    let mut talk = Talk::ready(Role::Seller, "shopping");
    let page = |items: &[&str]| {
        let items: Vec<_> = items.iter().map(|id| json!({"item_id": id, "name": "A {brace"})).collect();
        json!({"items": items, "next_cursor": null})
    };
    assert_eq!(talk.call(Api::DisplayItemsForSale, &page(&["1:1"])), Ok(()));
    assert_eq!(talk.call(Api::DisplayItemsForSale, &page(&[])), WRONG);
    assert_eq!(talk.call(Api::RegisterItemForSale, &json!({"item_id": "2:5"})), Ok(()));
    assert_eq!(talk.call(Api::DisplayItemsForSale, &page(&["1:1"])), WRONG);
    assert_eq!(talk.call(Api::DisplayItemsForSale, &page(&["1:1", "2:5"])), Ok(()));
}

#[test]
fn a_search_must_find_all_items_and_fill_its_page() {
    let mut talk = Talk::ready(Role::Buyer, "default");
    let found = |total: u64, items: usize| {
        let items: Vec<_> = (0..items).map(|n| json!({"item_id": format!("1:{n}"), "name": "A"})).collect();
        json!({"items": items, "total": total, "next_cursor": null})
    };
    talk.world.matches = 2;
    assert_eq!(talk.next().0, Api::SearchItemsForSale);
    assert_eq!(talk.answer(Api::SearchItemsForSale, &found(2, 2)), Ok(()));
    for (total, items) in [(2, 1), (2, 3), (1, 2), (3, 2)] {
        assert_eq!(talk.call(Api::SearchItemsForSale, &found(total, items)), WRONG, "{total} {items}");
    }
    talk.world.matches = 1000;
    assert_eq!(talk.call(Api::SearchItemsForSale, &found(1000, PAGE_ITEMS_MAX)), Ok(()));
    assert_eq!(talk.call(Api::SearchItemsForSale, &found(1000, PAGE_ITEMS_MAX - 1)), WRONG);
}

#[test]
fn a_cart_is_followed_through_logins() {
    let mut talk = Talk::ready(Role::Buyer, "shopping");
    let units = |quantity: u32| json!({"item_id": "1:1", "quantity": quantity});
    let login = json!({"session_id": "s2", "user_id": 7});
    let (empty, one_line) = (json!({"cart": {}}), json!({"cart": {"1:1": 2}}));
    assert_eq!(talk.call(Api::DisplayCart, &empty), Ok(()));
    assert_eq!(talk.call(Api::AddItemToCart, &units(1)), Ok(()));
    assert_eq!(talk.call(Api::AddItemToCart, &units(2)), Ok(()));
    assert_eq!(talk.call(Api::DisplayCart, &one_line), Ok(()));
    assert_eq!(talk.call(Api::DisplayCart, &empty), WRONG);
    assert_eq!(talk.call(Api::SaveCart, &json!({"saved": true})), Ok(()));
    assert_eq!(talk.call(Api::RemoveItemFromCart, &units(1)), Ok(()));
    assert_eq!(talk.call(Api::RemoveItemFromCart, &units(0)), Ok(()));
    assert_eq!(talk.call(Api::DisplayCart, &empty), Ok(()));

    // The next session begins with the saved cart.
    assert_eq!(talk.call(Api::Logout, &json!({"logged_out": true})), Ok(()));
    assert_eq!(talk.call(Api::Login, &login), Ok(()));
    assert_eq!(talk.call(Api::DisplayCart, &one_line), Ok(()));
    assert_eq!(talk.call(Api::AddItemToCart, &units(3)), Ok(()));
    assert_eq!(talk.call(Api::AddItemToCart, &units(3)), WRONG, "it holds a unit more");
    assert_eq!(talk.call(Api::ClearCart, &json!({"cleared": true})), Ok(()));
    assert_eq!(talk.call(Api::DisplayCart, &empty), Ok(()));
    assert_eq!(talk.call(Api::Login, &login), Ok(()));
    assert_eq!(talk.call(Api::DisplayCart, &one_line), Ok(()));
    assert_eq!(talk.call(Api::AddItemToCart, &json!({"item_id": "1:2", "quantity": 3})), WRONG);
}

#[test]
fn nothing_is_taken_out_of_an_empty_cart() {
    let mut talk = Talk::ready(Role::Buyer, "RemoveItemFromCart");
    for quantity in [1, 0, 1, 0] {
        let (api, _) = talk.next();
        assert_eq!(api == Api::AddItemToCart, quantity == 1);
        assert_eq!(talk.answer(api, &json!({"item_id": "1:1", "quantity": quantity})), Ok(()));
    }
}

#[test]
fn who_is_logged_out_logs_in_first() {
    let mut talk = Talk::ready(Role::Buyer, "GetBuyerPurchases");
    assert_eq!(talk.next().0, Api::GetBuyerPurchases);
    assert_eq!(talk.call(Api::Logout, &json!({"logged_out": true})), Ok(()));
    assert_eq!(talk.next().0, Api::Login);
    assert_eq!(talk.answer(Api::Login, &json!({"session_id": "s2", "user_id": 7})), Ok(()));
    let (api, data) = talk.next();
    assert_eq!((api, &data["session_id"]), (Api::GetBuyerPurchases, &json!("s2")));
}

#[test]
fn an_api_that_is_measured_alone_has_something_to_do() {
    use Api::{AddItemToCart, ClearCart, DisplayCart, Login, Logout, RemoveItemFromCart, SaveCart};
    let cases = [
        ("DisplayCart", [AddItemToCart, DisplayCart, DisplayCart, DisplayCart]),
        ("ClearCart", [AddItemToCart, ClearCart, AddItemToCart, ClearCart]),
        ("SaveCart", [AddItemToCart, SaveCart, RemoveItemFromCart, SaveCart]),
        ("Logout", [Logout, Login, Logout, Login]),
    ];
    for (mix, expected) in cases {
        let mut talk = Talk::ready(Role::Buyer, mix);
        for api in expected {
            assert_eq!(talk.next().0, api, "{mix}");
            talk.client.carried_out(api);
        }
    }
    // Shoppers do what shoppers do, and where nothing is for sale there is nothing to do.
    let mut talk = Talk::ready(Role::Buyer, "DisplayCart");
    talk.world.items.clear();
    assert_eq!(talk.next().0, DisplayCart);
}

#[test]
fn a_call_that_finds_and_changes_nothing_is_in_vain() {
    let mut talk = Talk::ready(Role::Buyer, "shopping");
    let in_vain = Ok(Use::InVain);
    let (saved, logged_out) = (json!({"saved": true}), json!({"logged_out": true}));
    let empty_page = json!({"items": [], "total": 0, "next_cursor": null});
    assert_eq!(talk.use_of(Api::SearchItemsForSale, &empty_page), in_vain);
    assert_eq!(talk.use_of(Api::DisplayCart, &json!({"cart": {}})), in_vain);
    assert_eq!(talk.use_of(Api::ClearCart, &json!({"cleared": true})), in_vain);
    assert_eq!(talk.use_of(Api::SaveCart, &saved), in_vain);
    assert_eq!(talk.use_of(Api::GetBuyerPurchases, &json!({"buyer_id": 7, "purchases_count": 0})), in_vain);
    assert_eq!(talk.call(Api::AddItemToCart, &json!({"item_id": "1:1", "quantity": 1})), Ok(()));
    assert_eq!(talk.use_of(Api::DisplayCart, &json!({"cart": {"1:1": 1}})), Ok(Use::Something));
    assert_eq!(talk.use_of(Api::SaveCart, &saved), Ok(Use::Something));
    assert_eq!(talk.use_of(Api::SaveCart, &saved), in_vain);
    assert_eq!(talk.use_of(Api::Logout, &logged_out), Ok(Use::Something));
    assert_eq!(talk.use_of(Api::Logout, &logged_out), in_vain);
}

#[test]
fn replies_about_something_else_are_wrong() {
    let mut talk = Talk::ready(Role::Buyer, "shopping");
    let cases = [
        (Api::Ping, json!({"service": "server_buyer"}), json!({})),
        (Api::CreateAccount, json!({"buyer_id": 8}), json!({"seller_id": 8})),
        (Api::Login, json!({"session_id": "s3", "user_id": 7}), json!({"session_id": "s3"})),
        (Api::GetItem, json!({"item": {"item_id": "1:1"}}), json!({"item": {"item_id": "1:2"}})),
        (Api::ProvideFeedback, json!({"item_id": "1:1"}), json!({"item_id": "1:2"})),
        (
            Api::GetSellerRating,
            json!({"seller_id": 3, "items_sold": 0}),
            json!({"seller_id": 7, "items_sold": 0}),
        ),
        (
            Api::GetSellerRating,
            json!({"seller_id": 3, "items_sold": 0}),
            json!({"seller_id": 3, "items_sold": 1}),
        ),
        (
            Api::GetBuyerPurchases,
            json!({"buyer_id": 7, "purchases_count": 0}),
            json!({"buyer_id": 3, "purchases_count": 0}),
        ),
        (
            Api::GetBuyerPurchases,
            json!({"buyer_id": 7, "purchases_count": 0}),
            json!({"buyer_id": 7, "purchases_count": 1}),
        ),
        (Api::SaveCart, json!({"saved": true}), json!({"saved": false})),
        (Api::ClearCart, json!({"cleared": true}), json!({"cleared": false})),
        (Api::Logout, json!({"logged_out": true}), json!({"logged_out": false})),
    ];
    for (api, right, wrong) in cases {
        assert_eq!(talk.call(api, &right), Ok(()), "{api:?}");
        assert_eq!(talk.call(api, &wrong), WRONG, "{api:?}");
        assert_eq!(talk.call(api, &Value::Null), WRONG, "{api:?}");
    }
}

#[test]
fn the_reply_to_another_request_is_wrong_and_an_error_is_told_by_its_code() {
    let mut talk = Talk::ready(Role::Seller, "default");
    let data = json!({"item_id": "1:1", "price": 12.5});
    talk.request(Api::ChangeItemPrice);
    let id = talk.client.last_id;
    let Talk { client, world, .. } = &mut talk;
    for other in [id - 1, id + 1, id * 10] {
        let taken = client.take(Api::ChangeItemPrice, reply(other, &data).as_bytes(), world);
        assert_eq!(taken, Err(ReplyError::Wrong), "{other} in place of {id}");
    }
    let error = format!(
        r#"{{"type":"Response","request_id":{id},"ok":false,"error":{{"code":"NOT_FOUND","message":"?"}},"data":null}}"#
    );
    let failed = Err(ReplyError::Failed("NOT_FOUND".to_owned()));
    assert_eq!(client.take(Api::ChangeItemPrice, error.as_bytes(), world), failed);
    assert_eq!(client.take(Api::ChangeItemPrice, b"", world), Err(ReplyError::Wrong));
    let taken = client.take(Api::ChangeItemPrice, reply(id, &data).as_bytes(), world);
    assert_eq!(taken, Ok(Use::Something));
}
