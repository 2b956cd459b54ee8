use std::collections::BTreeSet;

use super::*;

fn id(category: u32, n: u32) -> ItemId {
    ItemId { category, n }
}

#[test]
fn appending_gives_the_same_set_as_inserting() {
    let list_len_max = SET_LIST_LEN_MAX as u32;
    for (categories, numbers) in [
        (1, 1),
        (3, 2),
        (1, 65),
        (70, 1),
        (1, list_len_max),
        (1, list_len_max + 1),
        (list_len_max + 1, 1),
        (5, 65),
        (2, 200),
    ] {
        let ids = || (1..=categories).flat_map(|category| (1..=numbers).map(move |n| id(category, n)));
        let (mut appended, mut inserted) = (Postings::default(), Postings::default());
        ids().for_each(|id| appended.append(id));
        appended.settle();
        ids().for_each(|id| assert!(inserted.insert(id)));
        assert_eq!(all(&appended), all(&inserted));
        assert!(!appended.insert(id(1, 1)) && appended.remove(id(1, 1)));
    }
}

fn all(postings: &Postings) -> Vec<ItemId> {
    let mut ids = Vec::new();
    postings.append_after(None, usize::MAX, &mut ids);
    ids
}

#[test]
fn a_set_of_one_is_small() {
    let mut postings = Postings::default();
    assert!(postings.insert(id(3, 7)));
    let Form::List(list) = &postings.form else { panic!("one ID is kept in a list") };
    assert_eq!((list.capacity(), size_of::<Postings>()), (1, 24));
}

#[test]
fn a_large_set_goes_back_to_a_list_and_drops_its_empty_categories() {
    let mut postings = Postings::default();
    for n in 1..=1000 {
        postings.insert(id(n % 2, n));
    }
    for n in (2..=1000).step_by(2) {
        postings.remove(id(0, n));
    }
    let Form::Categories(categories) = &postings.form else { panic!("500 IDs are no list") };
    assert_eq!(categories.numbers.len(), 1);
    assert_eq!((categories.len, all(&postings).len()), (500, 500));
    for n in (1..=999).step_by(2) {
        postings.remove(id(1, n));
    }
    let Form::List(list) = &postings.form else { panic!("no IDs are kept in a list") };
    assert_eq!(list.capacity(), 0);
}

#[test]
fn positions_at_the_ends_of_categories() {
    // The first set is kept as one list, the second by category.
    for len in [200, 400] {
        let mut postings = Postings::default();
        for n in 0..len {
            postings.insert(id(n % 4, u32::MAX - n));
        }
        assert_eq!(matches!(postings.form, Form::List(_)), len == 200);
        let after = |after| {
            let mut ids = Vec::new();
            postings.append_after(Some(after), 1, &mut ids);
            ids
        };
        assert_eq!(after(id(1, u32::MAX)), [id(2, u32::MAX - (len - 2))]);
        assert_eq!(after(id(2, u32::MAX)), [id(3, u32::MAX - (len - 1))]);
        assert_eq!(after(id(3, u32::MAX)), []);
        assert_eq!(after(id(u32::MAX, u32::MAX)), []);
    }
}

#[test]
fn behaves_as_a_sorted_set() {
    let mut rng = fastrand::Rng::with_seed(1);
    for (categories, numbers) in [(1, 50), (3, 40), (100, 3), (3, 300), (40, 200), (400, 3), (1, 200_000)] {
        let (mut postings, mut model) = (Postings::default(), BTreeSet::new());
        // The set grows in even rounds and shrinks in odd ones, so that it changes its form often.
        for round in 0..8 {
            for _ in 0..1000 {
                let id = id(rng.u32(..categories), rng.u32(1..=numbers));
                if rng.u32(..10) < if round % 2 == 0 { 9 } else { 1 } {
                    assert_eq!(postings.insert(id), model.insert(id));
                } else {
                    let id = *model.range(id..).next().unwrap_or(&id);
                    assert_eq!(postings.remove(id), model.remove(&id));
                }
            }
            assert_eq!(all(&postings), model.iter().copied().collect::<Vec<_>>());
            let after = id(rng.u32(..categories), rng.u32(..=numbers));
            let limit = rng.usize(..100);
            let mut page = vec![after];
            postings.append_after(Some(after), limit, &mut page);
            let expected = model.range(after..).filter(|&&id| id != after);
            assert!(page[1..].iter().eq(expected.take(limit)));
        }
    }
}
