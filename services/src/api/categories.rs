//! Categories: in which of them there is something to buy, and how much.

use serde::Serialize;

use super::error::Error;
use super::fields::Fields;
use super::items::Browse;
use super::page::{Cursor, Page};
use super::values::{Category, Limit};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// `ListCategories`: those with items in stock, by number.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct ListCategories(pub(crate) Page<Category>);

/// A category, and how many of its items are in stock.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Stocked {
    pub(crate) category: Category,
    pub(crate) items: u64,
}

/// A page of categories.
#[derive(Serialize)]
pub(crate) struct CategoriesPage {
    categories: Vec<Stocked>,
    /// Where the next page begins, if there is one.
    next_cursor: Option<Cursor<Category>>,
}

impl CategoriesPage {
    /// A page of the first of these, of which one more than it holds tells that there is a next one.
    pub(crate) fn new(Limit(limit): Limit, mut rest: impl Iterator<Item = Stocked>) -> Self {
        let categories: Vec<_> = rest.by_ref().take(limit).collect();
        let last = categories.last().filter(|_| rest.next().is_some());
        let next_cursor = last.map(|last| Cursor(last.category));
        Self { categories, next_cursor }
    }
}

impl FromFields for ListCategories {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Page::from_fields(fields).map(Self)
    }
}

impl Api for Browse<ListCategories> {
    const NAME: &'static str = "ListCategories";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = CategoriesPage;
}

impl Api for ListCategories {
    const NAME: &'static str = "ListCategories";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = CategoriesPage;
}

impl DatabaseApi for ListCategories {
    const DATABASE: Database = Database::Product;
}
