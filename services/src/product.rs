//! `db_product`: the catalogue. Items, their stock and feedback, who sells what, search, and what purchases take.
//!
//! It does not know sessions or accounts: who a seller or a buyer is, the frontends have asked `db_customer`.

pub(crate) mod decisions;
mod index;
pub(crate) mod item;
mod items;
pub(crate) mod packed;
mod postings;
pub(crate) mod rows;
pub(crate) mod rules;
mod stock;
pub(crate) mod terms;

use net::Time;

use self::decisions::{Decided, Decisions};
use self::index::{Index, Query};
use self::item::Item;
use self::items::Items;
use self::postings::Postings;
use self::rows::ProductRow;
use crate::api::Database;
use crate::api::accounts::{BuyerId, SellerId};
use crate::api::carts::Counted;
use crate::api::categories::{CategoriesPage, ListCategories, Stocked};
use crate::api::encoded::{Description, EncodedItem, Listing};
use crate::api::error::Error;
use crate::api::items::{
    Availability, ChangeItemPrice, CheckAvailability, DisplayItemsForSale, FoundItem, GetItem, ItemsPage,
    Position, Priced, RegisterItem, Registered, SearchItems, UpdateUnitsForSale,
};
use crate::api::page::Cursor;
use crate::api::purchases::TakeStock;
use crate::api::values::{
    Ballot, Category, Feedback, ItemId, Limit, QUANTITY_MAX, Quantity, Revision, UserId,
};
use crate::api::votes::{ProvideFeedback, Voted};
use crate::engine::domain::{Answer, Domain, Handler, Job, answered};
use crate::engine::intake::Entry;
use crate::engine::map::Map;
use crate::engine::metrics::Holding;
use crate::engine::room::Room;
use crate::engine::table::Table;

/// The catalogue in memory.
pub(crate) struct Product {
    room: Room,
    items: Items,
    votes: Table<(ItemId, u32), Ballot>,
    decisions: Decisions,
    /// Descriptions of the items that are new since the last group.
    described: Vec<Description>,
    /// What is on disk and in stock. Like `shelves`, it follows the items on disk.
    index: Index,
    shelves: Map<u32, Shelf>,
    /// The hits of a search; kept for its memory.
    hits: Vec<ItemId>,
}

/// The items of one seller.
#[derive(Default)]
struct Shelf {
    /// How many there are, on disk or not.
    registered: u32,
    all: Postings,
    in_stock: Postings,
}

