//! What `db_product` takes from the stock and what it says about that never come apart, whichever step of a commit a
//! crash comes after: chance takes, prices and brings stock beside a model of all that, and looks after each start.

use super::*;
use crate::api::accounts::SellerId;
use crate::api::error::Code;
use crate::api::items::{ChangeItemPrice, RegisterItem, UpdateUnitsForSale};
use crate::api::purchases::{Decision, Lines, TakeStock, TakenItem, TakenItems, Unfinished};
use crate::api::values::{Category, Keywords, Name, Quantity, QuantityDelta, UserId};
use crate::engine::domain::{Answer, Domain};
use crate::engine::room::Room;
use crate::product::Product;

const ITEM_COUNT: u32 = 4;

/// All that was done, up to some group.
#[derive(Clone)]
struct Model {
    stock: BTreeMap<ItemId, Stock>,
    /// Those that may have been forgotten too.
    decisions: BTreeMap<PurchaseId, Decision<'static>>,
    ended_before: PurchaseId,
}

#[derive(Clone, Copy)]
struct Stock {
    price: Price,
    quantity: u32,
    /// Units that sellers have brought, less those that they have taken away.
    brought: i64,
}

/// A `db_product` on a disk in memory.
struct Shop {
    disk: Memory<ProductRow>,
    storage: Option<Box<dyn Storage<ProductRow>>>,
    product: Product,
    model: Model,
    /// The model as of each group, the start among them.
    groups: Vec<Model>,
    reported: usize,
    rng: fastrand::Rng,
}

impl Model {
    fn new() -> Self {
        Self { stock: BTreeMap::new(), decisions: BTreeMap::new(), ended_before: PurchaseId(0) }
    }

    /// What is to be decided about a purchase.
    fn decide(&self, lines: &BTreeMap<ItemId, u32>) -> Decision<'static> {
        let available = |item_id| self.stock.get(item_id).map_or(0, |stock| stock.quantity);
        let short: Vec<Shortage> = lines
            .iter()
            .map(|(item_id, quantity)| Shortage {
                item_id: *item_id,
                available: available(item_id),
                quantity: *quantity,
            })
            .filter(|line| line.available < line.quantity)
            .collect();
        if !short.is_empty() {
            return Decision::Refused(short);
        }
        let taken = lines.iter().map(|(item_id, quantity)| TakenItem {
            item_id: *item_id,
            seller_id: 7,
            name: "desk".into(),
            quantity: *quantity,
            price: self.stock[item_id].price,
        });
        Decision::Taken(TakenItems(taken.collect()))
    }

    /// Units are neither lost nor sold twice.
    fn conserves_units(&self) {
        for (item_id, stock) in &self.stock {
            let taken = self.decisions.values().filter_map(|decision| match decision {
                Decision::Taken(TakenItems(lines)) => lines.iter().find(|line| line.item_id == *item_id),
                Decision::Refused(_) => None,
            });
            let sold: i64 = taken.map(|line| i64::from(line.quantity)).sum();
            assert_eq!(stock.brought - sold, i64::from(stock.quantity), "{item_id}");
        }
    }

    /// Whether these rows are what is stored of it.
    fn is_stored_as(&self, rows: &[ProductRow]) -> bool {
        let (mut listings, mut decisions, mut floor) = (BTreeMap::new(), BTreeMap::new(), PurchaseId(0));
        for row in rows {
            match row {
                ProductRow::Listing(id, listing) => {
                    listings.insert(*id, (listing.price, listing.quantity));
                }
                ProductRow::Decision(id, decided) => {
                    decisions.insert(*id, matches!(decided, Decided::Taken(_)));
                }
                ProductRow::DecisionFloor(id) => floor = *id,
                _ => {}
            }
        }
        let told = |id| self.decisions.get(id).map(is_taken);
        listings == self.stock.iter().map(|(id, stock)| (*id, (stock.price, stock.quantity))).collect()
            && floor <= self.ended_before
            && decisions.iter().all(|(id, is_taken)| told(id) == Some(*is_taken))
            && self.decisions.range(floor..).all(|(id, _)| decisions.contains_key(id))
    }
}

