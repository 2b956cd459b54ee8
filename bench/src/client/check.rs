//! What a client takes from a reply: whether it says what it must, and what the client knows from then on.

use std::mem;

use super::receipt::Receipt;
use super::{Client, Expected, ForSale, PAGE_ITEMS_MAX, PRICES, STOCK, World};
use crate::api::{Api, Role};
use crate::reply::{self, Reply};

/// What has come of a call whose reply is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Something,
    /// There was nothing to find and nothing to change, which is cheaper than what the API is for.
    InVain,
}

/// What is wrong with a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReplyError {
    /// The service answered with this error.
    Failed(String),
    /// It does not say what it must say.
    Wrong,
}

impl Client {
    /// Checks the reply to the request that was written last, and learns from it. Returns whether it was of any use.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn take(&mut self, api: Api, line: &[u8], world: &mut World) -> Result<Use, ReplyError> {
        let taken = match reply::read(line, self.last_id) {
            Some(Reply::Ok(data)) => {
                let of_use = self.use_of(api, data, world);
                self.carried_out(api);
                self.take_data(api, data, world).map(|()| of_use).ok_or(ReplyError::Wrong)
            }
            // Who had nothing to do for so long logs in once more.
            Some(Reply::Failed("SESSION_TIMEOUT")) if self.confirming => {
                self.logged_in = false;
                self.to_confirm = true;
                Ok(Use::Something)
            }
            Some(Reply::Failed("SESSION_TIMEOUT")) if matches!(self.expected, Expected::TakenOff) => {
                self.logged_in = false;
                self.to_take_off.push_front(mem::take(&mut self.taking_off));
                Ok(Use::Something)
            }
            Some(Reply::Failed(code)) => Err(ReplyError::Failed(code.to_owned())),
            None => Err(ReplyError::Wrong),
        };
        self.invariants();
        taken
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
            (Api::MakePurchase, _) => self.bought = mem::take(&mut self.cart),
            (_, Expected::InCart(place, 0)) => drop(self.cart.remove(&place)),
            (_, Expected::InCart(place, units)) => drop(self.cart.insert(place, units)),
            (_, Expected::Price(price)) => self.price = price,
            (_, Expected::Units(units, _)) => self.units = units,
            (_, Expected::TakenOff) => self.shelf -= 1,
            (_, Expected::Nothing | Expected::Item(_) | Expected::Seller(..)) => {}
        }
        self.invariants();
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
                let id = reply::string(data, "item_id")?.to_owned();
                self.put_up(id, world);
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
            Api::GetBuyerPurchases => {
                let is_own = reply::number(data, "buyer_id")? == self.user_id;
                is_own && reply::number(data, "purchases_count")? == self.purchases
            }
            Api::MakePurchase => {
                // Nobody changes a price unless the mix does.
                let prices = if self.mix.changes_prices() { &PRICES[..] } else { &PRICES[..1] };
                let purchase = Receipt::of(data, &self.bought, prices, world)?;
                self.purchases += 1;
                self.to_confirm = true;
                world.sold(purchase, &self.bought)
            }
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

    /// An item of the seller is for sale. Those that it begins with are what buyers ask for.
    fn put_up(&mut self, id: String, world: &mut World) {
        let is_first = self.shelf == 0;
        let place = (self.shelf < self.items).then(|| world.add_item(&id, self.user_id, is_first));
        self.shelf += 1;
        if let Some(place) = place.filter(|_| is_first) {
            self.item_id.clone_from(&id);
            self.place = place;
            self.units = STOCK;
            self.to_confirm = self.mix.buys();
        }
        self.to_take_off.push_back(ForSale { id, place });
    }

    fn take_expected(&self, data: &[u8], world: &World) -> Option<bool> {
        let is_item = |place: usize| reply::string(data, "item_id").map(|id| id == world.items[place].id);
        Some(match self.expected {
            Expected::Nothing => false,
            Expected::Item(place) => is_item(place)?,
            Expected::InCart(place, units) => {
                is_item(place)? && reply::number(data, "quantity")? == u64::from(units)
            }
            Expected::Price(price) => reply::scalar(data, "price")? == PRICES[price].as_bytes(),
            Expected::Units(units, sold) => {
                let units = u64::try_from(units).ok()?;
                let left = |sold| units.saturating_sub(sold);
                let begun = world.items[self.place].begun;
                (left(begun)..=left(sold)).contains(&reply::number(data, "quantity")?)
            }
            Expected::TakenOff => reply::number(data, "quantity")? == 0,
            Expected::Seller(seller_id, sold) => {
                let begun = world.begun_of(seller_id);
                let is_asked = reply::number(data, "seller_id")? == seller_id;
                is_asked && (sold..=begun).contains(&reply::number(data, "items_sold")?)
            }
        })
    }

    fn id_key(&self) -> &'static str {
        match self.role {
            Role::Buyer => "buyer_id",
            Role::Seller => "seller_id",
        }
    }
}