impl Product {
    /// A catalogue without items.
    pub(crate) fn new(room: Room) -> Self {
        Self {
            room,
            items: Items::new(),
            votes: Table::new(),
            decisions: Decisions::new(),
            described: Vec::new(),
            index: Index::new(),
            shelves: Map::new(),
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
            ProductRow::Decision(id, decided) => {
                let exists = |id| self.items.get(id).is_some();
                let is_of_items = match &decided {
                    Decided::Taken(lines) => lines.iter().all(|line| exists(line.item_id)),
                    Decided::Refused(_) => true,
                };
                self.described.is_empty() && is_of_items && self.decisions.load(id, decided)
            }
            // What is no more is not stored.
            ProductRow::DecisionForgotten(_) => false,
            ProductRow::DecisionFloor(floor) => {
                self.decisions.load_floor(floor);
                self.described.is_empty()
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
            let shelf = self.shelves.get_or_default(item.seller_id);
            shelf.registered += 1;
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

    /// The latest listing of an item, which must be this seller's, if one is named.
    fn own_listing(&self, id: ItemId, by: Option<SellerId>) -> Result<Listing, Error> {
        let (owner_id, listing) = self.items.latest(id).ok_or_else(|| rules::no_item(id))?;
        rules::check_owner(id, owner_id, by)?;
        Ok(listing)
    }

    /// Brings the index and the seller's shelf in line with an item that has come to disk, or into stock or out of it.
    fn follow(&mut self, id: ItemId) {
        let Self { items, index, shelves, .. } = self;
        let find = |id| items.get(id).expect("what is published is on disk");
        let item = find(id);
        let shelf = shelves.get_or_default(item.seller_id);
        shelf.all.insert(id);
        if item.listing.quantity > 0 {
            index.insert(id, |id| &find(id).terms);
            shelf.in_stock.insert(id);
        } else {
            index.remove(id, &item.terms);
            shelf.in_stock.remove(id);
        }
    }

    /// The items as they are returned, which are on disk.
    fn encoded<'a>(&'a self, ids: &[ItemId]) -> Vec<&'a EncodedItem> {
        let mut items = Vec::with_capacity(ids.len());
        items.extend(self.items.get_all(ids).map(|item| item.expect("what is found is on disk").encoded()));
        items
    }
}

impl Answer<RegisterItem<SellerId>> for Product {
    fn answer(&mut self, now: Time, new: RegisterItem<SellerId>) -> Result<Registered, Error> {
        let SellerId { seller_id: UserId(seller_id) } = new.by;
        if self.shelves.get(&seller_id).is_some_and(|shelf| shelf.registered >= rules::ITEMS_OF_SELLER_MAX) {
            return Err(rules::shelf_full(seller_id));
        }
        let Category(category) = new.category;
        let id = self.items.next_id(category).ok_or_else(|| rules::category_full(category))?;
        self.room.check_new(now)?;
        let description = Description {
            id,
            seller_id,
            name: new.name.0,
            keywords: new.keywords.0,
            condition: new.condition,
        };
        let terms = self.index.intern(&description.name, &description.keywords);
        let listing = Listing { price: new.price, quantity: new.quantity.0, feedback: Feedback::default() };
        self.items.add(category, Item::new(&description, terms, listing));
        self.shelves.get_or_default(seller_id).registered += 1;
        self.described.push(description);
        Ok(Registered { item_id: id })
    }
}

impl Answer<ChangeItemPrice<Option<SellerId>>> for Product {
    fn answer(&mut self, _: Time, change: ChangeItemPrice<Option<SellerId>>) -> Result<Priced, Error> {
        let ChangeItemPrice { item_id, price, by } = change;
        let listing = self.own_listing(item_id, by)?;
        if price != listing.price {
            self.items.relist(item_id, Listing { price, ..listing });
        }
        Ok(Priced { item_id, price })
    }
}

impl Answer<UpdateUnitsForSale<Option<SellerId>>> for Product {
    fn answer(&mut self, now: Time, update: UpdateUnitsForSale<Option<SellerId>>) -> Result<Counted, Error> {
        let UpdateUnitsForSale { item_id, quantity_delta, by } = update;
        let listing = self.own_listing(item_id, by)?;
        let quantity = rules::changed_stock(item_id, listing.quantity, quantity_delta)?;
        // The index has what is in stock.
        if listing.quantity == 0 && quantity > 0 {
            self.room.check_growth(now)?;
        }
        if quantity != listing.quantity {
            self.items.relist(item_id, Listing { quantity, ..listing });
        }
        Ok(Counted { item_id, quantity })
    }
}

impl Answer<DisplayItemsForSale<SellerId>> for Product {
    fn answer(
        &mut self,
        _: Time,
        display: DisplayItemsForSale<SellerId>,
    ) -> Result<ItemsPage<'_, ItemId>, Error> {
        let DisplayItemsForSale { sold_out, page, by: SellerId { seller_id: UserId(seller_id) } } = display;
        let (Limit(limit), after) = (page.limit, page.after.map(|Cursor(id)| id));
        let mut ids = Vec::new();
        if let Some(shelf) = self.shelves.get(&seller_id) {
            let items = if sold_out { &shelf.all } else { &shelf.in_stock };
            // One more than the page holds tells whether there is a next one.
            items.append_after(after, limit + 1, &mut ids);
        }
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().filter(|_| more).copied().map(Cursor);
        Ok(ItemsPage { items: self.encoded(&ids), total: None, next })
    }
}

impl Answer<SearchItems> for Product {
    fn answer(&mut self, _: Time, search: SearchItems) -> Result<ItemsPage<'_, Position>, Error> {
        let category = search.category.map(|Category(category)| category);
        let query = Query { category, keywords: &search.keywords.0 };
        let Limit(limit) = search.page.limit;
        self.hits.clear();
        let after = search.page.after.map(|Cursor(position)| position);
        let found = self.index.search(&query, after, limit, &mut self.hits);
        Ok(ItemsPage {
            items: self.encoded(&self.hits),
            total: Some(found.total),
            next: found.next.map(Cursor),
        })
    }
}

impl Answer<ListCategories> for Product {
    fn answer(&mut self, _: Time, ListCategories(page): ListCategories) -> Result<CategoriesPage, Error> {
        let after = page.after.map(|Cursor(Category(category))| category);
        let stocked =
            |(category, items): (u32, u32)| Stocked { category: Category(category), items: items.into() };
        Ok(CategoriesPage::new(page.limit, self.index.categories_after(after).map(stocked)))
    }
}

impl Answer<GetItem> for Product {
    fn answer(&mut self, _: Time, GetItem { item_id }: GetItem) -> Result<FoundItem<'_>, Error> {
        let item = self.items.get(item_id).ok_or_else(|| rules::no_item(item_id))?;
        Ok(FoundItem(item.encoded()))
    }
}

