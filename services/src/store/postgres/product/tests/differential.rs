//! The same requests, in memory and on an engine: the answers are the same, byte for byte and word for word.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::super::Descriptions;
use super::harness::{NOW, Shop, Told, assert_consistent, at_each_level, at_each_level_of_a_fake};
use crate::api::fields::Fields;
use crate::engine::domain::{Domain, Handler};
use crate::engine::room::Room;
use crate::product::Product;

const REQUESTS: usize = 2_000;
/// Words that are alike to a search in all the ways in which words can be.
const WORDS: [&str; 14] = [
    "book",
    "BOOK",
    "book,",
    "(book)",
    "Straße",
    "STRASSE",
    "ﬁn",
    "fin",
    "σοφος",
    "ΣΟΦΟΣ",
    "x\\\"y",
    "İstanbul",
    "İ",
    "1",
];

/// The catalogue in memory, each of whose changes is on disk at once.
fn remember(product: &mut Product, api: &str, data: &str) -> Told {
    let entry = Product::APIS.iter().find(|entry| entry.name == api).expect("it has the API");
    let Handler::Answer(answer) = entry.handler else { panic!("it answers at once") };
    let mut json = Vec::new();
    let told = Fields::parse(data).and_then(|fields| answer(product, NOW, fields, &mut json));
    product.end_turn(NOW);
    product.seal();
    product.publish(usize::MAX);
    told.map(|()| String::from_utf8(json).expect("JSON is text"))
}

/// Requests that are mostly about what is there.
struct Requests {
    random: Rng,
    /// What the last page gave.
    next_cursor: Option<String>,
    ended_before: u64,
}

