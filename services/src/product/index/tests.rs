use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Items of category 1, numbered from 1, with their names and keywords.
fn index_of(items: &[(&str, &[&str])]) -> Index {
    let mut index = Index::new();
    for ((name, keywords), n) in items.iter().zip(1..) {
        let terms = index.intern(name, keywords);
        index.insert(ItemId { category: 1, n }, |_| &terms);
    }
    index
}

fn query(category: Option<u32>, keywords: &[String]) -> Query<'_> {
    Query { category, keywords }
}

/// The numbers of the items found, in order.
fn find(index: &Index, keywords: &[&str]) -> Vec<u32> {
    let keywords: Vec<_> = keywords.iter().map(|keyword| keyword.to_string()).collect();
    let mut hits = Vec::new();
    let page = index.search(&query(None, &keywords), None, 100, &mut hits);
    assert_eq!(page, Page { total: hits.len() as u64, next: None });
    hits.iter().map(|id| id.n).collect()
}

#[test]
fn a_keyword_counts_more_than_a_word_of_the_name() {
    let index =
        index_of(&[("Oak table", &[]), ("Desk", &["table", "oak"]), ("table", &["TABLE"]), ("stool", &[])]);
    assert_eq!(find(&index, &["table"]), [2, 3, 1]);
    assert_eq!(find(&index, &["table", "oak"]), [2, 1, 3]);
    assert_eq!(find(&index, &["table", "nothing"]), [2, 3, 1]);
}

#[test]
fn a_doubled_keyword_is_one_keyword() {
    let index = index_of(&[("red wine", &[]), ("Cask", &["red"]), ("bottle", &["wine"])]);
    assert_eq!(find(&index, &["wine", "Wine", "WINE"]), [3, 1]);
    assert_eq!(find(&index, &["wine", "red", "WINE"]), [1, 2, 3]);
}

#[test]
fn words_are_taken_as_they_are_and_trimmed() {
    let index = index_of(&[("Lamp, red", &[]), ("C++ primer", &[]), ("-- o'hara --", &[])]);
    assert_eq!(find(&index, &["lamp"]), [1]);
    assert_eq!(find(&index, &["LAMP,"]), [1]);
    assert_eq!(find(&index, &["c++"]), [2]);
    assert_eq!(find(&index, &["c"]), [2]);
    assert_eq!(find(&index, &["--"]), [3]);
    assert_eq!(find(&index, &["o'hara"]), [3]);
    assert_eq!(find(&index, &["o"]), [0u32; 0]);
    assert_eq!(find(&index, &[""]), [0u32; 0]);
}

#[test]
fn words_that_are_alike_are_one_term() {
    let index =
        index_of(&[("ÄPFEL", &[]), ("σοφος", &["Straße"]), ("\u{fb01}n Weißbier", &[]), ("İris", &[])]);
    for (keyword, n) in
        [("a\u{308}pfel", 1), ("ΣΟΦΟΣ", 2), ("STRASSE", 2), ("FIN", 3), ("WEISSBIER", 3), ("iris", 4)]
    {
        assert_eq!(find(&index, &[keyword]), [n], "{keyword}");
    }
    assert_eq!(find(&index, &["Weißbier", "weissbier"]), [3], "one keyword");
}

#[test]
fn a_word_ends_at_any_white_space_and_keeps_its_marks() {
    let index = index_of(&[("red\u{a0}wine\u{3000}｢cask｣", &[]), ("\u{2764}\u{fe0f} x\u{303}!", &[])]);
    for (keyword, found) in [("red", 1), ("wine", 1), ("cask", 1), ("\u{2764}", 2), ("x\u{303}", 2)] {
        assert_eq!(find(&index, &[keyword]), [found], "{keyword}");
    }
    assert_eq!(find(&index, &["x"]), [0u32; 0], "a letter with its mark is another");
}

#[test]
fn nothing_is_no_term() {
    let index = index_of(&[("a \u{200b}\u{fe0f} ! b", &[])]);
    let mut terms: Vec<_> = index.vocabulary.iter().map(|(term, _)| &**term).collect();
    terms.sort_unstable();
    assert_eq!(terms, ["!", "a", "b"]);
}

