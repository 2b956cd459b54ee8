//! How much there is, as those who watch a service are told.

use std::time::Duration;

use net::Registry;

use super::super::super::domain::RemoteDomain;
use super::harness::{NOW, Shop, at_each_level_of_a_fake, server};

fn register(shop: &mut Shop, category: u32) {
    shop.done(
        "RegisterItem",
        &format!(
            r#"{{"name":"desk","category":{category},"keywords":[],"condition":"new","price":10,"quantity":1,"seller_id":3}}"#
        ),
    );
}

/// What is told of what there is: decisions and items.
fn told(shop: &Shop) -> Vec<u64> {
    let registry = Registry::new("shop");
    shop.product.metrics().into_iter().for_each(|metrics| registry.add(metrics));
    let text = registry.text();
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    ["marketplace_decisions ", "marketplace_items "].into_iter().filter_map(number).collect()
}

fn count(mut shop: Shop) {
    assert!(told(&shop).is_empty(), "nothing is known yet");
    [1, 1, 7].into_iter().for_each(|category| register(&mut shop, category));
    shop.done("TakeStock", r#"{"purchase_id":"5","lines":{"1:1":1},"ended_before":"0"}"#);
    assert_eq!(shop.keep_up(NOW), 1);
    assert_eq!(told(&shop), [1, 3]);
    shop.done("TakeStock", r#"{"purchase_id":"6","lines":{"1:1":1},"ended_before":"6"}"#);
    register(&mut shop, 1);
    assert_eq!(shop.keep_up(NOW + Duration::from_secs(60)), 2, "it forgets and counts");
    assert_eq!(told(&shop), [1, 4]);
}

#[test]
fn whoever_watches_is_told_how_much_there_is() {
    at_each_level_of_a_fake(|fake| count(Shop::over(fake)));
    let Some(server) = server() else { return };
    count(Shop::open(&server));
}

#[test]
fn many_categories_are_gone_through_step_by_step() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    server.sql("shop", "INSERT INTO categories SELECT n, 2 FROM generate_series(0, 1000) n");
    for (step, expected) in [(0, vec![0]), (1, vec![0]), (2, vec![0, 2002])] {
        assert_eq!(shop.keep_up(NOW + Duration::from_secs(step)), 1);
        assert_eq!(told(&shop), expected, "{step}");
    }
    assert_eq!(shop.keep_up(NOW + Duration::from_secs(3)), 0, "it begins anew in a minute");
}
