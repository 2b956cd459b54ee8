use super::*;
use crate::api::accounts::SellerId;
use crate::api::error::Code;
use crate::api::items::{
    ChangeItemPrice, CheckAvailability, GetItem, RegisterItem, SearchItems, UpdateUnitsForSale,
};
use crate::api::page::Page;
use crate::api::values::{
    Category, Condition, Keywords, Limit, Name, Price, PurchaseId, Quantity, QuantityDelta, UserId,
};
use crate::engine::domain::Domain;
use crate::engine::room::Room;
use crate::engine::storage::Row;
use crate::product::rows::{ProductKey, ProductRow};

const NOW: Time = Time::from_millis(1_000_000);

/// A catalogue and its disk.
struct Shop {
    product: Product,
    disk: BTreeMap<ProductKey, ProductRow>,
}

impl Shop {
    /// A catalogue in which these numbers of units are for sale, of items `1:1` and so on, each for 19.99.
    fn selling(quantities: &[u32]) -> Self {
        let mut shop = Self { product: Product::new(Room::default()), disk: BTreeMap::new() };
        for quantity in quantities {
            let item = RegisterItem {
                name: Name("a \"desk\"".into()),
                category: Category(1),
                keywords: Keywords::default(),
                condition: Condition::New,
                price: Price(1999),
                quantity: Quantity(*quantity),
                by: SellerId { seller_id: UserId(7) },
            };
            shop.product.answer(NOW, item).expect("registered");
        }
        shop.commit();
        shop
    }

    /// A turn ends, and what it changed comes to disk.
    fn commit(&mut self) {
        self.product.end_turn(NOW);
        for row in self.product.seal() {
            if row.is_removal() {
                self.disk.remove(&row.key());
            } else {
                self.disk.insert(row.key(), row);
            }
        }
        self.product.publish(usize::MAX);
    }

    /// What was not on disk is lost.
    fn restart(&mut self) {
        self.product = Product::new(Room::default());
        for row in self.disk.values() {
            assert!(self.product.load(row.clone()), "{row:?}");
        }
        self.product.loaded();
    }

    /// Takes units of items of category 1, of which each line has the number.
    fn take_after(
        &mut self,
        ended_before: u64,
        id: u64,
        lines: &[(u32, u32)],
    ) -> Result<Decision<'static>, Error> {
        let lines = lines.iter().map(|&(n, quantity)| (item(n), quantity)).collect();
        let (purchase_id, ended_before) = (PurchaseId(id), PurchaseId(ended_before));
        let purchase = Unfinished { purchase_id, lines: Lines(lines), ended_before };
        self.product.answer(NOW, TakeStock(purchase)).map(kept)
    }

    fn take(&mut self, id: u64, lines: &[(u32, u32)]) -> Decision<'static> {
        self.take_after(0, id, lines).expect("it is decided")
    }

    fn restock(&mut self, n: u32, delta: i64) {
        let update = UpdateUnitsForSale { item_id: item(n), quantity_delta: QuantityDelta(delta), by: None };
        self.product.answer(NOW, update).expect("done");
    }

    fn reprice(&mut self, n: u32, cents: u64) {
        let change = ChangeItemPrice { item_id: item(n), price: Price(cents), by: None };
        self.product.answer(NOW, change).expect("done");
    }

    /// How many units readers see.
    fn in_stock(&mut self, n: u32) -> u32 {
        let check = CheckAvailability { item_id: item(n), quantity: Quantity(1) };
        self.product.answer(NOW, check).expect("it is there").available
    }

    /// How many items a search finds.
    fn found(&mut self) -> Option<u64> {
        let page = Page { limit: Limit::default(), after: None };
        let search = SearchItems { category: Some(Category(1)), keywords: Keywords::default(), page };
        self.product.answer(NOW, search).expect("an answer").total
    }
}

fn item(n: u32) -> ItemId {
    ItemId { category: 1, n }
}

/// What was told, to be kept while the catalogue changes.
fn kept(decision: Decision<'_>) -> Decision<'static> {
    match decision {
        Decision::Taken(TakenItems(items)) => {
            let kept = |item: TakenItem<'_>| TakenItem { name: item.name.into_owned().into(), ..item };
            Decision::Taken(TakenItems(items.into_iter().map(kept).collect()))
        }
        Decision::Refused(shortages) => Decision::Refused(shortages),
    }
}

/// That this was taken: of each item its number, the units and the price.
fn taken(lines: &[(u32, u32, u64)]) -> Decision<'static> {
    let line = |&(n, quantity, cents): &(u32, u32, u64)| TakenItem {
        item_id: item(n),
        seller_id: 7,
        name: "a \"desk\"".into(),
        quantity,
        price: Price(cents),
    };
    Decision::Taken(TakenItems(lines.iter().map(line).collect()))
}

