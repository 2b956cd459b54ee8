//! The statements of `db_product`, in turn with each other, on PostgreSQL and on the fake engine.

use fastrand::Rng;

use super::super::super::tests::interleaved::{Script, compare};
use super::super::RemoteProduct;
use super::harness::NOW;
use crate::api::error::Error;

#[derive(Default)]
struct Product {
    purchases: u64,
}

impl Script<RemoteProduct> for Product {
    fn replica(&mut self, _: u64) -> RemoteProduct {
        RemoteProduct::new()
    }

    fn preparation(&mut self) -> Vec<(&'static str, String)> {
        (1..=3).map(|n| ("RegisterItem", registration(n, 3))).collect()
    }

    fn next(&mut self, random: &mut Rng) -> (&'static str, String) {
        let item = format!(r#""item_id":"8:{}""#, random.u8(1..=3));
        match random.u8(..20) {
            0 => ("RegisterItem", registration(random.u8(1..=3), 1)),
            1 => ("ChangeItemPrice", format!(r#"{{{item},"price":{}}}"#, random.u8(1..9))),
            2..6 => {
                let delta = [1, 2, -1, -2, -3][random.usize(..5)];
                ("UpdateUnitsForSale", format!(r#"{{{item},"quantity_delta":{delta}}}"#))
            }
            6..10 => {
                let (buyer, vote) = (random.u8(1..3), if random.bool() { "up" } else { "down" });
                ("ProvideFeedback", format!(r#"{{{item},"vote":"{vote}","buyer_id":{buyer}}}"#))
            }
            10 => ("SearchItems", r#"{"keywords":["desk"]}"#.to_owned()),
            11 => ("GetItem", format!("{{{item}}}")),
            12 if random.bool() => ("ListCategories", "{}".to_owned()),
            12 => ("DisplayItemsForSale", r#"{"seller_id":1}"#.to_owned()),
            _ => ("TakeStock", self.purchase(random)),
        }
    }

    fn heard(&mut self, _: &str, _: &Result<String, Error>) {}
}

impl Product {
    /// Some are asked for twice, and some have ended.
    fn purchase(&mut self, random: &mut Rng) -> String {
        self.purchases += u64::from(random.u8(..3) > 0);
        let first = random.u8(1..=3);
        let mut lines = format!(r#""8:{first}":{}"#, random.u8(1..3));
        if random.bool() {
            lines.push_str(&format!(r#","8:{}":1"#, first % 3 + 1));
        }
        let id = 100 + self.purchases;
        let ended = if random.u8(..20) == 0 { id - 3 } else { 0 };
        format!(r#"{{"purchase_id":"{id}","lines":{{{lines}}},"ended_before":"{ended}"}}"#)
    }
}

fn registration(seller: u8, units: u8) -> String {
    format!(
        r#"{{"name":"a desk","category":8,"keywords":["desk","oak"],"condition":"new","price":10,"quantity":{units},"seller_id":{seller}}}"#
    )
}

#[test]
fn transactions_of_several_replicas_are_alike_on_both_engines() {
    compare(NOW, Product::default);
}