#[test]
fn an_item_is_found_only_while_it_is_in_stock() {
    let mut index = index_of(&[("red", &[]), ("red", &[])]);
    let terms = index.intern("red", &[""; 0]);
    let id = ItemId { category: 1, n: 1 };
    for _ in 0..2 {
        index.remove(id, &terms);
        assert_eq!((find(&index, &["red"]), find(&index, &[])), (vec![2], vec![2]));
    }
    for _ in 0..2 {
        index.insert(id, |_| &terms);
        assert_eq!((find(&index, &["red"]), find(&index, &[])), (vec![1, 2], vec![1, 2]));
    }
}

#[test]
fn filling_gives_the_same_index_as_inserting() {
    let keywords: [&[&str]; 3] = [&["red"], &["oak", "red"], &[]];
    let (mut inserted, mut filled) = (Index::new(), Index::new());
    let mut items = Vec::new();
    for (n, keywords) in (1..=700).zip(keywords.into_iter().cycle()) {
        let (id, name) = (ItemId { category: n / 300, n }, format!("red {}", n % 100));
        let terms = inserted.intern(&name, keywords);
        assert_eq!(filled.intern(&name, keywords), terms);
        // An item out of stock has terms all the same.
        if n % 7 > 0 {
            items.push((id, terms));
        }
    }
    let terms: BTreeMap<_, _> = items.iter().cloned().collect();
    items.iter().for_each(|(id, _)| inserted.insert(*id, |id| &terms[&id]));
    filled.fill(items.iter().map(|(id, terms)| (*id, terms)));
    for keywords in [&["red"] as &[&str], &["oak"], &["red", "oak", "7"], &["42"], &["14", "21"], &[]] {
        let keywords: Vec<_> = keywords.iter().map(|keyword| keyword.to_string()).collect();
        for category in [None, Some(1)] {
            let (mut expected, mut hits) = (Vec::new(), Vec::new());
            let page = inserted.search(&query(category, &keywords), None, 1000, &mut expected);
            assert_eq!(filled.search(&query(category, &keywords), None, 1000, &mut hits), page);
            assert!(page.total > 0 && hits == expected);
        }
    }
    assert!(filled.categories_after(None).eq(inserted.categories_after(None)));
}

#[test]
fn a_page_tells_where_the_next_one_starts() {
    let index = index_of(&[("red", &[]), ("red", &["red"]), ("red", &[])]);
    let (keywords, mut hits) = (["red".to_string()], Vec::new());
    let red = query(Some(1), &keywords);
    let at = |score, n| Position { score, id: ItemId { category: 1, n } };
    assert_eq!(index.search(&red, None, 0, &mut hits), Page { total: 3, next: None });
    let page = index.search(&red, None, 2, &mut hits);
    assert_eq!(page, Page { total: 3, next: Some(at(1, 1)) });
    assert_eq!(index.search(&red, page.next, 1, &mut hits), Page { total: 3, next: None });
    assert_eq!(hits, [at(2, 2).id, at(1, 1).id, at(1, 3).id]);
    assert!(at(2, 2) < at(1, 1) && at(1, 1) < at(1, 3));
}

#[test]
#[should_panic(expected = "the terms of")]
fn terms_that_change_in_stock_are_a_defect() {
    let mut index = index_of(&[("red", &[])]);
    let terms = index.intern("blue", &[""; 0]);
    index.remove(ItemId { category: 1, n: 1 }, &terms);
}

/// One item of the model: its words and keywords, all in lower case.
struct Item {
    words: BTreeSet<String>,
    keywords: BTreeSet<String>,
    terms: Terms,
}

/// The whole result of a query, found by looking at each item in stock.
fn search_all(stock: &BTreeMap<ItemId, &Item>, query: &Query<'_>) -> Vec<Position> {
    let keywords: BTreeSet<_> = query.keywords.iter().map(|word| word.to_lowercase()).collect();
    let score_of = |item: &Item| {
        let score = |keyword: &String| match () {
            () if item.keywords.contains(keyword) => 2,
            () if item.words.contains(keyword) => 1,
            () => 0,
        };
        keywords.iter().map(score).sum::<u8>()
    };
    let mut found: Vec<_> = stock
        .iter()
        .filter(|(id, _)| query.category.is_none_or(|category| id.category == category))
        .map(|(&id, item)| Position { score: score_of(item), id })
        .filter(|position| keywords.is_empty() || position.score > 0)
        .collect();
    found.sort_by_key(|hit| (u8::MAX - hit.score, hit.id.category, hit.id.n));
    found
}

