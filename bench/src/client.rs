//! [`Client`]: one simulated buyer or seller. It chooses and writes the next request (`request`), knows what the reply
//! must say, and checks it (`check`). It has neither socket nor clock, and does not measure.

mod check;
mod receipt;
mod request;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use fastrand::Rng;

use crate::api::{Api, Role};
use crate::mix::Mix;

pub(crate) use check::{ReplyError, Use};
pub(crate) use world::World;

/// The prices between which a seller's item goes back and forth, as the services write them.
const PRICES: [&str; 2] = ["10.0", "12.5"];
/// Units of the items that buyers ask for: more than a run can put into carts, or buy.
const STOCK: i64 = 900_000_000;
/// Units of each further item.
const OTHER_UNITS: i64 = 1;
/// The most items of a page where no limit is asked for.
pub(crate) const PAGE_ITEMS_MAX: usize = 100;

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
    /// How many items a seller has at the beginning. Of the first one it changes price and units.
    items: usize,
    item_id: String,
    /// Where that stands in [`World::items`].
    place: usize,
    price: usize,
    /// Its units, but for those that were bought.
    units: i64,
    /// Items of a seller that are for sale.
    shelf: usize,
    /// Those that the teardown has not tried to take off the market. The seller's first item stands first.
    to_take_off: VecDeque<ForSale>,
    /// The one that it has tried last.
    taking_off: ForSale,
    cart: Cart,
    /// The cart that the next session begins with.
    saved_cart: Cart,
    /// What was bought last, and how often something was.
    bought: Cart,
    purchases: u64,
    /// The teardown has still to look whether what was sold, or bought, is remembered.
    to_confirm: bool,
    /// That is what it was asked last.
    confirming: bool,
    expected: Expected,
}

/// A buyer's cart: units by place in [`World::items`].
type Cart = BTreeMap<usize, u32>;

/// An item that a seller has put up for sale.
#[derive(Clone, Debug, Default)]
struct ForSale {
    id: String,
    /// Where it stands in [`World::items`], if buyers ask for it.
    place: Option<usize>,
}

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
    /// So many units of the seller's item, but for those that were bought: so many were when it was asked.
    Units(i64, Sold),
    /// An item that is for sale no more.
    TakenOff,
    /// This seller, who had sold so many units when it was asked.
    Seller(u64, Sold),
}

/// Units that were sold, as far as that is acknowledged.
type Sold = u64;

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
            items: 1,
            item_id: String::new(),
            place: 0,
            price: 0,
            units: 0,
            shelf: 0,
            to_take_off: VecDeque::new(),
            taking_off: ForSale::default(),
            cart: Cart::new(),
            saved_cart: Cart::new(),
            bought: Cart::new(),
            purchases: 0,
            to_confirm: false,
            confirming: false,
            expected: Expected::Nothing,
        }
    }

    /// The same; as a seller, with so many items at the beginning rather than one.
    pub(crate) fn with_items(self, items: usize) -> Self {
        Self { items, ..self }
    }

    /// Goes through the motions for a relay, which knows neither accounts nor items: as if it were set up, with IDs of
    /// the usual length.
    pub(crate) fn pretend(&mut self) {
        self.session = "0".repeat(48);
        self.logged_in = true;
        self.item_id = "1:100".to_owned();
        self.units = STOCK;
    }

    /// How many calls make the client ready.
    pub(crate) fn setup_len(&self) -> usize {
        match self.role {
            Role::Seller => 3 + self.items,
            Role::Buyer if self.mix.needs_account(Role::Buyer) => 3,
            Role::Buyer => 1,
        }
    }

    /// Which these are, in order. The first needs nothing, so that the connection stands.
    pub(crate) fn setup_api(&self, number: usize) -> Api {
        match number {
            0 => Api::Ping,
            1 => Api::CreateAccount,
            2 => Api::Login,
            _ => Api::RegisterItemForSale,
        }
    }

    /// Whether something is left to do at the end: what was sold and bought is looked for where it is remembered, and
    /// sellers take their items off the market, which leaves the catalogue as the run has found it. Nothing is tried twice.
    pub(crate) fn has_teardown(&self) -> bool {
        self.to_confirm || !self.to_take_off.is_empty()
    }

    /// Only the items are taken off the market.
    pub(crate) fn confirm_nothing(&mut self) {
        self.to_confirm = false;
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
    pub(crate) fn next(&mut self, world: &mut World, line: &mut Vec<u8>) -> Api {
        let chosen = self.mix.choose(self.role, &mut self.rng);
        let api = self.prerequisite(chosen, world);
        self.write(api, world, line);
        api
    }

    /// What must be called before an API that would have nothing to do yet. An API that is measured alone must not
    /// be called in vain; among others, that happens to shoppers too. Where nothing is for sale, carts stay empty.
    fn prerequisite(&self, api: Api, world: &World) -> Api {
        let alone = self.mix.is_single();
        let filling = || if world.items.is_empty() { api } else { Api::AddItemToCart };
        match api {
            Api::Logout if !alone => api,
            _ if api.needs_session() && !self.logged_in => Api::Login,
            Api::RemoveItemFromCart | Api::MakePurchase if self.cart.is_empty() => Api::AddItemToCart,
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

    /// What holds between any two calls, whatever the services have answered.
    fn invariants(&self) {
        assert!(self.is_seller() || self.shelf == 0, "only sellers sell");
        assert!(self.to_take_off.len() <= self.shelf, "what is still to be taken off the market is for sale");
        assert!(self.price < PRICES.len(), "the price is one of the two");
        let units = self.units - STOCK;
        assert!(self.units == 0 || units == 0 || units == 1, "the units go back and forth by one");
        let carts = [&self.cart, &self.saved_cart];
        debug_assert!(carts.into_iter().flat_map(Cart::values).all(|&units| units > 0), "no line is empty");
    }
}

#[cfg(test)]
mod tests;
