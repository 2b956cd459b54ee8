//! [`Model`]: what all users together know of the marketplace. Every reply that shows an item or a rating is
//! checked against it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use net::Time;
use serde_json::Value;

use crate::account::Accounts;
use crate::history::{Flips, Register, Tally, Write};
use crate::request::{Span, cents};

/// The units of a new item: bits 0 to 7, which updates remove one by one before they add higher ones.
pub(crate) const UNITS_INITIAL: u64 = 0xff;
/// The most updates of an item's units: with more, its units could exceed a billion.
pub(crate) const UPDATES_MAX: usize = 29;
/// The categories of all items.
pub(crate) const CATEGORIES: u64 = 3;

/// Shared by all users of a run.
pub(crate) type Shared = Rc<RefCell<Model>>;

#[derive(Default)]
pub(crate) struct Model {
    /// By their names, which are unique.
    pub(crate) items: BTreeMap<String, Item>,
    /// The name of each item whose ID is known.
    pub(crate) names: BTreeMap<String, String>,
    /// The votes for each seller, by voter and item.
    pub(crate) ratings: BTreeMap<u64, Tally<(u64, String)>>,
    /// The vote of each buyer for each item that was sent last.
    pub(crate) votes: BTreeMap<(u64, String), Vote>,
    pub(crate) accounts: Accounts,
    /// The saved cart of each buyer, by user name.
    pub(crate) saved: BTreeMap<String, Register<Cart>>,
    /// The sessions of buyers at the end of their work, with their carts.
    pub(crate) sessions: BTreeMap<String, Cart>,
    /// The sessions that were logged out.
    pub(crate) ended: Vec<String>,
}

/// Units by item ID.
pub(crate) type Cart = BTreeMap<String, u64>;

pub(crate) struct Item {
    pub(crate) seller_id: u64,
    pub(crate) category: u64,
    /// Known once the registration was acknowledged or the item was seen.
    pub(crate) id: Option<String>,
    pub(crate) registered: Write,
    /// In cents.
    pub(crate) price: Register<u64>,
    pub(crate) units: Flips,
    pub(crate) voters: Tally<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    Up,
    Down,
}

impl Vote {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Item {
    pub(crate) fn new(now: Time, seller_id: u64, category: u64) -> Self {
        let mut price = Register::default();
        price.write(1, now);
        let registered = Write::new(now);
        Self {
            seller_id,
            category,
            id: None,
            registered,
            price,
            units: Flips::new(UNITS_INITIAL),
            voters: Tally::default(),
        }
    }

    /// Whether it is certainly in stock: of the initial units, not all have been asked to go.
    fn is_in_stock(&self) -> bool {
        self.units.len() < UNITS_INITIAL.count_ones() as usize
    }
}

impl Model {
    /// The item of this ID, which was seen before.
    pub(crate) fn item(&mut self, id: &str) -> &mut Item {
        let name = &self.names[id];
        self.items.get_mut(name).expect("names lead to items")
    }

    /// Takes note of an item's ID; no two have the same, and no item has two.
    pub(crate) fn identify(&mut self, name: &str, id: &str) {
        let item = self.items.get_mut(name).unwrap_or_else(|| panic!("nobody registered {name}"));
        assert!(
            item.id.as_deref().is_none_or(|known| known == id),
            "{name} has two IDs: {:?}, {id}",
            item.id
        );
        item.id = Some(id.to_owned());
        let known = self.names.insert(id.to_owned(), name.to_owned());
        assert!(known.is_none_or(|known| known == name), "{id} is two items");
    }

    /// Checks an item as a read shows it.
    pub(crate) fn see_item(&mut self, span: Span, shown: &Value) {
        let name = shown["name"].as_str().expect("an item has a name");
        self.identify(name, shown["item_id"].as_str().expect("an item has an ID"));
        let item = self.items.get_mut(name).expect("it was identified");
        assert_eq!(shown["seller_id"], item.seller_id, "{name} is sold by whoever registered it");
        assert_eq!(shown["category"], item.category, "{name} stays in its category");
        assert!(item.registered.may_show_in(span), "{name} was not registered");
        item.registered.establish(span.end);
        item.price.read(span, &cents(&shown["price"]));
        item.units.read(span, shown["quantity"].as_u64().expect("a quantity is a number"));
        item.voters.read(span, votes(&shown["feedback"]));
    }

    /// Checks what a read shows of all items of a category, or of those in stock.
    pub(crate) fn see_category(&mut self, span: Span, category: u64, page: &Value) {
        let listed = self.see_page(span, page);
        assert_eq!(page["total"].as_u64(), Some(listed.len() as u64), "all matches are on this page");
        for item in page["items"].as_array().expect("a page has items") {
            assert_eq!(item["category"], category);
            assert!(item["quantity"].as_u64() > Some(0), "a search finds what is in stock");
        }
        let owed = |item: &Item| item.category == category && item.is_in_stock();
        self.expect_listed(span, &listed, owed);
    }

    /// Checks what a read shows of all items of a seller, sold out or not.
    pub(crate) fn see_shelf(&mut self, span: Span, seller_id: u64, page: &Value) {
        let listed = self.see_page(span, page);
        self.expect_listed(span, &listed, |item| item.seller_id == seller_id);
    }

    /// Checks a rating as a read shows it.
    pub(crate) fn see_rating(&mut self, span: Span, rating: &Value) {
        let seller_id = rating["seller_id"].as_u64().expect("a rating names the seller");
        self.ratings.entry(seller_id).or_default().read(span, votes(&rating["feedback"]));
    }

    fn see_page(&mut self, span: Span, page: &Value) -> BTreeSet<String> {
        assert_eq!(page["next_cursor"], Value::Null, "one page holds all");
        let items = page["items"].as_array().expect("a page has items");
        for item in items {
            self.see_item(span, item);
        }
        let listed: BTreeSet<_> =
            items.iter().map(|item| item["name"].as_str().expect("it was seen").to_owned()).collect();
        assert_eq!(listed.len(), items.len(), "no item is listed twice");
        listed
    }

    fn expect_listed(&self, span: Span, listed: &BTreeSet<String>, owed: impl Fn(&Item) -> bool) {
        for (name, item) in &self.items {
            let missing = owed(item) && item.registered.is_owed_to(span) && !listed.contains(name);
            assert!(!missing, "{name} is missing at {span:?}");
        }
    }
}

/// How many votes a feedback counts.
pub(crate) fn votes(feedback: &Value) -> u64 {
    let count = |key: &str| feedback[key].as_u64().expect("votes are counted");
    count("up") + count("down")
}
