mod figures;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::api::Encode;
use crate::api::error::Code;
use crate::api::page::Page;
use crate::api::values::{Condition, Keywords, Name, Price, QuantityDelta, Vote};

const NOW: Time = Time::from_millis(1_000_000);
const MAX_MIB: u64 = 100;
const ITEM: ItemId = ItemId { category: 1, n: 1 };

/// A catalogue without items, and the memory that its process has, in MiB.
fn catalogue() -> (Product, Rc<Cell<u64>>) {
    let resident_mib = Rc::new(Cell::new(0));
    let told = Rc::clone(&resident_mib);
    (Product::new(Room::new(MAX_MIB, move || told.get() << 20)), resident_mib)
}

fn register(product: &mut Product, now: Time, seller_id: u32) -> Result<ItemId, Error> {
    let item = RegisterItem {
        name: Name("desk".into()),
        category: Category(1),
        keywords: Keywords::default(),
        condition: Condition::New,
        price: Price(1999),
        quantity: Quantity(1),
        by: SellerId { seller_id: UserId(seller_id) },
    };
    product.answer(now, item).map(|registered| registered.item_id)
}

fn vote(product: &mut Product, now: Time, buyer_id: u32, vote: Vote) -> Result<Feedback, Error> {
    let by = Some(BuyerId { buyer_id: UserId(buyer_id) });
    product.answer(now, ProvideFeedback { item_id: ITEM, vote, by }).map(|voted| voted.feedback)
}

fn assert_exhausted<T>(result: Result<T, Error>, reason: &str) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.code, Code::ResourceExhausted);
    assert!(error.message.contains(reason), "{error:?}");
}

/// How many items a seller has registered, on disk or not.
fn registered(product: &Product, seller_id: u32) -> u32 {
    product.shelves.get(&seller_id).map_or(0, |shelf| shelf.registered)
}

/// The categories with items in stock, as JSON.
fn categories(product: &mut Product) -> String {
    let request = ListCategories(Page { limit: Limit::default(), after: None });
    let mut json = Vec::new();
    product.answer(NOW, request).expect("it only reads").encode(&mut json);
    String::from_utf8(json).expect("JSON is text")
}

#[test]
fn categories_are_counted_by_what_is_on_disk() {
    let (mut product, _) = catalogue();
    let none = r#"{"categories":[],"next_cursor":null}"#;
    let of_one = r#"{"categories":[{"category":1,"items":1}],"next_cursor":null}"#;
    let sell_out = || UpdateUnitsForSale { item_id: ITEM, quantity_delta: QuantityDelta(-1), by: None };
    assert_eq!(register(&mut product, NOW, 7), Ok(ITEM));
    for (before, after) in [(none, of_one), (of_one, none)] {
        assert_eq!(categories(&mut product), before);
        product.seal();
        assert_eq!(categories(&mut product), before, "it is under way to the disk");
        product.publish(usize::MAX);
        assert_eq!(categories(&mut product), after);
        if after == of_one {
            assert!(product.answer(NOW, sell_out()).is_ok());
        }
    }
}

#[test]
fn where_memory_is_full_there_is_nothing_new_and_what_is_there_may_change() {
    let (mut product, resident_mib) = catalogue();
    assert_eq!(register(&mut product, NOW, 7), Ok(ITEM));
    assert_eq!(vote(&mut product, NOW, 1, Vote::Up), Ok(Feedback { up: 1, down: 0 }));
    resident_mib.set(MAX_MIB);
    let later = NOW + Duration::from_millis(10);
    assert_exhausted(register(&mut product, later, 7), "memory limit of 100 MiB");
    assert_exhausted(vote(&mut product, later, 2, Vote::Up), "memory limit of 100 MiB");
    assert_eq!(vote(&mut product, later, 1, Vote::Down), Ok(Feedback { up: 0, down: 1 }));
    let change = ChangeItemPrice { item_id: ITEM, price: Price(1), by: None };
    assert!(product.answer(later, change).is_ok());
    let update = UpdateUnitsForSale { item_id: ITEM, quantity_delta: QuantityDelta(5), by: None };
    assert!(product.answer(later, update).is_ok());
    resident_mib.set(2 * MAX_MIB);
    let later = later + Duration::from_millis(10);
    let all_units = UpdateUnitsForSale { item_id: ITEM, quantity_delta: QuantityDelta(-6), by: None };
    assert!(product.answer(later, all_units).is_ok());
    let update = UpdateUnitsForSale { item_id: ITEM, quantity_delta: QuantityDelta(1), by: None };
    assert_exhausted(product.answer(later, update), "memory limit of 100 MiB");
    resident_mib.set(MAX_MIB - 1);
    assert!(register(&mut product, later + Duration::from_millis(10), 7).is_ok());
}

#[test]
fn a_seller_registers_so_many_items_and_no_more() {
    let (mut product, _) = catalogue();
    for _ in 0..3 {
        assert!(register(&mut product, NOW, 7).is_ok());
    }
    assert_eq!(registered(&product, 7), 3, "on disk or not");
    product.shelves.get_mut(&7).expect("it is there").registered = rules::ITEMS_OF_SELLER_MAX - 1;
    assert!(register(&mut product, NOW, 7).is_ok());
    assert_exhausted(register(&mut product, NOW, 7), "seller 7 has registered 100000 items");
    assert!(register(&mut product, NOW, 8).is_ok(), "others are not concerned");
}

#[test]
fn a_start_counts_the_items_of_each_seller_and_refuses_none_for_want_of_memory() {
    let (mut product, _) = catalogue();
    for seller_id in [7, 8, 7] {
        assert!(register(&mut product, NOW, seller_id).is_ok());
    }
    let rows = product.seal();
    let (described, listings): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| matches!(row, ProductRow::Described(_)));
    let (mut restarted, resident_mib) = catalogue();
    resident_mib.set(u64::MAX >> 20);
    for (description, listing) in described.into_iter().zip(listings) {
        assert!(restarted.load(description) && restarted.load(listing));
    }
    restarted.loaded();
    assert_eq!((registered(&restarted, 7), registered(&restarted, 8)), (2, 1));
    assert_exhausted(register(&mut restarted, NOW, 7), "memory limit");
}