fn is_taken(decision: &Decision<'_>) -> bool {
    matches!(decision, Decision::Taken(_))
}

impl Shop {
    fn new(seed: u64) -> Self {
        let mut disk = Memory::new(seed);
        let storage = Some(disk.open());
        let mut shop = Self {
            disk,
            storage,
            product: Product::new(Room::default()),
            model: Model::new(),
            groups: vec![Model::new()],
            reported: 0,
            rng: fastrand::Rng::with_seed(seed),
        };
        shop.register_all();
        shop
    }

    fn register_all(&mut self) {
        (0..ITEM_COUNT).for_each(|_| self.register());
    }

    fn register(&mut self) {
        let (price, quantity) = (Price(self.rng.u64(0..2000)), self.rng.u32(0..20));
        let item = RegisterItem {
            name: Name("desk".into()),
            category: Category(1),
            keywords: Keywords::default(),
            condition: Condition::New,
            price,
            quantity: Quantity(quantity),
            by: SellerId { seller_id: UserId(7) },
        };
        let id = self.product.answer(self.disk.sim.now(), item).expect("registered").item_id;
        self.model.stock.insert(id, Stock { price, quantity, brought: quantity.into() });
    }

    /// An item; perhaps one that is not there.
    fn any_item(&mut self, more: u32) -> ItemId {
        ItemId { category: 1, n: self.rng.u32(1..=ITEM_COUNT + more) }
    }

    /// A purchase that is new, or known, or has ended: and the decision about it.
    fn take(&mut self) {
        let now = self.disk.sim.now();
        let id = PurchaseId(self.model.ended_before.0.saturating_sub(2) + self.rng.u64(0..30));
        let count = self.rng.usize(1..=4);
        let lines: BTreeMap<_, _> = (0..count).map(|_| (self.any_item(1), self.rng.u32(1..6))).collect();
        let ended_before = PurchaseId(self.rng.u64(0..=self.model.ended_before.0));
        let take = TakeStock(Unfinished { purchase_id: id, lines: Lines(lines.clone()), ended_before });
        let told = self.product.answer(now, take);
        if id < self.model.ended_before {
            assert_eq!(told.map_err(|error| error.code), Err(Code::FailedPrecondition), "{id}");
            return;
        }
        let expected = match self.model.decisions.get(&id) {
            Some(decision) => decision.clone(),
            None => self.model.decide(&lines),
        };
        assert_eq!(told.as_ref(), Ok(&expected), "{id}");
        if let (None, Decision::Taken(_)) = (self.model.decisions.insert(id, expected.clone()), expected) {
            for (item_id, quantity) in &lines {
                self.model.stock.get_mut(item_id).expect("it was taken").quantity -= quantity;
            }
        }
    }

    /// Some purchases have come to their end, and one more is made that says so.
    fn end_some(&mut self) {
        self.model.ended_before.0 += self.rng.u64(1..10);
        let id = PurchaseId(self.model.ended_before.0 + 1000);
        let lines = Lines([(ItemId { category: 9, n: 9 }, 1)].into());
        let shortages = vec![Shortage { item_id: ItemId { category: 9, n: 9 }, available: 0, quantity: 1 }];
        let take = TakeStock(Unfinished { purchase_id: id, lines, ended_before: self.model.ended_before });
        let told = self.product.answer(self.disk.sim.now(), take);
        assert_eq!(told, Ok(Decision::Refused(shortages.clone())));
        self.model.decisions.insert(id, Decision::Refused(shortages));
    }

    fn reprice(&mut self) {
        let (item_id, price) = (self.any_item(0), Price(self.rng.u64(0..2000)));
        let change = ChangeItemPrice { item_id, price, by: None };
        self.product.answer(self.disk.sim.now(), change).expect("done");
        self.model.stock.get_mut(&item_id).expect("it is there").price = price;
    }

