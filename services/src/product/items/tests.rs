use super::*;
use crate::api::encoded::Description;
use crate::api::values::{Condition, Feedback, Price};
use crate::product::index::Index;

fn id(category: u32, n: u32) -> ItemId {
    ItemId { category, n }
}

fn at(cents: u64) -> Listing {
    Listing { price: Price(cents), quantity: 1, feedback: Feedback::default() }
}

/// An item of seller 7.
fn item(id: ItemId, cents: u64) -> Item {
    let (name, keywords, condition) = ("desk".into(), Vec::new(), Condition::New);
    let description = Description { id, seller_id: 7, name, keywords, condition };
    let terms = Index::new().intern(&description.name, &description.keywords);
    Item::new(&description, terms, at(cents))
}

fn loaded(ids: &[ItemId]) -> Items {
    let mut items = Items::new();
    ids.iter().for_each(|&id| assert!(items.load(id.category, item(id, 100)), "{id}"));
    items.loaded();
    items
}

fn add(items: &mut Items, category: u32, cents: u64) -> ItemId {
    let id = items.next_id(category).expect("there is room");
    items.add(category, item(id, cents));
    id
}

fn seal(items: &mut Items) -> Vec<(ItemId, u64)> {
    items.seal().map(|(id, listing)| (id, listing.price.0)).collect()
}

/// Publishes, and returns the price of each item before and after.
fn publish(items: &mut Items) -> Vec<(ItemId, Option<u64>, u64)> {
    let mut seen = Vec::new();
    let cents = |listing: Listing| listing.price.0;
    items.publish(usize::MAX, |id, before, item| seen.push((id, before.map(cents), cents(item.listing))));
    seen
}

/// The price that readers and that writers see.
fn prices(items: &Items, id: ItemId) -> (Option<u64>, Option<u64>) {
    let durable = items.get(id).map(|item| {
        let price = format!(r#""price":{}.{},"#, item.listing.price.0 / 100, item.listing.price.0 % 100);
        let json = std::str::from_utf8(item.encoded().json()).expect("JSON is UTF-8");
        assert!(json.contains(&price), "{json} and not {price}");
        item.listing.price.0
    });
    (durable, items.latest(id).map(|(_, listing)| listing.price.0))
}

#[test]
fn a_group_may_be_published_in_parts() {
    let (a, b, c) = (id(1, 1), id(1, 2), id(1, 3));
    let mut items = loaded(&[a, b, c]);
    for id in [a, b, c] {
        items.relist(id, at(200));
    }
    assert_eq!(seal(&mut items), [(a, 200), (b, 200), (c, 200)]);
    items.relist(a, at(300));
    assert_eq!(seal(&mut items), [(a, 300)]);
    assert_eq!(items.publish(2, |_, _, _| ()), None, "there is more of it");
    assert_eq!((prices(&items, a), prices(&items, b)), ((Some(200), Some(300)), (Some(200), Some(200))));
    assert_ne!(prices(&items, c).0, Some(200));
    assert_eq!(items.publish(2, |_, _, _| ()), Some(1), "the second group is not begun with it");
    assert_eq!((prices(&items, a), prices(&items, c)), ((Some(200), Some(300)), (Some(200), Some(200))));
    assert_eq!(publish(&mut items), [(a, Some(200), 300)]);
}

#[test]
fn readers_see_a_listing_only_once_it_is_published() {
    let (mut items, id) = (loaded(&[id(1, 1)]), id(1, 1));
    assert_eq!(prices(&items, id), (Some(100), Some(100)));
    assert!(!items.is_dirty());
    items.relist(id, at(200));
    assert!(items.is_dirty());
    assert_eq!(prices(&items, id), (Some(100), Some(200)));
    assert_eq!(seal(&mut items), [(id, 200)]);
    assert_eq!(prices(&items, id), (Some(100), Some(200)));
    assert_eq!(publish(&mut items), [(id, Some(100), 200)]);
    assert_eq!(prices(&items, id), (Some(200), Some(200)));
}

#[test]
fn an_item_changed_again_while_its_group_is_under_way_becomes_durable_in_two_steps() {
    let (mut items, id) = (loaded(&[id(1, 1)]), id(1, 1));
    items.relist(id, at(200));
    assert_eq!(seal(&mut items), [(id, 200)]);
    items.relist(id, at(300));
    items.relist(id, at(400));
    assert_eq!(publish(&mut items), [(id, Some(100), 200)]);
    assert_eq!(prices(&items, id), (Some(200), Some(400)));
    assert_eq!(seal(&mut items), [(id, 400)], "an item written twice is stored once");
    assert_eq!(publish(&mut items), [(id, Some(200), 400)]);
    assert_eq!(prices(&items, id), (Some(400), Some(400)));
}

#[test]
fn a_new_item_can_be_changed_before_readers_see_it() {
    let mut items = Items::new();
    let first = add(&mut items, 5, 100);
    assert_eq!((first, items.latest(first)), (id(5, 1), Some((7, at(100)))));
    items.relist(first, at(200));
    assert_eq!(prices(&items, first), (None, Some(200)));
    assert_eq!(seal(&mut items), [(first, 200)]);
    let second = add(&mut items, 5, 300);
    items.relist(first, at(400));
    assert_eq!(publish(&mut items), [(first, None, 200)]);
    assert_eq!(prices(&items, first), (Some(200), Some(400)));
    assert_eq!(prices(&items, second), (None, Some(300)));
    assert_eq!(seal(&mut items), [(first, 400), (second, 300)]);
    assert_eq!(publish(&mut items), [(first, Some(200), 400), (second, None, 300)]);
    assert_eq!(prices(&items, second), (Some(300), Some(300)));
}

#[test]
fn each_category_counts_for_itself_and_reads_in_any_order() {
    let mut items = loaded(&[id(0, 1), id(0, 2), id(9, 1)]);
    assert_eq!(add(&mut items, 9, 100), id(9, 2));
    assert_eq!(add(&mut items, 4, 100), id(4, 1));
    assert_eq!(add(&mut items, 0, 100), id(0, 3));
    assert_eq!(seal(&mut items), [(id(0, 3), 100), (id(4, 1), 100), (id(9, 2), 100)]);
    assert_eq!(add(&mut items, 4, 100), id(4, 2));
    publish(&mut items);
    let asked = [id(9, 2), id(9, 1), id(0, 3), id(4, 2), id(4, 1), id(0, 4), id(7, 1)];
    let found = items.get_all(&asked).map(|item| item.map(|item| item.n));
    assert!(found.eq([Some(2), Some(1), Some(3), None, Some(1), None, None]));
    assert_eq!((items.latest(id(4, 2)), items.latest(id(4, 3))), (Some((7, at(100))), None));
}

#[test]
fn items_that_are_not_the_next_of_their_category_are_not_loaded() {
    let mut items = loaded(&[id(1, 1), id(1, 2), id(2, 1)]);
    for odd in [id(1, 2), id(1, 4), id(2, 1), id(3, 2), id(4, u32::MAX)] {
        assert!(!items.load(odd.category, item(odd, 100)), "{odd}");
    }
    assert!(items.load(3, item(id(3, 1), 100)));
}

#[test]
fn items_are_counted_as_far_as_they_are_on_disk() {
    let mut items = loaded(&[id(1, 1), id(1, 2), id(7, 1)]);
    assert_eq!(items.len(), 3);
    add(&mut items, 1, 100);
    items.relist(id(7, 1), at(50));
    seal(&mut items);
    assert_eq!(items.len(), 3);
    publish(&mut items);
    assert_eq!(items.len(), 4);
}
