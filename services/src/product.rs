//! `db_product`: the catalogue. Items, their stock and feedback, who sells what, and search.
//!
//! It does not know sessions or accounts: who a seller or a buyer is, the frontends have asked `db_customer`.

mod index;
pub(crate) mod item;
mod items;
mod postings;
pub(crate) mod rows;

use std::collections::HashMap;
use std::iter;

use net::Time;
use serde::Serialize;

use self::index::{Index, Position, Query};
use self::item::{Description, Item, Listing};
use self::items::Items;
use self::postings::Postings;
use self::rows::ProductRow;
use crate::api::envelope::{Code, Error, encode};
use crate::api::fields::{Fields, invalid};
use crate::api::requests::{NewItem, Page, Search};
use crate::api::values::{
    Ballot, Category, Feedback, ItemId, Limit, Price, QUANTITY_MAX, Quantity, QuantityDelta, Revision,
    UserId, Vote,
};
use crate::engine::database::{Domain, Outcome};
use crate::engine::metrics::Holding;
use crate::engine::table::Table;

/// The catalogue in memory.
pub(crate) struct Product {
    items: Items,
    votes: Table<(ItemId, u32), Ballot>,
    /// Descriptions of the items that are new since the last group.
    described: Vec<Description>,
    /// What is on disk and in stock. Like `shelves`, it follows the items on disk.
    index: Index,
    shelves: HashMap<u32, Shelf>,
    /// The hits of a search; kept for its memory.
    hits: Vec<ItemId>,
}

/// The items of one seller.
#[derive(Default)]
struct Shelf {
    all: Postings,
    in_stock: Postings,
}

#[derive(Clone, Copy)]
pub(crate) enum Api {
    RegisterItem,
    ChangeItemPrice,
    UpdateUnitsForSale,
    DisplayItemsForSale,
    SearchItems,
    GetItem,
    ProvideFeedback,
    CheckAvailability,
}

impl Product {
    /// A catalogue without items.
    pub(crate) fn new() -> Self {
        Self {
            items: Items::new(),
            votes: Table::new(),
            described: Vec::new(),
            index: Index::new(),
            shelves: HashMap::new(),
            hits: Vec::new(),
        }
    }

    /// Takes the next row that is stored. False if it makes no sense beside those before it. [`Product::loaded`] must
    /// follow the last one.
    pub(crate) fn load(&mut self, row: ProductRow) -> bool {
        match row {
            ProductRow::Described(description) => {
                self.described.push(description);
                self.described.len() == 1
            }
            ProductRow::Listing(id, listing) => match self.described.pop() {
                Some(description) => description.id == id && self.load_item(&description, listing),
                None => false,
            },
            ProductRow::Vote(id, buyer_id, ballot) => {
                self.votes.load((id, buyer_id), ballot);
                self.described.is_empty() && self.items.get(id).is_some()
            }
        }
    }

    fn load_item(&mut self, description: &Description, listing: Listing) -> bool {
        let terms = self.index.intern(&description.name, &description.keywords);
        listing.quantity <= QUANTITY_MAX
            && self.items.load(description.id.category, Item::new(description, terms, listing))
    }

    /// Ends the loading.
    pub(crate) fn loaded(&mut self) {
        assert!(self.described.is_empty(), "a storage keeps an item's listing with it");
        self.items.loaded();
        let items = self.items.iter();
        let in_stock = items.clone().filter(|(_, item)| item.listing.quantity > 0);
        self.index.fill(in_stock.map(|(id, item)| (id, &item.terms)));
        for (id, item) in items {
            let shelf = self.shelves.entry(item.seller_id).or_default();
            shelf.all.append(id);
            if item.listing.quantity > 0 {
                shelf.in_stock.append(id);
            }
        }
        for shelf in self.shelves.values_mut() {
            shelf.all.settle();
            shelf.in_stock.settle();
        }
    }

    fn register(&mut self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let new = NewItem::decode(&mut fields)?;
        let UserId(seller_id) = fields.required("seller_id")?;
        fields.finish()?;

        let Category(category) = new.category;
        let full = || Error::new(Code::ResourceExhausted, format!("category {category} is full"));
        let id = self.items.next_id(category).ok_or_else(full)?;
        let description = Description {
            id,
            seller_id,
            name: new.name.0.into_owned(),
            keywords: new.keywords.0,
            condition: new.condition,
        };
        let terms = self.index.intern(&description.name, &description.keywords);
        let listing = Listing { price: new.price, quantity: new.quantity.0, feedback: Feedback::default() };
        self.items.add(category, Item::new(&description, terms, listing));
        self.described.push(description);
        encode(data, &Registered { item_id: id });
        Ok(())
    }

    fn change_price(&mut self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let id = fields.required("item_id")?;
        let price: Price = fields.required("price")?;
        let listing = self.own_listing(id, &mut fields)?;
        fields.finish()?;

        if price != listing.price {
            self.items.relist(id, Listing { price, ..listing });
        }
        encode(data, &Priced { item_id: id, price });
        Ok(())
    }

