//! [`Client`]: one simulated buyer or seller. It writes the next request, knows what the reply must say, and checks
//! it. It has neither socket nor clock, and does not measure.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::rc::Rc;

use fastrand::Rng;

use crate::api::{Api, Role};
use crate::mix::Mix;
use crate::reply;

/// The category and the keyword of the items that are searched for.
const CATEGORY: u32 = 1;
const KEYWORD: &str = "book";
/// What sellers register beyond their first item goes here, so that it does not turn up in the searches.
const OTHER_CATEGORY: u32 = 2;
/// The prices between which a seller's item goes back and forth, as the services write them.
const PRICES: [&str; 2] = ["10.0", "12.5"];
/// Units of a seller's item: more than all carts of a run can hold.
const STOCK: i64 = 1_000_000;
/// Units of each further item.
const OTHER_UNITS: i64 = 1;
/// The most items of a page where no limit is asked for.
pub(crate) const PAGE_ITEMS_MAX: usize = 100;

/// What all clients of a run know.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The items that the sellers of the run have put up for sale, and the numbers of their sellers.
    pub(crate) items: Vec<(String, u64)>,
    /// Matches of the search while all those items are for sale.
    pub(crate) matches: u64,
}

/// A buyer or a seller.
pub(crate) struct Client {
    role: Role,
    mix: Rc<Mix>,
    rng: Rng,
    /// The login. It is new in each run.
    username: String,
    accounts: u32,
    last_id: u64,
    user_id: u64,
    session: String,
    logged_in: bool,
    /// A seller's item.
    item_id: String,
    price: usize,
    units: i64,
    /// Items of a seller that are for sale.
    shelf: usize,
    /// Those that the teardown has not tried to take off the market. The seller's first item stands first.
    to_take_off: VecDeque<String>,
    /// The one that it has tried last.
    taking_off: String,
    cart: Cart,
    /// The cart that the next session begins with.
    saved_cart: Cart,
    expected: Expected,
}

/// A buyer's cart: units by place in [`World::items`].
type Cart = BTreeMap<usize, u32>;

/// What the reply under way must say, where the API alone does not tell.
#[derive(Clone, Copy, Default)]
enum Expected {
    #[default]
    Nothing,
    /// This item.
    Item(usize),
    /// This item, of which the cart then holds so many units.
    InCart(usize, u32),
    Price(usize),
    Units(i64),
    /// An item that is for sale no more.
    TakenOff,
    Seller(u64),
}

impl Client {
    pub(crate) fn new(role: Role, mix: Rc<Mix>, rng: Rng, username: String) -> Self {
        Self {
            role,
            mix,
            rng,
            username,
            accounts: 0,
            last_id: 0,
            user_id: 0,
            session: String::new(),
            logged_in: false,
            item_id: String::new(),
            price: 0,
            units: 0,
            shelf: 0,
            to_take_off: VecDeque::new(),
            taking_off: String::new(),
            cart: Cart::new(),
            saved_cart: Cart::new(),
            expected: Expected::Nothing,
        }
    }

    /// Goes through the motions for a relay, which knows neither accounts nor items: as if it were set up, with IDs of
    /// the usual length.
    pub(crate) fn pretend(&mut self) {
        self.session = "0".repeat(48);
        self.logged_in = true;
        self.item_id = "1:100".to_owned();
        self.units = STOCK;
    }