/// That too little was there: of each item its number, what there was, and what was asked for.
fn refused(lines: &[(u32, u32, u32)]) -> Decision<'static> {
    let line =
        |&(n, available, quantity): &(u32, u32, u32)| Shortage { item_id: item(n), available, quantity };
    Decision::Refused(lines.iter().map(line).collect())
}

#[test]
fn all_is_taken_or_nothing_and_each_item_that_is_short_is_named() {
    let mut shop = Shop::selling(&[5, 1, 0, 3]);
    assert_eq!(
        shop.take(1, &[(1, 2), (2, 2), (3, 1), (4, 3), (9, 4)]),
        refused(&[(2, 1, 2), (3, 0, 1), (9, 0, 4)])
    );
    shop.commit();
    assert_eq!([1, 2, 3, 4].map(|n| shop.in_stock(n)), [5, 1, 0, 3]);
    assert_eq!(shop.take(2, &[(1, 2), (2, 1), (4, 3)]), taken(&[(1, 2, 1999), (2, 1, 1999), (4, 3, 1999)]));
    assert_eq!([1, 2, 4].map(|n| shop.in_stock(n)), [5, 1, 3], "readers see what is on disk");
    shop.commit();
    assert_eq!([1, 2, 4].map(|n| shop.in_stock(n)), [3, 0, 0]);
}

#[test]
fn purchases_of_one_turn_share_what_there_is() {
    let mut shop = Shop::selling(&[5]);
    assert_eq!(shop.take(1, &[(1, 3)]), taken(&[(1, 3, 1999)]));
    assert_eq!(shop.take(2, &[(1, 3)]), refused(&[(1, 2, 3)]));
    assert_eq!(shop.take(1, &[(1, 3)]), taken(&[(1, 3, 1999)]), "asked twice, it is taken once");
    assert_eq!(shop.take(3, &[(1, 2)]), taken(&[(1, 2, 1999)]));
    shop.commit();
    assert_eq!(shop.in_stock(1), 0);
}

#[test]
fn the_price_is_that_of_the_moment() {
    let mut shop = Shop::selling(&[5]);
    shop.reprice(1, 2500);
    assert_eq!(shop.take(1, &[(1, 1)]), taken(&[(1, 1, 2500)]), "though readers see the one before");
    shop.reprice(1, 0);
    assert_eq!(shop.take(2, &[(1, 1)]), taken(&[(1, 1, 0)]));
    shop.commit();
    assert_eq!(shop.take(1, &[(1, 1)]), taken(&[(1, 1, 2500)]));
}

#[test]
fn a_decision_stays_whatever_changes_after_it() {
    let mut shop = Shop::selling(&[2, 5]);
    let no = shop.take(1, &[(1, 3)]);
    let yes = shop.take(2, &[(1, 2), (2, 1)]);
    assert_eq!((&no, &yes), (&refused(&[(1, 2, 3)]), &taken(&[(1, 2, 1999), (2, 1, 1999)])));
    for restarts in [false, false, true, true] {
        shop.restock(1, 10);
        shop.reprice(2, 1);
        shop.commit();
        if restarts {
            shop.restart();
        }
        assert_eq!(shop.take(1, &[(1, 3)]), no);
        assert_eq!(shop.take(2, &[(1, 2), (2, 1)]), yes);
        assert!(!shop.product.is_dirty(), "nothing is taken again");
    }
    assert_eq!([1, 2].map(|n| shop.in_stock(n)), [40, 4]);
}

#[test]
fn nothing_is_taken_late() {
    let mut shop = Shop::selling(&[5]);
    shop.take(1, &[(1, 1)]);
    shop.commit();
    assert_eq!(shop.take_after(4, 4, &[(1, 1)]).expect("decided"), taken(&[(1, 1, 1999)]));
    shop.commit();
    assert!(!shop.disk.contains_key(&ProductKey::Decision(PurchaseId(1))), "it is forgotten");
    for restarts in [false, true] {
        if restarts {
            shop.restart();
        }
        // One was decided and is forgotten, the other never came.
        for id in [1, 3] {
            let late = shop.take_after(0, id, &[(1, 1)]).expect_err("it has ended");
            assert_eq!(late.code, Code::FailedPrecondition);
            assert!(late.message.contains(&format!("purchase {id} has ended")), "{}", late.message);
        }
        shop.commit();
        assert_eq!(shop.in_stock(1), 3);
    }
}

