//! What an item is found by: its keywords and the words of its name, folded (see [`folded`]), and what a search's keywords
//! stand for. It finds nothing by itself: that is done by the index, or by an engine.

use std::borrow::Cow;
use std::iter;

use crate::api::values::{folded, is_punctuation};

/// What a term is to an item. The role's value is the bit that its score sets: 1 for a name, 2 for a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A word of its name, and none of its keywords.
    Name = 0,
    /// One of its keywords.
    Keyword = 1,
}

/// Shows the terms of an item, keywords first. The same one may come twice, always in the same role.
pub(crate) fn each_term(name: &str, keywords: &[impl AsRef<str>], mut show: impl FnMut(&str, Role)) {
    let keywords: Vec<_> = keywords.iter().map(|word| folded(word.as_ref())).collect();
    keywords.iter().for_each(|word| show(word, Role::Keyword));
    for word in name.split_whitespace() {
        let trimmed = word.trim_matches(is_punctuation);
        for form in iter::once(word).chain(Some(trimmed).filter(|&form| form != word)) {
            let term = folded(form);
            // What nobody sees folds to nothing.
            if !term.is_empty() && !keywords.contains(&term) {
                show(&term, Role::Name);
            }
        }
    }
}

/// The terms that a search's keywords stand for, each once.
pub(crate) fn terms_of_query(keywords: &[String]) -> Vec<Cow<'_, str>> {
    let mut terms: Vec<_> = keywords.iter().map(|keyword| folded(keyword)).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}