    /// What makes the client ready, in order. It begins with a call that needs nothing, so that the connection stands.
    pub(crate) fn setup(&self) -> &'static [Api] {
        match self.role {
            Role::Seller => &[Api::Ping, Api::CreateAccount, Api::Login, Api::RegisterItemForSale],
            Role::Buyer if self.mix.needs_account(Role::Buyer) => {
                &[Api::Ping, Api::CreateAccount, Api::Login]
            }
            Role::Buyer => &[Api::Ping],
        }
    }

    /// Whether something is left to do that leaves the catalogue as the run has found it: sellers take their items off
    /// the market. Nothing is tried twice.
    pub(crate) fn has_teardown(&self) -> bool {
        !self.to_take_off.is_empty()
    }

    /// Items of this client that are for sale.
    pub(crate) fn items_for_sale(&self) -> usize {
        self.shelf
    }

    pub(crate) fn is_seller(&self) -> bool {
        self.role == Role::Seller
    }

    /// Whether the mix has anything to do for this client.
    pub(crate) fn takes_part(&self) -> bool {
        self.mix.calls(self.role)
    }

    /// Writes the next request of the mix, and tells its API.
    pub(crate) fn next(&mut self, world: &World, line: &mut Vec<u8>) -> Api {
        let chosen = self.mix.choose(self.role, &mut self.rng);
        let api = self.needed_first(chosen, world);
        self.write(api, world, line);
        api
    }

    /// What must be called instead of an API that would have nothing to do yet. An API that is measured alone must not
    /// be called in vain; among others, that happens to shoppers too. Where nothing is for sale, carts stay empty.
    fn needed_first(&self, api: Api, world: &World) -> Api {
        let alone = self.mix.is_single();
        let filling = || if world.items.is_empty() { api } else { Api::AddItemToCart };
        match api {
            Api::Logout if !alone => api,
            _ if api.needs_session() && !self.logged_in => Api::Login,
            Api::RemoveItemFromCart if self.cart.is_empty() => Api::AddItemToCart,
            Api::DisplayCart | Api::ClearCart if alone && self.cart.is_empty() => filling(),
            Api::SaveCart if alone && self.cart == self.saved_cart => {
                if self.cart.is_empty() {
                    filling()
                } else {
                    Api::RemoveItemFromCart
                }
            }
            _ => api,
        }
    }

    /// Writes the next request of a seller's teardown, for which it must be logged in, and tells its API.
    pub(crate) fn tear_down(&mut self, world: &World, line: &mut Vec<u8>) -> Api {
        if !self.logged_in {
            self.write(Api::Login, world, line);
            return Api::Login;
        }
        self.taking_off = self.to_take_off.pop_front().expect("it is asked for only while something is left");
        let units = if self.taking_off == self.item_id { self.units } else { OTHER_UNITS };
        self.expected = Expected::TakenOff;
        self.begin(Api::UpdateUnitsForSale, line);
        put(line, format_args!(r#","item_id":"{}","quantity_delta":{}"#, self.taking_off, -units));
        self.end(line);
        Api::UpdateUnitsForSale
    }

    /// Writes a request.
    pub(crate) fn write(&mut self, api: Api, world: &World, line: &mut Vec<u8>) {
        self.begin(api, line);
        self.expected = Expected::Nothing;
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
                self.expected = Expected::Units(self.units + delta);
                put(line, format_args!(r#","item_id":"{}","quantity_delta":{delta}"#, self.item_id));
            }
            Api::SearchItemsForSale => {
                put(line, format_args!(r#""category":{CATEGORY},"keywords":["{KEYWORD}"]"#));
            }
            Api::GetItem => {
                let place = self.any_item(world);
                self.expected = Expected::Item(place);
                put(line, format_args!(r#""item_id":"{}""#, world.items[place].0));
            }
            Api::AddItemToCart => {
                let place = self.any_item(world);
                self.expected = Expected::InCart(place, self.cart.get(&place).unwrap_or(&0) + 1);
                put(line, format_args!(r#","item_id":"{}","quantity":1"#, world.items[place].0));
            }
            Api::RemoveItemFromCart => {
                let (&place, &units) =
                    self.cart.iter().next().expect("only what is in the cart is taken out");
                self.expected = Expected::InCart(place, units - 1);
                put(line, format_args!(r#","item_id":"{}","quantity":1"#, world.items[place].0));
            }
            Api::ProvideFeedback => {
                let place = self.any_item(world);
                let vote = if self.rng.u8(0..4) == 0 { "down" } else { "up" };
                self.expected = Expected::Item(place);
                put(line, format_args!(r#","item_id":"{}","vote":"{vote}""#, world.items[place].0));
            }
            Api::GetSellerRating if self.role == Role::Buyer => {
                let (_, seller_id) = world.items[self.any_item(world)];
                self.expected = Expected::Seller(seller_id);
                put(line, format_args!(r#","seller_id":{seller_id}"#));
            }
            Api::GetSellerRating => self.expected = Expected::Seller(self.user_id),
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

    /// Checks the reply to the request that was written last, and learns from it. Returns whether it was of any use.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn take(&mut self, api: Api, line: &[u8], world: &mut World) -> Result<Use, Mistake> {
        match reply::read(line, self.last_id) {
            Some(reply::Reply::Ok(data)) => {
                let of_use = self.use_of(api, data, world);
                self.carried_out(api);
                self.take_data(api, data, world).map(|()| of_use).ok_or(Mistake::Wrong)
            }
            // Who had nothing to do for so long logs in once more.
            Some(reply::Reply::Failed("SESSION_TIMEOUT")) if matches!(self.expected, Expected::TakenOff) => {
                self.logged_in = false;
                self.to_take_off.push_front(std::mem::take(&mut self.taking_off));
                Ok(Use::Something)
            }
            Some(reply::Reply::Failed(code)) => Err(Mistake::Failed(code.to_owned())),
            None => Err(Mistake::Wrong),
        }
    }

    /// Whether a call that was carried out has found or changed anything. It is asked before it counts as carried out.
    fn use_of(&self, api: Api, data: &[u8], world: &World) -> Use {
        let in_vain = match api {
            Api::SearchItemsForSale => world.matches == 0,
            Api::DisplayCart | Api::ClearCart => self.cart.is_empty(),
            Api::SaveCart => self.cart == self.saved_cart,
            Api::Logout => !self.logged_in,
            Api::GetBuyerPurchases => reply::number(data, "purchases_count") == Some(0),
            _ => false,
        };
        if in_vain { Use::InVain } else { Use::Something }
    }

    /// Remembers what the request that was written last changes, as far as it decides what comes next. A relay says
    /// nothing of it.
    pub(crate) fn carried_out(&mut self, api: Api) {
        match (api, self.expected) {
            (Api::Login, _) => {
                self.logged_in = true;
                self.cart.clone_from(&self.saved_cart);
            }
            (Api::Logout, _) => self.logged_in = false,
            (Api::SaveCart, _) => self.saved_cart.clone_from(&self.cart),
            (Api::ClearCart, _) => self.cart.clear(),
            (_, Expected::InCart(place, 0)) => drop(self.cart.remove(&place)),
            (_, Expected::InCart(place, units)) => drop(self.cart.insert(place, units)),
            (_, Expected::Price(price)) => self.price = price,
            (_, Expected::Units(units)) => self.units = units,
            (_, Expected::TakenOff) => self.shelf -= 1,
            (_, Expected::Nothing | Expected::Item(_) | Expected::Seller(_)) => {}
        }
    }

    /// Learns from a reply. `None`: it is not what it must be.
    fn take_data(&mut self, api: Api, data: &[u8], world: &mut World) -> Option<()> {
        let right = match api {
            Api::Ping => reply::string(data, "service").is_some(),
            Api::CreateAccount => reply::number(data, self.id_key()).is_some_and(|id| id > 0),
            Api::Login => {
                self.session = reply::string(data, "session_id")?.to_owned();
                self.user_id = reply::number(data, "user_id")?;
                true
            }
            Api::Logout => reply::scalar(data, "logged_out")? == b"true",
            Api::RegisterItemForSale => {
                let item_id = reply::string(data, "item_id")?;
                self.shelf += 1;
                self.to_take_off.push_back(item_id.to_owned());
                if self.item_id.is_empty() {
                    self.item_id = item_id.to_owned();
                    self.units = STOCK;
                    world.items.push((item_id.to_owned(), self.user_id));
                }
                true
            }
            Api::DisplayItemsForSale => reply::has_items(data, self.shelf.min(PAGE_ITEMS_MAX)),
            Api::SearchItemsForSale => {
                let items = usize::try_from(world.matches).unwrap_or(usize::MAX).min(PAGE_ITEMS_MAX);
                reply::number(data, "total")? == world.matches && reply::has_items(data, items)
            }
            Api::SaveCart => reply::scalar(data, "saved")? == b"true",
            Api::ClearCart => reply::scalar(data, "cleared")? == b"true",
            // A colon for each line, one within its item ID, and one after the key `cart`.
            Api::DisplayCart => memchr::memchr_iter(b':', data).count() == 1 + 2 * self.cart.len(),
            Api::GetBuyerPurchases => reply::number(data, "buyer_id")? == self.user_id,
            Api::ChangeItemPrice
            | Api::UpdateUnitsForSale
            | Api::GetItem
            | Api::AddItemToCart
            | Api::RemoveItemFromCart
            | Api::ProvideFeedback
            | Api::GetSellerRating => self.take_expected(data, world)?,
        };
        right.then_some(())
    }

    fn take_expected(&self, data: &[u8], world: &World) -> Option<bool> {
        let is_item = |place: usize| reply::string(data, "item_id").map(|id| id == world.items[place].0);
        Some(match self.expected {
            Expected::Nothing => false,
            Expected::Item(place) => is_item(place)?,
            Expected::InCart(place, units) => {
                is_item(place)? && reply::number(data, "quantity")? == u64::from(units)
            }
            Expected::Price(price) => reply::scalar(data, "price")? == PRICES[price].as_bytes(),
            Expected::Units(units) => u64::try_from(units) == Ok(reply::number(data, "quantity")?),
            Expected::TakenOff => reply::number(data, "quantity")? == 0,
            Expected::Seller(seller_id) => reply::number(data, "seller_id")? == seller_id,
        })
    }

    fn write_item(&mut self, line: &mut Vec<u8>) {
        let (category, keyword, units) = if self.item_id.is_empty() {
            (CATEGORY, KEYWORD, STOCK)
        } else {
            (OTHER_CATEGORY, "other", OTHER_UNITS)
        };
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

    fn id_key(&self) -> &'static str {
        match self.role {
            Role::Buyer => "buyer_id",
            Role::Seller => "seller_id",
        }
    }
}

/// What has come of a call whose reply is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Something,
    /// There was nothing to find and nothing to change, which is cheaper than what the API is for.
    InVain,
}

/// What is wrong with a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The service answered with this error.
    Failed(String),
    /// It does not say what it must say.
    Wrong,
}

fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests;
