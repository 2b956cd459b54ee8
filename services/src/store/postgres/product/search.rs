//! Lists: a seller's items, what a search finds, and categories.

use net::Time;

use super::super::answers::{carried_out, first, nonsense, number};
use super::super::columns::{item_number, item_value};
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Call, Row, Value};
use super::columns::{self, ITEM_COLUMNS};
use super::descriptions::{CATEGORY_MARK, term_of_category, term_of_seller};
use super::{RemoteProduct, statements};
use crate::api::accounts::SellerId;
use crate::api::categories::{CategoriesPage, ListCategories, Stocked};
use crate::api::encoded::EncodedItem;
use crate::api::error::Error;
use crate::api::items::{DisplayItemsForSale, ItemsPage, Position, SearchItems};
use crate::api::page::Cursor;
use crate::api::values::{Category, ItemId, Limit, UserId};
use crate::engine::caller::Caller;
use crate::product::packed::all_of;
use crate::product::terms::terms_of_query;

impl Carry<DisplayItemsForSale<SellerId>> for RemoteProduct {
    fn carry(
        &mut self,
        _: Time,
        _: Caller,
        display: DisplayItemsForSale<SellerId>,
    ) -> Result<Step<Self>, Error> {
        let DisplayItemsForSale { sold_out, page, by: SellerId { seller_id: UserId(seller_id) } } = display;
        let Limit(limit) = page.limit;
        let after = page.after.map_or(Value::Int(0), |Cursor(id)| item_value(id));
        let (statement, whose) = match sold_out {
            true => (statements::SHELF_WITH_SOLD_OUT, Value::Int(seller_id.into())),
            false => (statements::SHELF_IN_STOCK, Value::Text(term_of_seller(seller_id))),
        };
        let call = statement.with([whose, after, one_more(limit)]);
        Step::ask(Transaction::read(None, call), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let rows = replies.first().map_or(&[][..], |reply| &reply.rows);
            let mut items: Vec<_> = rows.iter().map(columns::item).collect::<Result<_, _>>()?;
            let more = items.len() > limit;
            items.truncate(limit);
            let next = items.last().filter(|_| more).map(|(id, _)| Cursor(*id));
            Step::reply(&ItemsPage { items: items.iter().map(|(_, item)| item).collect(), total: None, next })
        })
    }
}

impl Carry<SearchItems> for RemoteProduct {
    fn carry(&mut self, _: Time, _: Caller, search: SearchItems) -> Result<Step<Self>, Error> {
        let query = Query::of(&search);
        Step::ask(Transaction::read(None, query.page()), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let rows = replies.first().map_or(&[][..], |reply| &reply.rows);
            let hits = rows.iter().map(hit).collect::<Result<Vec<_>, _>>()?;
            // Each row tells how many hits there are in all. Without rows, there are none after the cursor.
            let total = rows.first().map(|row| total(row, ITEM_COLUMNS + 1)).transpose()?;
            match total {
                None if query.after.is_some() => query.count(),
                _ => query.reply(&hits, total.unwrap_or(0)),
            }
        })
    }
}

impl Carry<ListCategories> for RemoteProduct {
    fn carry(
        &mut self,
        _: Time,
        _: Caller,
        ListCategories(page): ListCategories,
    ) -> Result<Step<Self>, Error> {
        let Limit(limit) = page.limit;
        // They are numbered from 0.
        let after = page.after.map_or(-1, |Cursor(Category(category))| i64::from(category));
        let values = [Value::Int(after), one_more(limit), Value::Text(CATEGORY_MARK.to_owned())];
        let call = statements::CATEGORIES_IN_STOCK.with(values);
        Step::ask(Transaction::read(None, call), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let rows = replies.first().map_or(&[][..], |reply| &reply.rows);
            let stocked =
                |row| Ok(Stocked { category: Category(number(row, 0, u32::MAX)?), items: total(row, 1)? });
            let categories = rows.iter().map(stocked).collect::<Result<Vec<_>, Error>>()?;
            Step::reply(&CategoriesPage::new(page.limit, categories.into_iter()))
        })
    }
}