    fn restock(&mut self) {
        let (item_id, delta) = (self.any_item(0), self.rng.i64(-3..10));
        let update = UpdateUnitsForSale { item_id, quantity_delta: QuantityDelta(delta), by: None };
        let stock = self.model.stock.get_mut(&item_id).expect("it is there");
        let quantity = i64::from(stock.quantity) + delta;
        let told =
            self.product.answer(self.disk.sim.now(), update).map(|counted| i64::from(counted.quantity));
        match told {
            Ok(told) => assert_eq!(told, quantity),
            Err(error) => return assert!(quantity < 0 && error.code == Code::OutOfStock),
        }
        stock.quantity = quantity.try_into().expect("it is small");
        stock.brought += delta;
    }

    /// Ends a turn.
    fn commit(&mut self) {
        self.product.end_turn(self.disk.sim.now());
        self.model.conserves_units();
        if self.product.is_dirty() {
            let rows = self.product.seal();
            let storage = self.storage.as_mut().expect("it is open");
            commit(&mut **storage, self.groups.len(), &rows);
            self.groups.push(self.model.clone());
        }
    }

    fn pass(&mut self) {
        self.disk.pass();
        let storage = self.storage.as_mut().expect("it is open");
        if let Some(number) = poll(&mut **storage) {
            (self.reported..number).for_each(|_| _ = self.product.publish(usize::MAX));
            self.reported = number;
        }
    }

    /// A crash and a start. Returns how many groups are there that had not been reported, and how many are lost.
    fn crash(&mut self) -> [usize; 2] {
        drop(self.storage.take());
        let mut storage = self.disk.open();
        let mut rows = Vec::new();
        self.product = Product::new(Room::default());
        let loaded = storage.load(&mut |row| {
            rows.push(row.clone());
            self.product.load(row)
        });
        loaded.expect("it makes sense");
        self.product.loaded();
        self.storage = Some(storage);
        let there = (self.reported..self.groups.len()).rfind(|group| self.groups[*group].is_stored_as(&rows));
        let there = there.unwrap_or_else(|| panic!("{rows:#?} is no state that was"));
        let found = [there - self.reported, self.groups.len() - 1 - there];
        self.model = self.groups.swap_remove(there);
        // What was said beside requests is forgotten, but for what is stored of it.
        let floor = rows.iter().find_map(|row| match row {
            ProductRow::DecisionFloor(floor) => Some(*floor),
            _ => None,
        });
        self.model.ended_before = floor.unwrap_or(PurchaseId(0));
        self.model.conserves_units();
        (self.groups, self.reported) = (vec![self.model.clone()], 0);
        if self.model.stock.is_empty() {
            self.register_all();
        }
        found
    }
}

#[test]
fn units_are_neither_lost_nor_sold_twice_whenever_it_crashes() {
    let (mut found, mut taken, mut refused, mut forgotten) = ([0; 2], 0, 0, 0);
    for seed in 0..300 {
        let mut shop = Shop::new(seed);
        for _ in 0..150 {
            match shop.rng.u8(0..20) {
                0..=7 => shop.take(),
                8 | 9 => shop.reprice(),
                10 | 11 => shop.restock(),
                12 => shop.end_some(),
                13..=15 => shop.commit(),
                16..=18 => shop.pass(),
                _ if shop.rng.u8(0..4) == 0 => {
                    let [more, lost] = shop.crash();
                    found = [found[0] + more, found[1] + lost];
                }
                _ => shop.disk.sim.run_until(shop.disk.sim.now() + Duration::from_secs(1)),
            }
        }
        taken += shop.model.decisions.values().filter(|decision| is_taken(decision)).count();
        refused += shop.model.decisions.values().filter(|decision| !is_taken(decision)).count();
        forgotten +=
            shop.model.decisions.len() - shop.product.holdings().nth(1).expect("decisions are counted");
    }
    assert!(found.iter().all(|groups| *groups > 100), "each kind of crash was met: {found:?}");
    assert!(taken > 1000 && refused > 1000 && forgotten > 1000, "{taken} {refused} {forgotten}");
}
