//! [`ProductRows`]: what the rows of `db_product` in another store are on an engine.
//!
//! It counts the items of each seller, which is little beside what a service keeps of them.

use std::collections::BTreeMap;

use super::super::columns::{item_number, item_value, purchase_value};
use super::super::copy::{Batch, Table, Translator};
use super::super::json;
use super::super::wire::{Statement, Value};
use super::descriptions::Terms;
use super::statements;
use crate::api::encoded::{Description, Listing};
use crate::api::values::{Ballot, ItemId, PurchaseId};
use crate::product::decisions::{Decided, TakenUnits};
use crate::product::rows::ProductRow;

/// The shelves that are added at once.
const SHELVES_MAX: usize = 500;

const TABLES: &[Table] = &[
    Table { name: "items", count: Statement::once("SELECT count(*) FROM items") },
    Table { name: "item_terms", count: Statement::once("SELECT count(*) FROM item_terms") },
    Table { name: "item_votes", count: Statement::once("SELECT count(*) FROM item_votes") },
    Table { name: "decisions", count: Statement::once("SELECT count(*) FROM decisions") },
    Table { name: "decision_lines", count: Statement::once("SELECT count(*) FROM decision_lines") },
    Table { name: "categories", count: Statement::once("SELECT count(*) FROM categories") },
    Table { name: "shelves", count: Statement::once("SELECT count(*) FROM shelves") },
];

const ITEM: Statement = Statement::kept(
    "copy_item",
    "INSERT INTO items (item_id, seller_id, name, keywords, condition, price_cents, quantity, up, down)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (item_id) DO NOTHING",
);
const TERMS: Statement = Statement::kept(
    "copy_terms",
    "INSERT INTO item_terms (term, score, item_id) SELECT t, $2, $1 FROM unnest($3::text[]) AS u(t)
        ON CONFLICT (term, score, item_id) DO NOTHING",
);
/// Which vote was before does not matter any more.
const VOTE: Statement = Statement::kept(
    "copy_item_vote",
    "INSERT INTO item_votes (item_id, buyer_id, vote, vote_before, revision)
        VALUES ($1, $2, $3, 'none'::text, $4) ON CONFLICT (item_id, buyer_id) DO NOTHING",
);
const DECISION: Statement = Statement::kept(
    "copy_decision",
    "INSERT INTO decisions (purchase_id, decision, lines_wanted, lines_found, shortages)
        VALUES ($1, $2, $3, $3, $4) ON CONFLICT (purchase_id) DO NOTHING",
);
/// What never changes of an item is that of the item.
const LINE: Statement = Statement::kept(
    "copy_decision_line",
    "INSERT INTO decision_lines (purchase_id, item_id, quantity, price_cents, name, seller_id)
        SELECT $1, item_id, $3, $4, name, seller_id FROM items WHERE item_id = $2
        ON CONFLICT (purchase_id, item_id) DO NOTHING",
);
const CATEGORY: Statement = Statement::kept(
    "copy_category",
    "INSERT INTO categories (category, last_n) VALUES ($1, $2) ON CONFLICT (category) DO NOTHING",
);
const SHELF: Statement = Statement::kept(
    "copy_shelf",
    "INSERT INTO shelves (seller_id, registered) VALUES ($1, $2) ON CONFLICT (seller_id) DO NOTHING",
);

/// What the rows of `db_product` are on an engine.
#[derive(Default)]
pub(in super::super) struct ProductRows {
    /// An item whose listing follows.
    described: Option<Description>,
    /// The last item. When the next one is of another category, it was the last one of its own.
    last: Option<ItemId>,
    /// How many items each seller has registered.
    registered: BTreeMap<u32, u32>,
}