impl Requests {
    fn next(&mut self) -> (&'static str, String) {
        match self.random.u32(0..100) {
            0..12 => ("RegisterItem", self.registration()),
            12..20 => (
                "ChangeItemPrice",
                format!(r#"{{"item_id":"{}","price":{}{}}}"#, self.item(), self.price(), self.by()),
            ),
            20..38 => {
                let delta = self.delta();
                (
                    "UpdateUnitsForSale",
                    format!(r#"{{"item_id":"{}","quantity_delta":{delta}{}}}"#, self.item(), self.by()),
                )
            }
            38..48 => {
                let sold_out = self.random.bool();
                let seller = self.random.u32(1..5);
                (
                    "DisplayItemsForSale",
                    format!(r#"{{"seller_id":{seller},"sold_out":{sold_out}{}}}"#, self.page(Self::item)),
                )
            }
            48..68 => ("SearchItems", self.search()),
            68..72 => ("ListCategories", self.categories()),
            72..77 => ("GetItem", format!(r#"{{"item_id":"{}"}}"#, self.item())),
            77..80 => {
                let quantity = self.random.u32(0..8);
                ("CheckAvailability", format!(r#"{{"item_id":"{}","quantity":{quantity}}}"#, self.item()))
            }
            80..88 => ("ProvideFeedback", self.vote()),
            _ => ("TakeStock", self.purchase()),
        }
    }

    fn registration(&mut self) -> String {
        let name: Vec<&str> = (0..self.random.usize(1..4)).map(|_| self.word()).collect();
        // As long as the terms of an item can be: each of these letters is folded to eighteen.
        let name = if self.random.u32(0..40) == 0 { "\u{fdfa}".repeat(32) } else { name.join(" ") };
        let keywords: Vec<String> = (0..self.random.usize(0..4)).map(|_| self.keyword()).collect();
        let (category, seller) = (self.category(), self.random.u32(1..5));
        let quantity = self.random.choice([0, 1, 1, 2, 5, 1_000_000_000]).expect("there are some");
        format!(
            r#"{{"name":"{name}","category":{category},"keywords":[{}],"condition":"{}","price":{},"quantity":{quantity},"seller_id":{seller}}}"#,
            keywords.join(","),
            self.random.choice(["new", "used"]).expect("there are two"),
            self.price(),
        )
    }

    fn search(&mut self) -> String {
        let mut fields = Vec::new();
        if self.random.u32(0..3) > 0 {
            fields.push(format!(r#""category":{}"#, self.category()));
        }
        let keywords: Vec<String> = (0..self.random.usize(0..5)).map(|_| self.keyword()).collect();
        if !keywords.is_empty() {
            fields.push(format!(r#""keywords":[{}]"#, keywords.join(",")));
        }
        let page = self.page(|requests| format!("{}:{}", requests.random.u32(0..9), requests.item()));
        let data = fields.join(",");
        format!("{{{}}}", (data + &page).trim_start_matches(','))
    }

    fn categories(&mut self) -> String {
        let page = self.page(|requests| requests.category().to_string());
        format!("{{{}}}", page.trim_start_matches(','))
    }

    fn vote(&mut self) -> String {
        let vote = if self.random.bool() { "up" } else { "down" };
        let buyer = self.random.u32(0..4);
        let by = if buyer == 0 { String::new() } else { format!(r#","buyer_id":{buyer}"#) };
        format!(r#"{{"item_id":"{}","vote":"{vote}"{by}}}"#, self.item())
    }

    fn purchase(&mut self) -> String {
        let mut lines = BTreeMap::new();
        for _ in 0..self.random.usize(1..4) {
            lines.insert(self.item(), self.random.choice([1, 1, 1, 2, 6]).expect("there are some"));
        }
        let lines: Vec<String> = lines.iter().map(|(id, units)| format!(r#""{id}":{units}"#)).collect();
        if self.random.u32(0..20) == 0 {
            self.ended_before += self.random.u64(0..30);
        }
        let id = self.ended_before.saturating_sub(10) + self.random.u64(0..60);
        let ended_before = self.random.u64(0..=self.ended_before);
        format!(r#"{{"purchase_id":"{id}","lines":{{{}}},"ended_before":"{ended_before}"}}"#, lines.join(","))
    }

    fn word(&mut self) -> &'static str {
        self.random.choice(WORDS).expect("there are some")
    }

    fn keyword(&mut self) -> String {
        let word: String = self.word().chars().take(8).collect();
        format!("\"{word}\"")
    }

    fn category(&mut self) -> u32 {
        self.random.choice([0, 1, 1, 1, 2, i32::MAX as u32]).expect("there are some")
    }

    fn item(&mut self) -> String {
        format!("{}:{}", self.category(), self.random.u32(1..12))
    }

    fn price(&mut self) -> &'static str {
        self.random.choice(["0", "0.01", "19.99", "1e3", "1000000000"]).expect("there are some")
    }

    fn delta(&mut self) -> i64 {
        self.random.choice([-1_000_000_000, -5, -2, -1, -1, 0, 1, 1, 2, 600_000_000]).expect("there are some")
    }

    /// Mostly nobody, for whom nothing is another's.
    fn by(&mut self) -> String {
        match self.random.u32(0..6) {
            0..3 => String::new(),
            seller => format!(r#","seller_id":{}"#, seller - 2),
        }
    }

    /// `place` makes up where a page may begin.
    fn page(&mut self, place: impl FnOnce(&mut Self) -> String) -> String {
        let limit = self.random.choice(["", r#","limit":1"#, r#","limit":2"#, r#","limit":1000"#]);
        let cursor = match self.random.u32(0..6) {
            0..3 => None,
            3 => Some(place(self)),
            _ => self.next_cursor.take(),
        };
        let cursor = cursor.map_or_else(String::new, |cursor| format!(r#","cursor":"{cursor}""#));
        format!("{}{cursor}", limit.expect("there are some"))
    }

    fn heard(&mut self, told: &Told) {
        let cursor = told.as_ref().ok().and_then(|json| json.split_once(r#""next_cursor":""#));
        if let Some((_, cursor)) = cursor {
            self.next_cursor = cursor.split('"').next().map(str::to_owned);
        }
    }
}

#[test]
fn an_engine_answers_as_memory_does() {
    at_each_level(|server, level| {
        answer_alike(Shop::open(server), level.len() as u64);
        assert_consistent(server);
    });
}

#[test]
fn a_fake_engine_answers_as_memory_does() {
    at_each_level_of_a_fake(|fake| answer_alike(Shop::over(fake), 1));
}

fn answer_alike(mut shop: Shop, seed: u64) {
    let mut product = Product::new(Room::default());
    let mut requests = Requests { random: Rng::with_seed(seed), next_cursor: None, ended_before: 0 };
    let mut seen = BTreeMap::new();
    for number in 0..REQUESTS {
        let (api, data) = requests.next();
        let expected = remember(&mut product, api, &data);
        assert_eq!(shop.call(api, &data), expected, "seed {seed}, request {number}: {api} {data}");
        requests.heard(&expected);
        let kind = match &expected {
            Err(error) => format!("{:?}", error.code),
            Ok(json) => json[..json.len().min(8)].to_owned(),
        };
        *seen.entry((api, kind)).or_insert(0) += 1;
        // What is remembered of items is of no consequence.
        if number % 100 == 0 {
            shop.product.descriptions = Descriptions::new();
        }
    }
    for kind in [
        ("ListCategories", "InvalidArgument"),
        ("ListCategories", r#"{"catego"#),
        ("ChangeItemPrice", "PermissionDenied"),
        ("UpdateUnitsForSale", "InvalidArgument"),
        ("UpdateUnitsForSale", "OutOfStock"),
        ("TakeStock", "FailedPrecondition"),
        ("TakeStock", r#"{"taken""#),
        ("TakeStock", r#"{"refuse"#),
    ] {
        let times = seen.get(&(kind.0, kind.1.to_owned()));
        assert!(times.is_some_and(|times| *times >= 3), "{kind:?} came too seldom: {seen:?}");
    }
}
