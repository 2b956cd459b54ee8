//! How a value stands in a cell of a table that people open in a spreadsheet.
//!
//! A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and takes `1:42` for a time of the day. Such
//! a cell gets an apostrophe before it, which makes it text there, and which is taken away again when it is read.

/// What formulas begin with, also in the wide forms that some spreadsheets take for the same.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
const SEPARATOR: char = '|';
const ESCAPE: char = '\\';

/// The cell of this text.
pub(crate) fn guard(text: &str) -> String {
    let begins_anew = text.strip_prefix('\'').is_some_and(is_guarded);
    if text.starts_with(FORMULA_STARTS) || begins_anew { format!("'{text}") } else { text.to_owned() }
}

/// The text of this cell.
pub(crate) fn unguard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_guarded(text)).unwrap_or(cell)
}

/// The cell of an item's ID.
pub(crate) fn guard_id(item_id: &str) -> String {
    format!("'{item_id}")
}

/// The ID in a cell. None begins with an apostrophe.
pub(crate) fn unguard_id(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// The cell of keywords, which are separated by `|`; one that is part of a keyword has a `\` before it.
pub(crate) fn join(keywords: &[String]) -> String {
    let mut cell = String::new();
    for (place, keyword) in keywords.iter().enumerate() {
        if place > 0 {
            cell.push(SEPARATOR);
        }
        for c in keyword.chars() {
            if matches!(c, SEPARATOR | ESCAPE) {
                cell.push(ESCAPE);
            }
            cell.push(c);
        }
    }
    guard(&cell)
}

/// The keywords in a cell, without white space at their ends. There are none in an empty one.
pub(crate) fn split(cell: &str) -> Vec<String> {
    if cell.trim().is_empty() {
        return Vec::new();
    }
    let mut keywords = vec![String::new()];
    let mut chars = unguard(cell).chars();
    while let Some(c) = chars.next() {
        let last = keywords.last_mut().expect("there is one from the start");
        match c {
            SEPARATOR => keywords.push(String::new()),
            ESCAPE => last.push(chars.next().unwrap_or(ESCAPE)),
            c => last.push(c),
        }
    }
    keywords.iter().map(|keyword| keyword.trim().to_owned()).collect()
}

/// Whether an apostrophe before this text is a guard's.
fn is_guarded(text: &str) -> bool {
    text.starts_with(FORMULA_STARTS) || text.starts_with('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_is_read_back() {
        for text in ["=1+1", "+1", "-1", "@x", "＝1", "'=x", "''a", "'", "'74", "", "a=b", "''", "1:42"] {
            let cell = guard(text);
            assert!(!cell.starts_with(FORMULA_STARTS), "{cell}");
            assert_eq!(unguard(&cell), text);
        }
        assert_eq!(guard("'74 Jailbreak"), "'74 Jailbreak", "what is no trap stays as it is");
        assert_eq!([unguard_id(" '1:42 "), unguard_id("1:42")], ["1:42"; 2]);
        assert_eq!(unguard_id(&guard_id("1:42")), "1:42");
    }

    #[test]
    fn keywords_are_read_back_whatever_they_hold() {
        for keywords in [
            &[][..],
            &["book"],
            &["book", "cs"],
            &["a|b", "\\", "c\\|"],
            &["=1", "@x"],
            &["'=", "'a"],
            &["two b", "a,b;c"],
        ] {
            let keywords: Vec<String> = keywords.iter().map(|&word| word.into()).collect();
            assert_eq!(split(&join(&keywords)), keywords);
        }
        assert_eq!(split(" book | cs "), ["book", "cs"]);
        assert_eq!(split("a||b"), ["a", "", "b"], "which the rule of keywords refuses");
        assert_eq!(split("a\\"), ["a\\"]);
        assert!(split("  ").is_empty());
    }
}