impl ProductRows {
    /// False if it is not the next one of its category.
    fn add_item(&mut self, item: &Description, listing: Listing, batch: &mut Batch) -> bool {
        let Description { id, seller_id, name, keywords, condition } = item;
        let Listing { price, quantity, feedback } = listing;
        let cents = i64::try_from(price.0).expect("prices are far below");
        batch.insert(
            "items",
            ITEM.with([
                item_value(*id),
                Value::Int((*seller_id).into()),
                Value::Text(name.clone()),
                Value::Text(json::from_keywords(keywords)),
                Value::Text(condition.as_str().to_owned()),
                Value::Int(cents),
                Value::Int(quantity.into()),
                Value::Int(feedback.up.into()),
                Value::Int(feedback.down.into()),
            ]),
        );
        if quantity > 0 {
            let terms = Terms::new(id.category, *seller_id, name, keywords);
            for (count, call) in terms.counts().zip(terms.adding(TERMS, item_number(*id), &[])) {
                batch.insert_beside("item_terms", count, call);
            }
        }
        *self.registered.entry(*seller_id).or_default() += 1;
        let last_n = self.last.filter(|last| last.category == id.category).map_or(0, |last| last.n);
        if last_n == 0 {
            self.end_category(batch);
        }
        self.last = Some(*id);
        last_n.checked_add(1) == Some(id.n)
    }

    fn end_category(&mut self, batch: &mut Batch) {
        if let Some(ItemId { category, n }) = self.last.take() {
            let values = [Value::Int(category.into()), Value::Int(n.into())];
            batch.insert("categories", CATEGORY.with(values));
        }
    }
}

impl Translator<ProductRow> for ProductRows {
    fn tables(&self) -> &'static [Table] {
        TABLES
    }

    fn add(&mut self, row: ProductRow, batch: &mut Batch) -> bool {
        match row {
            ProductRow::Described(description) => return self.described.replace(description).is_none(),
            ProductRow::Listing(id, listing) => {
                let described = self.described.take().filter(|item| item.id == id);
                return described.is_some_and(|item| self.add_item(&item, listing, batch));
            }
            ProductRow::Vote(id, buyer_id, Ballot { vote, revision }) => {
                let word = Value::Text(vote.as_str().to_owned());
                let values =
                    [item_value(id), Value::Int(buyer_id.into()), word, Value::Int(revision.0.into())];
                batch.insert("item_votes", VOTE.with(values));
            }
            ProductRow::Decision(id, decided) => add_decision(id, &decided, batch),
            ProductRow::DecisionFloor(floor) => {
                batch.change(statements::RAISE_FLOOR.with([purchase_value(floor)]));
            }
            // What is no more is not stored.
            ProductRow::DecisionForgotten(_) => return false,
        }
        true
    }

    fn add_rest(&mut self, batch: &mut Batch) {
        self.end_category(batch);
        for _ in 0..SHELVES_MAX {
            let Some((seller_id, registered)) = self.registered.pop_first() else { return };
            let values = [Value::Int(seller_id.into()), Value::Int(registered.into())];
            batch.insert("shelves", SHELF.with(values));
        }
    }
}

fn add_decision(id: PurchaseId, decided: &Decided, batch: &mut Batch) {
    let (word, lines, shortages) = match decided {
        Decided::Taken(lines) => ("taken", lines.len(), String::new()),
        Decided::Refused(shortages) => ("refused", 0, json::from_shortages(shortages)),
    };
    let count = Value::Int(i64::try_from(lines).expect("a purchase has few lines"));
    let word = Value::Text(word.to_owned());
    batch.insert("decisions", DECISION.with([purchase_value(id), word, count, Value::Text(shortages)]));
    match decided {
        Decided::Taken(lines) => {
            for &TakenUnits { item_id, quantity, price } in lines {
                let cents = i64::try_from(price.0).expect("prices are far below");
                let values =
                    [purchase_value(id), item_value(item_id), Value::Int(quantity.into()), Value::Int(cents)];
                batch.insert("decision_lines", LINE.with(values));
            }
        }
        Decided::Refused(shortages) => batch.weigh(shortages.len()),
    }
}
