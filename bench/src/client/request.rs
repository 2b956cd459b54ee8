//! What a client writes: the next request for an API, and what its reply must then say.

use std::io::Write;
use std::mem;

use super::{Client, Expected, ForSale, OTHER_UNITS, PRICES, STOCK, World};
use crate::api::{Api, Role};

/// The category and the keyword of the items that are searched for.
const CATEGORY: u32 = 1;
const KEYWORD: &str = "book";
/// What sellers register beyond their first item goes here, so that it does not turn up in the searches.
const OTHER_CATEGORY: u32 = 2;

impl Client {
    /// Writes the next request of the teardown, for which the client must be logged in, and tells its API.
    pub(crate) fn tear_down(&mut self, world: &mut World, line: &mut Vec<u8>) -> Api {
        if !self.logged_in {
            self.write(Api::Login, world, line);
            return Api::Login;
        }
        if mem::take(&mut self.to_confirm) {
            let api = if self.is_seller() { Api::GetSellerRating } else { Api::GetBuyerPurchases };
            self.write(api, world, line);
            self.confirming = true;
            return api;
        }
        self.taking_off = self.to_take_off.pop_front().expect("it is asked for only while something is left");
        let ForSale { id, place } = &self.taking_off;
        let units = match *place {
            Some(place) if place == self.place => self.units - world.items[place].sold.cast_signed(),
            Some(place) => STOCK - world.items[place].sold.cast_signed(),
            None => OTHER_UNITS,
        };
        let fields = format!(r#","item_id":"{id}","quantity_delta":{}"#, -units);
        self.expected = Expected::TakenOff;
        self.begin(Api::UpdateUnitsForSale, line);
        line.extend_from_slice(fields.as_bytes());
        self.end(line);
        Api::UpdateUnitsForSale
    }

    /// Writes a request.
    pub(crate) fn write(&mut self, api: Api, world: &mut World, line: &mut Vec<u8>) {
        self.begin(api, line);
        self.expected = Expected::Nothing;
        self.confirming = false;
        match api {
            Api::CreateAccount => {
                let suffix = if self.accounts == 0 { String::new() } else { format!(".{}", self.accounts) };
                self.accounts += 1;
                put(line, format_args!(r#""name":"{}{suffix}","password":"secret""#, self.username));
            }
            Api::Login => put(line, format_args!(r#""username":"{}","password":"secret""#, self.username)),
            Api::RegisterItemForSale => self.write_item(line),
            Api::ChangeItemPrice => {
                let price = 1 - self.price;
                self.expected = Expected::Price(price);
                put(line, format_args!(r#","item_id":"{}","price":{}"#, self.item_id, PRICES[price]));
            }
            Api::UpdateUnitsForSale => {
                let delta = if self.units > STOCK { -1 } else { 1 };
                self.expected = Expected::Units(self.units + delta, world.items[self.place].sold);
                put(line, format_args!(r#","item_id":"{}","quantity_delta":{delta}"#, self.item_id));
            }
            Api::SearchItemsForSale => {
                put(line, format_args!(r#""category":{CATEGORY},"keywords":["{KEYWORD}"]"#));
            }
            Api::GetItem => {
                let place = self.any_item(world);
                self.expected = Expected::Item(place);
                put(line, format_args!(r#""item_id":"{}""#, world.items[place].id));
            }
            Api::AddItemToCart => {
                let place = self.any_item(world);
                self.expected = Expected::InCart(place, self.cart.get(&place).unwrap_or(&0) + 1);
                put(line, format_args!(r#","item_id":"{}","quantity":1"#, world.items[place].id));
            }
            Api::RemoveItemFromCart => {
                let (&place, &units) =
                    self.cart.iter().next().expect("only what is in the cart is taken out");
                self.expected = Expected::InCart(place, units - 1);
                put(line, format_args!(r#","item_id":"{}","quantity":1"#, world.items[place].id));
            }
            Api::ProvideFeedback => {
                let place = self.any_item(world);
                let vote = if self.rng.u8(0..4) == 0 { "down" } else { "up" };
                self.expected = Expected::Item(place);
                put(line, format_args!(r#","item_id":"{}","vote":"{vote}""#, world.items[place].id));
            }
            Api::GetSellerRating if self.role == Role::Buyer => {
                let seller_id = world.items[self.any_item(world)].seller_id;
                self.expected = Expected::Seller(seller_id, world.sold_of(seller_id));
                put(line, format_args!(r#","seller_id":{seller_id}"#));
            }
            Api::GetSellerRating => {
                self.expected = Expected::Seller(self.user_id, world.sold_of(self.user_id));
            }
            Api::MakePurchase => {
                world.begin(&self.cart);
                // It is new for each purchase, and the same when the call is made again.
                put(line, format_args!(r#","idempotency_key":"{}.{}""#, self.username, self.last_id));
            }
            Api::Ping
            | Api::Logout
            | Api::DisplayItemsForSale
            | Api::SaveCart
            | Api::ClearCart
            | Api::DisplayCart
            | Api::GetBuyerPurchases => {}
        }
        self.end(line);
    }

    fn write_item(&mut self, line: &mut Vec<u8>) {
        let (category, keyword) =
            if self.shelf == 0 { (CATEGORY, KEYWORD) } else { (OTHER_CATEGORY, "other") };
        let units = if self.shelf < self.items { STOCK } else { OTHER_UNITS };
        let price = PRICES[self.price];
        put(
            line,
            format_args!(
                r#","name":"A book of {}","category":{category},"keywords":["{keyword}"],"condition":"new","price":{price},"quantity":{units}"#,
                self.username.rsplit('-').next().expect("a split has a last part"),
            ),
        );
    }

    fn any_item(&mut self, world: &World) -> usize {
        self.rng.usize(0..world.items.len())
    }

    fn begin(&mut self, api: Api, line: &mut Vec<u8>) {
        self.last_id += 1;
        let (id, api_name) = (self.last_id, api.name());
        put(line, format_args!(r#"{{"type":"Request","request_id":{id},"api":"{api_name}","data":{{"#));
        if api.needs_session() {
            put(line, format_args!(r#""session_id":"{}""#, self.session));
        }
    }

    fn end(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"}}");
    }
}

fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("writing to memory cannot fail");
}
