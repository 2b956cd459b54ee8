//! What single requests cost in large catalogues, whatever these look like.
//!
//! `cargo test --release -p services figures -- --ignored --nocapture` prints it: of each request the median and the
//! slowest of some calls, with the reply's JSON.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use net::Time;

use super::super::*;
use crate::api::envelope::Request;
use crate::api::fields::Fields;
use crate::api::page::Page;
use crate::api::purchases::{Lines, Unfinished};
use crate::api::values::{Condition, Keywords, Limit, Name, Price, PurchaseId};
use crate::api::{Api, Encode};
use crate::engine::database::PUBLISHED_PER_TURN_MAX;
use crate::engine::intake::decode;
use crate::engine::storage::Row;

const NOW: Time = Time::from_millis(1_000_000);
const ITEMS: u32 = 1_000_000;
/// As many as have so many items among them as a seller may have.
const ITEMS_OF_SELLER: u32 = 50_000;
const CALLS: usize = 30;

#[test]
#[ignore = "it prints figures, and proves nothing"]
fn figures() {
    for (catalogue, categories) in [("in one category", 1), ("in 1,000", 1000), ("in as many", ITEMS)] {
        println!("{ITEMS} items {catalogue}");
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut product, mut rows) = (Product::new(Room::default()), BTreeMap::new());
        let mut times = Vec::new();
        let growth = allocation_counter::measure(|| {
            for i in 0..ITEMS {
                // Categories come in no order, so that items come between others.
                let item = item(&mut rng, seller(i), i.wrapping_mul(2_654_435_761) % categories);
                let start = Instant::now();
                product.answer(NOW, item).expect("registered");
                commit(&mut product, &mut rows);
                times.push(start.elapsed());
            }
        });
        print("register", &mut times);
        let rows_bytes = allocation_counter::measure(|| drop(rows.clone())).bytes_max;
        println!("  {} bytes an item", (growth.bytes_current - rows_bytes as i64) / i64::from(ITEMS));
        requests(&mut product, "registered");
        let mut loaded = Product::new(Room::default());
        let start = Instant::now();
        assert!(rows.into_values().all(|row| loaded.load(row)));
        loaded.loaded();
        println!("  load: {:.2?}", start.elapsed());
        requests(&mut loaded, "loaded");
    }
}

fn seller(item: u32) -> SellerId {
    SellerId { seller_id: UserId(1 + item / ITEMS_OF_SELLER) }
}

/// An item that has each of `q0` to `q4` as a keyword or in its name, half of `r0` to `r4`, and a few of `f0` to `f4`.
fn item(rng: &mut fastrand::Rng, by: SellerId, category: u32) -> RegisterItem<SellerId> {
    let (mut words, mut keywords) = (vec![format!("{}", rng.u32(..))], Vec::new());
    for i in 0..5 {
        if rng.bool() { &mut words } else { &mut keywords }.push(format!("q{i}"));
        words.extend(rng.bool().then(|| format!("r{i}")));
        words.extend((rng.u32(..10_000) == 0).then(|| format!("f{i}")));
    }
    RegisterItem {
        name: Name(words.join(" ")),
        category: Category(category),
        keywords: Keywords(keywords),
        condition: Condition::New,
        price: Price(1999),
        quantity: Quantity(1),
        by,
    }
}

fn commit(product: &mut Product, rows: &mut BTreeMap<<ProductRow as Row>::Key, ProductRow>) {
    product.end_turn(NOW);
    rows.extend(product.seal().into_iter().map(|row| (row.key(), row)));
    product.publish(usize::MAX);
}

fn requests(product: &mut Product, how: &str) {
    println!("  {how}");
    let ids: Vec<_> = product.items.iter().map(|(id, _)| id).collect();
    let id = ids[ids.len() / 4 * 3];
    for (what, category, keywords) in [
        ("one of all", None, "q0"),
        ("all", None, "q0 q1 q2 q3 q4"),
        ("half", None, "r0 r1 r2 r3 r4"),
        ("few", None, "f0 f1 f2 f3 f4"),
        ("all and few", None, "q0 q1 f0 f1 f2"),
        ("half and few", None, "r0 r1 r2 f0 f1"),
        ("category", Some(0), ""),
        ("one of category", Some(0), "q0"),
        ("all of category", Some(0), "q0 q1 q2 q3 q4"),
    ] {
        for limit in [100, 1000] {
            for (cursor, score) in [("first", None), ("score 6", Some(6)), ("score 1", Some(1))] {
                let after = score.map(|score| Cursor(Position { score, id }));
                let search = || SearchItems {
                    category: category.map(Category),
                    keywords: Keywords(keywords.split_whitespace().map(String::from).collect()),
                    page: Page { limit: Limit(limit), after },
                };
                measure(product, &format!("{what}, {limit}, {cursor}"), search);
            }
        }
    }
    let page = || Page { limit: Limit(1000), after: None };
    measure(product, "display, 1000", || DisplayItemsForSale {
        sold_out: false,
        page: page(),
        by: seller(0),
    });
    measure(product, "categories, 1000", || ListCategories(Page { limit: Limit(1000), after: None }));
    take(product);
}

/// Asks several times for the same.
fn measure<A>(product: &mut Product, what: &str, request: impl Fn() -> A)
where
    A: crate::api::DatabaseApi,
    Product: Answer<A>,
{
    let mut json = Vec::new();
    let mut times: Vec<_> = (0..CALLS)
        .map(|_| {
            json.clear();
            let start = Instant::now();
            product.answer(NOW, request()).expect("answered").encode(&mut json);
            start.elapsed()
        })
        .collect();
    print(what, &mut times);
}

/// Purchases of a thousand items each, which are sold out by that: their turn, and each of the later turns that show it.
fn take(product: &mut Product) {
    let ids: Vec<_> = product.items.iter().map(|(id, _)| id).collect();
    let (mut taken, mut published) = (Vec::new(), Vec::new());
    for purchase in 0..CALLS {
        let lines = ids.iter().skip(purchase * 7).step_by(ids.len() / 1000).take(1000).map(|id| (*id, 1));
        let purchase = TakeStock(Unfinished {
            purchase_id: PurchaseId(purchase as u64 + 1),
            lines: Lines(lines.collect()),
            ended_before: PurchaseId(0),
        });
        let data = serde_json::to_vec(&purchase).expect("it is ours");
        let (mut request, mut json) = (Vec::new(), Vec::new());
        Request::encode(&mut request, 1, TakeStock::NAME, None, &data);
        // The whole turn: from the line to the rows that go to disk.
        let start = Instant::now();
        let request = Request::parse(&request).expect("it is a request");
        let fields = Fields::parse(request.data).expect("they are fields");
        let purchase = decode::<TakeStock>(fields).expect("it is a purchase");
        product.answer(NOW, purchase).expect("taken").encode(&mut json);
        product.end_turn(NOW);
        let rows = product.seal();
        taken.push(start.elapsed());
        drop(rows);
        loop {
            let start = Instant::now();
            let rows = product.publish(PUBLISHED_PER_TURN_MAX);
            published.push(start.elapsed());
            if rows.is_some() {
                break;
            }
        }
    }
    print("purchase, 1000", &mut taken);
    print(&format!("{PUBLISHED_PER_TURN_MAX} of it published"), &mut published);
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("    {what:30} {median:>10.1?} {slowest:>10.1?}");
}
