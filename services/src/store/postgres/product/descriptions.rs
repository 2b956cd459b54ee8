//! [`Descriptions`]: what items are found by, as far as that was needed lately. It never changes, so what is remembered of
//! it is right for ever, whoever else writes to the engine.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::columns::item_value;
use super::super::wire::{Call, Statement, Value};
use super::statements;
use crate::api::values::ItemId;
use crate::product::terms::{Role, each_term};

/// The most items in each of two generations: some 40 MB in all, of a few hundred bytes for most.
const GENERATION_MAX: usize = 32_768;

/// What an item is found by, and who sells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) seller_id: u32,
    /// Each once, by the score that it gives.
    by_score: [(i64, Vec<String>); 2],
}

/// The descriptions that are remembered. A generation that is full takes the place of the one before, whose items are
/// forgotten unless somebody has asked for them since.
pub(super) struct Descriptions {
    young: HashMap<ItemId, Rc<Terms>>,
    old: HashMap<ItemId, Rc<Terms>>,
}

impl Terms {
    /// The terms of an item of this category.
    pub(super) fn new(category: u32, seller_id: u32, name: &str, keywords: &[String]) -> Self {
        let mut others = vec![term_of_category(category), term_of_seller(seller_id)];
        let mut of_keywords = Vec::new();
        each_term(name, keywords, |term, role| match role {
            Role::Keyword => of_keywords.push(term.to_owned()),
            Role::Name => others.push(term.to_owned()),
        });
        for terms in [&mut of_keywords, &mut others] {
            terms.sort_unstable();
            terms.dedup();
        }
        Self { seller_id, by_score: [(2, of_keywords), (1, others)] }
    }

    /// Brings them into the index: a call for each score that the item gives any of them. The statement's first two
    /// parameters are what it is about and the score, the third is the terms, and then come these.
    pub(super) fn adding(
        &self,
        statement: Statement,
        about: i64,
        more: &[Value],
    ) -> impl Iterator<Item = Call> {
        let scores = self.by_score.iter().filter(|(_, terms)| !terms.is_empty());
        scores.map(move |(score, terms)| {
            let mut values = vec![Value::Int(about), Value::Int(*score), Value::Texts(terms.clone())];
            values.extend_from_slice(more);
            statement.with(values)
        })
    }

    /// How many each of these calls brings there.
    pub(super) fn counts(&self) -> impl Iterator<Item = usize> {
        self.by_score.iter().map(|(_, terms)| terms.len()).filter(|count| *count > 0)
    }

    /// Takes them out of the index if the item is sold out.
    pub(super) fn removing(&self, id: ItemId) -> Call {
        let terms = self.by_score.iter().flat_map(|(_, terms)| terms).cloned().collect();
        statements::REMOVE_TERMS.with([item_value(id), Value::Texts(terms)])
    }
}

/// What the term of a category begins with. No word has a control character.
pub(super) const CATEGORY_MARK: &str = "\u{1}";

/// What items of a category have in common with the words that they are found by.
pub(super) fn term_of_category(category: u32) -> String {
    format!("{CATEGORY_MARK}{category}")
}

/// The same of a seller's.
pub(super) fn term_of_seller(seller_id: u32) -> String {
    format!("\u{2}{seller_id}")
}

impl Descriptions {
    /// Nothing is remembered.
    pub(super) fn new() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }

    /// What an item is found by, if that is remembered.
    pub(super) fn get(&mut self, id: ItemId) -> Option<Rc<Terms>> {
        if let Some(terms) = self.young.get(&id) {
            return Some(Rc::clone(terms));
        }
        let terms = self.old.remove(&id)?;
        self.put(id, Rc::clone(&terms));
        Some(terms)
    }

    /// Remembers what an item is found by.
    pub(super) fn put(&mut self, id: ItemId, terms: Rc<Terms>) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, terms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(name: &str, keywords: &[&str]) -> Terms {
        let keywords: Vec<String> = keywords.iter().map(|&word| word.to_owned()).collect();
        Terms::new(8, 3, name, &keywords)
    }

    #[test]
    fn each_term_gives_one_score() {
        let terms = terms("Book, (book) DESK cs", &["BOOK", "book"]);
        let [(2, keywords), (1, others)] = terms.by_score else { panic!("{terms:?}") };
        assert_eq!(keywords, ["book"]);
        assert_eq!(others, ["\u{1}8", "\u{2}3", "(book)", "book,", "cs", "desk"]);
    }

    #[test]
    fn an_item_without_keywords_needs_no_call_for_them() {
        let statement = Statement::once("SELECT 1");
        assert_eq!(terms("desk", &[]).adding(statement, 7, &[]).count(), 1);
        assert_eq!(terms("desk", &["x"]).adding(statement, 7, &[]).count(), 2);
    }

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes() {
        let mut descriptions = Descriptions::new();
        let id = |n| ItemId { category: 1, n };
        let shared = Rc::new(terms("desk", &[]));
        let put = |descriptions: &mut Descriptions, first: u32| {
            (first..first + GENERATION_MAX as u32).for_each(|n| descriptions.put(id(n), Rc::clone(&shared)));
        };
        put(&mut descriptions, 1);
        put(&mut descriptions, 1_000_000);
        assert!(descriptions.get(id(1)).is_some(), "it is of the generation before");
        put(&mut descriptions, 2_000_000);
        assert!(descriptions.get(id(1)).is_some(), "it was asked for");
        assert!(descriptions.get(id(2)).is_none());
        assert!(descriptions.young.len() + descriptions.old.len() <= 2 * GENERATION_MAX);
    }
}