    fn update_units(&mut self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let id = fields.required("item_id")?;
        let QuantityDelta(delta) = fields.required("quantity_delta")?;
        let listing = self.own_listing(id, &mut fields)?;
        fields.finish()?;

        let quantity = i64::from(listing.quantity) + delta;
        if quantity < 0 {
            let message = format!("{} units of {id} are for sale, fewer than {}", listing.quantity, -delta);
            return Err(Error::new(Code::OutOfStock, message));
        }
        let quantity = u32::try_from(quantity).ok().filter(|quantity| *quantity <= QUANTITY_MAX);
        let too_many = || invalid(format!("`quantity_delta` would bring {id} above {QUANTITY_MAX} units"));
        let quantity = quantity.ok_or_else(too_many)?;
        if quantity != listing.quantity {
            self.items.relist(id, Listing { quantity, ..listing });
        }
        encode(data, &Counted { item_id: id, quantity });
        Ok(())
    }

    fn display(&self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let UserId(seller_id) = fields.required("seller_id")?;
        let sold_out = fields.optional("sold_out")?.unwrap_or(false);
        let page = Page::decode(&mut fields)?;
        fields.finish()?;
        let (Limit(limit), after) = (page.limit, page.after(ItemId::parse)?);

        let mut ids = Vec::new();
        if let Some(shelf) = self.shelves.get(&seller_id) {
            let items = if sold_out { &shelf.all } else { &shelf.in_stock };
            // One more than the page holds tells whether there is a next one.
            items.append_after(None, after, limit + 1, &mut ids);
        }
        let more = ids.len() > limit;
        ids.truncate(limit);
        self.append_items(&ids, data);
        append_next_cursor(data, ids.last().filter(|_| more).map(ItemId::to_string));
        Ok(())
    }

    fn search(&mut self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let search = Search::decode(&mut fields)?;
        fields.finish()?;
        let (Limit(limit), after) = (search.page.limit, search.page.after(parse_position)?);

        let mut hits = std::mem::take(&mut self.hits);
        hits.clear();
        let category = search.category.map(|Category(category)| category);
        let query = Query { category, keywords: &search.keywords.0 };
        let page = self.index.search(&query, after, limit, &mut hits);
        self.append_items(&hits, data);
        self.hits = hits;
        data.extend_from_slice(b",\"total\":");
        encode(data, &page.total);
        append_next_cursor(data, page.next.map(|next| format!("{}:{}", next.score, next.id)));
        Ok(())
    }

    fn get_item(&self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let id = fields.required("item_id")?;
        fields.finish()?;
        let item = self.items.get(id).ok_or_else(|| no_item(id))?;
        data.extend_from_slice(b"{\"item\":");
        data.extend_from_slice(item.json());
        data.push(b'}');
        Ok(())
    }

    fn check_availability(&self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let id = fields.required("item_id")?;
        let Quantity(quantity) = fields.required("quantity")?;
        fields.finish()?;
        let available = self.items.get(id).ok_or_else(|| no_item(id))?.listing.quantity;
        encode(data, &Available { available, ok: quantity <= available });
        Ok(())
    }

    /// Counts a vote. The same buyer's vote for the same item replaces the one before; voting the same again
    /// changes nothing.
    fn provide_feedback(&mut self, mut fields: Fields<'_>, data: &mut Vec<u8>) -> Result<(), Error> {
        let id = fields.required("item_id")?;
        let vote: Vote = fields.required("vote")?;
        let buyer_id = fields.optional("buyer_id")?.map(|UserId(buyer_id)| buyer_id);
        fields.finish()?;

        let (seller_id, mut listing) = self.items.latest(id).ok_or_else(|| no_item(id))?;
        let before = buyer_id.and_then(|buyer_id| self.votes.latest(&(id, buyer_id)).copied());
        let mut revision = before.map_or(Revision(0), |ballot| ballot.revision);
        if before.is_none_or(|ballot| ballot.vote != vote) {
            revision.0 = revision.0.saturating_add(1);
            listing.feedback.count(vote, before.map(|ballot| ballot.vote));
            self.items.relist(id, listing);
            if let Some(buyer_id) = buyer_id {
                self.votes.put((id, buyer_id), Ballot { vote, revision });
            }
        }
        encode(data, &Voted { item_id: id, feedback: listing.feedback, seller_id, revision });
        Ok(())
    }

    /// The latest listing of an item that a seller, if the request names one, owns.
    fn own_listing(&self, id: ItemId, fields: &mut Fields<'_>) -> Result<Listing, Error> {
        let asking = fields.optional("seller_id")?;
        let (seller_id, listing) = self.items.latest(id).ok_or_else(|| no_item(id))?;
        match asking {
            Some(UserId(asking)) if asking != seller_id => {
                Err(Error::new(Code::PermissionDenied, format!("item {id} belongs to another seller")))
            }
            _ => Ok(listing),
        }
    }