#[test]
fn a_refusal_of_what_is_late_holds_after_a_crash() {
    let mut shop = Shop::selling(&[5]);
    shop.take_after(7, 9, &[(1, 1)]).expect("decided");
    assert!(shop.take_after(0, 3, &[(1, 1)]).is_err());
    shop.commit();
    shop.restart();
    assert!(shop.take_after(0, 3, &[(1, 1)]).is_err(), "whoever was told relies on it");
    assert!(shop.take_after(0, 7, &[(1, 1)]).is_ok());
}

#[test]
fn what_is_sold_out_is_found_again_when_there_is_more() {
    let mut shop = Shop::selling(&[1, 2]);
    shop.take(1, &[(1, 1), (2, 1)]);
    assert_eq!(shop.found(), Some(2));
    shop.commit();
    assert_eq!(shop.found(), Some(1));
    let item = shop.product.answer(NOW, GetItem { item_id: item(1) }).expect("it is there");
    let json = String::from_utf8(item.0.json().to_vec()).expect("it is UTF-8");
    assert!(json.contains(r#""quantity":0,"#), "{json}");
    shop.restart();
    assert_eq!(shop.found(), Some(1));
    shop.restock(1, 1);
    shop.commit();
    assert_eq!(shop.found(), Some(2));
}

#[test]
fn a_purchase_may_be_of_a_thousand_items() {
    let mut shop = Shop::selling(&[3; 1000]);
    let lines: Vec<(u32, u32)> = (1..=1000).map(|n| (n, 2)).collect();
    let all: Vec<(u32, u32, u64)> = (1..=1000).map(|n| (n, 2, 1999)).collect();
    assert_eq!(shop.take(1, &lines), taken(&all));
    shop.commit();
    let short: Vec<(u32, u32, u32)> = (1..=1000).map(|n| (n, 1, 2)).collect();
    assert_eq!(shop.take(2, &lines), refused(&short));
    shop.commit();
    shop.restart();
    assert_eq!((shop.take(1, &lines), shop.take(2, &lines)), (taken(&all), refused(&short)));
    assert_eq!([1, 500, 1000].map(|n| shop.in_stock(n)), [1; 3]);
}

#[test]
fn a_purchase_may_be_of_a_thousand_million_units() {
    let mut shop = Shop::selling(&[1_000_000_000, 999_999_999]);
    shop.reprice(1, 100_000_000_000);
    let all = [(1, 1_000_000_000)];
    assert_eq!(shop.take(1, &[all[0], (2, 1_000_000_000)]), refused(&[(2, 999_999_999, 1_000_000_000)]));
    assert_eq!(shop.take(2, &all), taken(&[(1, 1_000_000_000, 100_000_000_000)]));
    assert_eq!(shop.take(3, &all), refused(&[(1, 0, 1_000_000_000)]));
    shop.commit();
    shop.restart();
    assert_eq!(shop.take(2, &all), taken(&[(1, 1_000_000_000, 100_000_000_000)]));
}

#[test]
fn a_new_item_may_be_taken_in_the_turn_that_brings_it() {
    let mut shop = Shop::selling(&[1]);
    let item = RegisterItem {
        name: Name("a \"desk\"".into()),
        category: Category(1),
        keywords: Keywords::default(),
        condition: Condition::New,
        price: Price(5),
        quantity: Quantity(1),
        by: SellerId { seller_id: UserId(7) },
    };
    shop.product.answer(NOW, item).expect("registered");
    assert_eq!(shop.take(1, &[(2, 1)]), taken(&[(2, 1, 5)]));
    shop.commit();
    shop.restart();
    assert_eq!(shop.take(1, &[(2, 1)]), taken(&[(2, 1, 5)]));
    assert_eq!((shop.in_stock(2), shop.found()), (0, Some(1)));
}

#[test]
fn a_decision_about_items_that_never_were_is_not_loaded() {
    let line = |n| [TakenUnits { item_id: item(n), quantity: 1, price: Price(0) }];
    let shop = Shop::selling(&[1]);
    for (n, makes_sense) in [(1, true), (2, false)] {
        let mut product = Product::new(Room::default());
        shop.disk.values().for_each(|row| assert!(product.load(row.clone())));
        let row = ProductRow::Decision(PurchaseId(1), Decided::Taken(line(n).into()));
        assert_eq!(product.load(row), makes_sense);
    }
    let mut product = Product::new(Room::default());
    assert!(!product.load(ProductRow::DecisionForgotten(PurchaseId(1))));
    let refused = [Shortage { item_id: item(2), available: 0, quantity: 1 }];
    assert!(product.load(ProductRow::Decision(PurchaseId(1), Decided::Refused(refused.into()))));
}
