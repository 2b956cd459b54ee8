//! [`Client`]: one simulated buyer or seller. It chooses and writes the next request (`request`), knows what the reply
//! must say, and checks it (`check`). It has neither socket nor clock, and does not measure.

mod check;
mod request;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use fastrand::Rng;

use crate::api::{Api, Role};
use crate::mix::Mix;

pub(crate) use check::{ReplyError, Use};

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