    /// Begins a reply's data with `items`.
    fn append_items(&self, ids: &[ItemId], data: &mut Vec<u8>) {
        data.extend_from_slice(b"{\"items\":[");
        for (place, item) in self.items.get_all(ids).enumerate() {
            if place > 0 {
                data.push(b',');
            }
            let item = item.expect("the index follows the items on disk");
            data.extend_from_slice(item.json());
        }
        data.push(b']');
    }
}

impl Domain for Product {
    const SERVICE: &'static str = "db_product";
    type Api = Api;
    type Row = ProductRow;
    const APIS: &'static [(&'static str, Api)] = &[
        ("RegisterItem", Api::RegisterItem),
        ("ChangeItemPrice", Api::ChangeItemPrice),
        ("UpdateUnitsForSale", Api::UpdateUnitsForSale),
        ("DisplayItemsForSale", Api::DisplayItemsForSale),
        ("SearchItems", Api::SearchItems),
        ("GetItem", Api::GetItem),
        ("ProvideFeedback", Api::ProvideFeedback),
        ("CheckAvailability", Api::CheckAvailability),
    ];
    const HOLDINGS: &'static [Holding] =
        &[Holding { name: "marketplace_items", help: "Items, in stock or not.", labels: &[] }];

    fn is_write(api: Api) -> bool {
        use Api::{ChangeItemPrice, ProvideFeedback, RegisterItem, UpdateUnitsForSale};
        matches!(api, RegisterItem | ChangeItemPrice | UpdateUnitsForSale | ProvideFeedback)
    }

    fn execute(
        &mut self,
        _: Time,
        api: Api,
        fields: Fields<'_>,
        data: &mut Vec<u8>,
    ) -> Result<Outcome, Error> {
        match api {
            Api::RegisterItem => self.register(fields, data),
            Api::ChangeItemPrice => self.change_price(fields, data),
            Api::UpdateUnitsForSale => self.update_units(fields, data),
            Api::DisplayItemsForSale => self.display(fields, data),
            Api::SearchItems => self.search(fields, data),
            Api::GetItem => self.get_item(fields, data),
            Api::ProvideFeedback => self.provide_feedback(fields, data),
            Api::CheckAvailability => self.check_availability(fields, data),
        }
        .map(|()| Outcome::Done)
    }

    fn is_dirty(&self) -> bool {
        self.items.is_dirty() || self.votes.is_dirty()
    }

    fn seal(&mut self) -> Vec<ProductRow> {
        let mut rows: Vec<_> = self.described.drain(..).map(ProductRow::Described).collect();
        rows.extend(self.items.seal().map(|(id, listing)| ProductRow::Listing(id, listing)));
        let votes = self.votes.seal();
        rows.extend(votes.filter_map(|((id, buyer_id), vote)| Some(ProductRow::Vote(id, buyer_id, *vote?))));
        rows
    }

    fn holdings(&self) -> impl Iterator<Item = usize> {
        iter::once(self.items.len())
    }

    fn publish(&mut self) {
        let Self { items, votes, index, shelves, .. } = self;
        items.publish(|id, before, item| follow(index, shelves, id, before, item));
        votes.publish();
    }
}

#[derive(Serialize)]
struct Registered {
    item_id: ItemId,
}

#[derive(Serialize)]
struct Priced {
    item_id: ItemId,
    price: Price,
}

#[derive(Serialize)]
struct Counted {
    item_id: ItemId,
    quantity: u32,
}

#[derive(Serialize)]
struct Available {
    available: u32,
    ok: bool,
}

#[derive(Serialize)]
struct Voted {
    item_id: ItemId,
    feedback: Feedback,
    /// With these, the frontend lets the vote count for the seller too.
    seller_id: u32,
    revision: Revision,
}

fn no_item(id: ItemId) -> Error {
    Error::new(Code::NotFound, format!("no item {id}"))
}

/// Ends a reply's data with `next_cursor`.
fn append_next_cursor(data: &mut Vec<u8>, next: Option<String>) {
    data.extend_from_slice(b",\"next_cursor\":");
    encode(data, &next);
    data.push(b'}');
}

/// Reads the cursor of a search: the score and the ID of the last hit.
fn parse_position(cursor: &str) -> Option<Position> {
    let (score, id) = cursor.split_once(':')?;
    Some(Position { score: score.parse().ok()?, id: ItemId::parse(id)? })
}

/// Brings the index and the seller's shelf in line with an item that is on disk now, and with what listing before.
fn follow(
    index: &mut Index,
    shelves: &mut HashMap<u32, Shelf>,
    id: ItemId,
    before: Option<Listing>,
    item: &Item,
) {
    let was_in_stock = before.is_some_and(|listing| listing.quantity > 0);
    let is_in_stock = item.listing.quantity > 0;
    if before.is_some() && was_in_stock == is_in_stock {
        return;
    }
    let shelf = shelves.entry(item.seller_id).or_default();
    shelf.all.insert(id);
    if is_in_stock {
        index.insert(id, &item.terms);
        shelf.in_stock.insert(id);
    } else if was_in_stock {
        index.remove(id, &item.terms);
        shelf.in_stock.remove(id);
    }
}