/// What a search looks for.
struct Query {
    /// If there are none, whatever is of the category is found: no search is without both.
    terms: Vec<String>,
    category: Option<u32>,
    after: Option<Position>,
    limit: usize,
}

impl Query {
    fn of(search: &SearchItems) -> Self {
        let Limit(limit) = search.page.limit;
        Self {
            terms: terms_of_query(&search.keywords.0).into_iter().map(Into::into).collect(),
            category: search.category.map(|Category(category)| category),
            after: search.page.after.map(|Cursor(position)| position),
            limit,
        }
    }

    /// Asks for the page, and whether another one follows.
    fn page(&self) -> Call {
        let [first, last] = self.bounds().map(Value::Int);
        let limit = one_more(self.limit);
        match &self.terms[..] {
            [] => {
                let term = self.category.map_or_else(String::new, term_of_category);
                statements::SEARCH_CATEGORY.with([Value::Text(term), Value::Int(self.after_of(0)), limit])
            }
            [term] => {
                let [keyword, word] = [2, 1].map(|score| Value::Int(self.after_of(score)));
                let term = Value::Text(term.clone());
                statements::SEARCH_TERM.with([term, keyword, word, first, last, limit])
            }
            terms => {
                // Without a cursor all hits come after it.
                let after =
                    self.after.map_or([i64::MAX, 0], |after| [after.score.into(), item_number(after.id)]);
                let [score, after] = after.map(Value::Int);
                let terms = Value::Texts(terms.to_vec());
                statements::SEARCH_TERMS.with([terms, first, last, score, after, limit])
            }
        }
    }

    /// Asks only for the number of hits.
    fn count(self) -> Result<Step<RemoteProduct>, Error> {
        let terms = match self.terms.is_empty() {
            true => self.category.map(term_of_category).into_iter().collect(),
            false => self.terms.clone(),
        };
        let [first_id, last_id] = self.bounds().map(Value::Int);
        let call = statements::COUNT_HITS.with([Value::Texts(terms), first_id, last_id]);
        Step::ask(Transaction::read(None, call), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, 0).ok_or_else(|| nonsense("a count is missing"))?;
            self.reply(&[], total(row, 0)?)
        })
    }

    fn reply(&self, hits: &[(Position, EncodedItem)], total: u64) -> Result<Step<RemoteProduct>, Error> {
        let page = &hits[..hits.len().min(self.limit)];
        let next = page.last().filter(|_| page.len() < hits.len());
        Step::reply(&ItemsPage {
            items: page.iter().map(|(_, item)| item).collect(),
            total: Some(total),
            next: next.map(|(position, _)| Cursor(*position)),
        })
    }

    /// All hits come after the first of these and up to the second.
    fn bounds(&self) -> [i64; 2] {
        let ids = self.category.map_or(0..=u64::MAX, all_of);
        [*ids.start(), *ids.end()].map(|id| i64::try_from(id).unwrap_or(i64::MAX))
    }

    /// After what the hits of a score begin.
    fn after_of(&self, score: u8) -> i64 {
        let [first, _] = self.bounds();
        match self.after {
            Some(after) if after.score < score => i64::MAX,
            Some(after) if after.score == score => first.max(item_number(after.id)),
            _ => first,
        }
    }
}

/// The item of a row, with its place among the hits.
fn hit(row: &Row) -> Result<(Position, EncodedItem), Error> {
    let (id, item): (ItemId, _) = columns::item(row)?;
    let score = u8::try_from(row.int(ITEM_COLUMNS)?).map_err(|_| nonsense("a score is out of bounds"))?;
    Ok((Position { score, id }, item))
}

fn total(row: &Row, column: usize) -> Result<u64, Error> {
    u64::try_from(row.int(column)?).map_err(|_| nonsense("a count is negative"))
}

/// One more than the page holds tells whether there is a next one.
fn one_more(limit: usize) -> Value {
    Value::Int(i64::try_from(limit + 1).expect("pages are short"))
}