impl Answer<CheckAvailability> for Product {
    fn answer(&mut self, _: Time, check: CheckAvailability) -> Result<Availability, Error> {
        let CheckAvailability { item_id, quantity: Quantity(quantity) } = check;
        let available = self.items.get(item_id).ok_or_else(|| rules::no_item(item_id))?.listing.quantity;
        Ok(Availability { available, ok: quantity <= available })
    }
}

/// Counts a vote. The same buyer's vote for the same item replaces the one before; voting the same again changes
/// nothing.
impl Answer<ProvideFeedback<Option<BuyerId>>> for Product {
    fn answer(&mut self, now: Time, vote: ProvideFeedback<Option<BuyerId>>) -> Result<Voted, Error> {
        let ProvideFeedback { item_id, vote, by } = vote;
        let buyer_id = by.map(|BuyerId { buyer_id: UserId(buyer_id) }| buyer_id);
        let (seller_id, mut listing) = self.items.latest(item_id).ok_or_else(|| rules::no_item(item_id))?;
        let before = buyer_id.and_then(|buyer_id| self.votes.latest(&(item_id, buyer_id)).copied());
        if buyer_id.is_some() && before.is_none() {
            self.room.check_new(now)?;
        }
        let mut revision = before.map_or(Revision(0), |ballot| ballot.revision);
        if before.is_none_or(|ballot| ballot.vote != vote) {
            revision.0 = revision.0.saturating_add(1);
            listing.feedback.count(vote, before.map(|ballot| ballot.vote));
            self.items.relist(item_id, listing);
            if let Some(buyer_id) = buyer_id {
                self.votes.put((item_id, buyer_id), Ballot { vote, revision });
            }
        }
        Ok(Voted { item_id, feedback: listing.feedback, seller_id: UserId(seller_id), revision })
    }
}

impl Domain for Product {
    const DATABASE: Database = Database::Product;
    type Row = ProductRow;
    type Finished = ();
    const APIS: &'static [Entry<Handler<Self>>] = &[
        answered::<Self, RegisterItem<SellerId>>(),
        answered::<Self, ChangeItemPrice<Option<SellerId>>>(),
        answered::<Self, UpdateUnitsForSale<Option<SellerId>>>(),
        answered::<Self, DisplayItemsForSale<SellerId>>(),
        answered::<Self, SearchItems>(),
        answered::<Self, ListCategories>(),
        answered::<Self, GetItem>(),
        answered::<Self, ProvideFeedback<Option<BuyerId>>>(),
        answered::<Self, CheckAvailability>(),
        answered::<Self, TakeStock>(),
    ];
    const HOLDINGS: &'static [Holding] = &[
        Holding { name: "marketplace_items", help: "Items, in stock or not.", labels: &[] },
        Holding {
            name: "marketplace_decisions",
            help: "Purchases of which is remembered what they took.",
            labels: &[],
        },
    ];

    /// None of its work goes on off the thread.
    fn poll(&mut self, _: Time) -> Option<(Job, Result<(), Error>)> {
        None
    }

    fn is_dirty(&self) -> bool {
        self.items.is_dirty() || self.votes.is_dirty() || self.decisions.is_dirty()
    }

    fn seal(&mut self) -> Vec<ProductRow> {
        let mut rows: Vec<_> = self.described.drain(..).map(ProductRow::Described).collect();
        rows.extend(self.items.seal().map(|(id, listing)| ProductRow::Listing(id, listing)));
        let votes = self.votes.seal();
        rows.extend(votes.filter_map(|((id, buyer_id), vote)| Some(ProductRow::Vote(id, buyer_id, *vote?))));
        rows.extend(self.decisions.seal_floor().map(ProductRow::DecisionFloor));
        rows.extend(self.decisions.seal().map(|(id, decided)| match decided {
            Some(decided) => ProductRow::Decision(id, decided.clone()),
            None => ProductRow::DecisionForgotten(id),
        }));
        rows
    }

    fn holdings(&self) -> impl Iterator<Item = usize> {
        [self.items.len(), self.decisions.len()].into_iter()
    }

    fn end_turn(&mut self, now: Time) -> Option<Time> {
        self.decisions.forget(now)
    }

    fn publish(&mut self, rows_max: usize) -> Option<usize> {
        let mut moved = Vec::new();
        let published = self.items.publish(rows_max, |id, before, item| {
            let was_in_stock = before.map(|listing| listing.quantity > 0);
            if was_in_stock != Some(item.listing.quantity > 0) {
                moved.push(id);
            }
        });
        moved.into_iter().for_each(|id| self.follow(id));
        // The others are a row for each request.
        if published.is_some() {
            self.votes.publish();
            self.decisions.publish();
        }
        published
    }
}

#[cfg(test)]
mod tests;
