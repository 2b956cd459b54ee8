//! Several replicas at once, at each level of isolation.

use super::harness::{Shop, assert_consistent, at_each_level, race};

fn item(quantity: u32) -> String {
    format!(
        r#"{{"name":"Intro to DS","category":8,"keywords":["book"],"condition":"new","price":10,"quantity":{quantity},"seller_id":3}}"#
    )
}

#[test]
fn a_unit_is_sold_once_and_a_purchase_is_decided_once() {
    at_each_level(|server, level| {
        Shop::open(server).done("RegisterItem", &item(10));
        Shop::open(server).done("RegisterItem", &item(1000));
        // Two replicas ask for each purchase, in different orders.
        let told = race(server, 8, |replica, shop| {
            let mut ids: Vec<u32> = (0..12).map(|n| 1 + replica / 2 * 12 + n).collect();
            if replica % 2 == 1 {
                ids.reverse();
            }
            let data = |id: u32| {
                format!(r#"{{"purchase_id":"{id}","lines":{{"8:2":1,"8:1":1}},"ended_before":"0"}}"#)
            };
            let mut told: Vec<_> =
                ids.into_iter().map(|id| (id, shop.done("TakeStock", &data(id)))).collect();
            told.sort();
            told
        });
        for pair in told.chunks(2) {
            assert_eq!(pair[0], pair[1], "both are told the same");
        }
        let taken =
            told.iter().step_by(2).flatten().filter(|(_, told)| told.starts_with(r#"{"taken""#)).count();
        assert_eq!(taken, 10, "{level}");
        assert_eq!(server.sql("shop", "SELECT quantity FROM items ORDER BY item_id"), "0\n990");
        assert_consistent(server);
    });
}

#[test]
fn items_that_are_registered_at_once_have_numbers_without_gaps() {
    at_each_level(|server, level| {
        race(server, 8, |_, shop| (0..10).for_each(|_| _ = shop.done("RegisterItem", &item(1))));
        assert_eq!(server.sql("shop", "SELECT last_n FROM categories"), "80", "{level}");
        assert_consistent(server);
    });
}

#[test]
fn votes_that_come_at_once_are_counted_once() {
    at_each_level(|server, level| {
        Shop::open(server).done("RegisterItem", &item(1));
        race(server, 8, |replica, shop| {
            for round in 0..15 {
                let (buyer, vote) = (1 + round % 3, if (round + replica) % 2 == 0 { "up" } else { "down" });
                shop.done(
                    "ProvideFeedback",
                    &format!(r#"{{"item_id":"8:1","vote":"{vote}","buyer_id":{buyer}}}"#),
                );
            }
        });
        let sql = "SELECT i.up - sum((v.vote = 'up')::int), i.down - sum((v.vote = 'down')::int)
            FROM items i JOIN item_votes v ON v.item_id = i.item_id GROUP BY i.item_id";
        assert_eq!(server.sql("shop", sql), "0|0", "{level}");
    });
}

#[test]
fn an_item_that_is_sold_out_and_restocked_at_once_is_found_while_it_is_in_stock() {
    at_each_level(|server, level| {
        Shop::open(server).done("RegisterItem", &item(0));
        let added: Vec<i64> = race(server, 6, |replica, shop| {
            let mut added = 0;
            for round in 0..25 {
                let delta = [1, -1, 2, -2, -1][(round as usize + replica as usize) % 5];
                let data = format!(r#"{{"item_id":"8:1","quantity_delta":{delta}}}"#);
                added += if shop.call("UpdateUnitsForSale", &data).is_ok() { delta } else { 0 };
                let purchase = 1 + u64::from(replica) * 100 + round;
                let data =
                    format!(r#"{{"purchase_id":"{purchase}","lines":{{"8:1":1}},"ended_before":"0"}}"#);
                let taken = shop.done("TakeStock", &data).starts_with(r#"{"taken""#);
                added -= i64::from(taken);
            }
            added
        });
        let left = server.sql("shop", "SELECT quantity FROM items");
        assert_eq!(left, added.iter().sum::<i64>().to_string(), "{level}");
        assert_consistent(server);
    });
}