/// Reads all pages of a query, of random sizes, and compares them with the model.
fn check_pages(rng: &mut fastrand::Rng, index: &Index, stock: &BTreeMap<ItemId, &Item>, query: &Query<'_>) {
    let expected = search_all(stock, query);
    let (mut hits, mut after) = (Vec::new(), None);
    loop {
        let limit = rng.usize(1..=expected.len() / 2 + 2);
        let before = hits.len();
        let page = index.search(query, after, limit, &mut hits);
        assert_eq!(page.total, expected.len() as u64, "{query:?}");
        assert_eq!(hits.len(), expected.len().min(before + limit), "{query:?}");
        let more = hits.len() < expected.len();
        assert_eq!(page.next, more.then(|| expected[hits.len() - 1]), "{query:?}");
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(hits.iter().eq(expected.iter().map(|hit| &hit.id)), "{query:?}");
    // A cursor may also hold a position that is no hit, or is none any more.
    let id = ItemId { category: rng.u32(..12), n: rng.u32(..400) };
    let after = Position { score: rng.u8(..12), id };
    let mut rest = Vec::new();
    index.search(query, Some(after), usize::MAX, &mut rest);
    assert!(rest.iter().eq(expected.iter().filter(|&&hit| hit > after).map(|hit| &hit.id)));
}

/// Compares the counts by category with the model, from the first category on and from one of chance.
fn check_categories(rng: &mut fastrand::Rng, index: &Index, stock: &BTreeMap<ItemId, &Item>) {
    let mut expected = BTreeMap::new();
    stock.keys().for_each(|id| *expected.entry(id.category).or_insert(0) += 1);
    assert!(index.categories_after(None).eq(expected.clone()));
    let first = stock.keys().nth(rng.usize(..=stock.len())).map_or(rng.u32(..), |id| id.category);
    let rest = expected.into_iter().filter(|(category, _)| *category > first);
    assert!(index.categories_after(Some(first)).eq(rest));
}

#[test]
fn agrees_with_a_search_of_each_item() {
    // Of the last three, one has small categories alone, and two have a large one beside them: sets are combined as
    // lists, as bitmaps, and in both ways in one search.
    for (seed, categories, items_max, large_percent) in [
        (1, 1, 30, 0),
        (2, 3, 300, 0),
        (3, 10, 3000, 0),
        (4, 2, 3000, 0),
        (5, 400, 2000, 0),
        (6, 400, 3000, 50),
        (7, 30, 3000, 30),
        // Nearly each item in a category of its own.
        (8, u32::MAX / 2, 3000, 0),
    ] {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Of 12 words the first are the most common, and the last ("w11") is known to no item.
        let word = |rng: &mut fastrand::Rng, words: usize| {
            let word = format!("w{}", rng.usize(..words).min(rng.usize(..words)));
            if rng.bool() { word.to_uppercase() } else { word }
        };
        let mut index = Index::new();
        let mut items = BTreeMap::new();
        for n in 0..items_max {
            let keywords: Vec<_> = (0..rng.usize(..=5)).map(|_| word(&mut rng, 11)).collect();
            let words: Vec<_> = (0..rng.usize(1..=3)).map(|_| word(&mut rng, 11)).collect();
            let lower = |words: &[String]| words.iter().map(|word| word.to_lowercase()).collect();
            let terms = index.intern(&words.join(", "), &keywords);
            let item = Item { words: lower(&words), keywords: lower(&keywords), terms };
            let large = rng.u32(..100) < large_percent;
            let category = if large { categories / 2 } else { rng.u32(..categories) };
            items.insert(ItemId { category, n: n + 1 }, item);
        }
        let mut stock = BTreeMap::new();
        // Stock grows to nearly all items, falls to nearly none, and grows again.
        for keep_percent in [10, 50, 95, 60, 5, 0, 70] {
            for (&id, item) in &items {
                if rng.u32(..100) < keep_percent {
                    index.insert(id, |id| &items[&id].terms);
                    stock.insert(id, item);
                } else {
                    index.remove(id, &item.terms);
                    stock.remove(&id);
                }
            }
            check_categories(&mut rng, &index, &stock);
            for _ in 0..30 {
                let keywords: Vec<_> = (0..rng.usize(..=5)).map(|_| word(&mut rng, 12)).collect();
                let category = rng.bool().then(|| rng.u32(..=categories));
                check_pages(&mut rng, &index, &stock, &query(category, &keywords));
            }
        }
    }
}
