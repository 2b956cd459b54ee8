//! The examples as programs: a seller and a buyer at work.

use serde_json::json;

use crate::PROGRAM;
use crate::language::{Language, python, root};
use crate::shop;

#[test]
fn the_example_in_rust_sells_and_buys() {
    let marketplace = PROGRAM.marketplace(&[]);
    let addresses = marketplace.addresses();
    // What it leaves does not keep it from running again.
    for _ in 0..2 {
        let item = shop::sell(&[addresses.seller.to_string()]).unwrap();
        let receipt = shop::buy(&[addresses.buyer.to_string()], &item).unwrap();
        assert_eq!(receipt["items"], json!([{"item_id": item, "name": "Mate", "quantity": 2, "price": 4.2}]));
        assert_eq!(receipt["total"], 8.4);
    }
}

#[test]
fn the_example_in_python_sells_and_buys() {
    if Language::all().len() < 2 {
        return;
    }
    let marketplace = PROGRAM.marketplace(&[]);
    let addresses = marketplace.addresses();
    for _ in 0..2 {
        let mut command = python(&root().join("services/examples/shop/client.py"));
        let output =
            command.args([addresses.buyer.to_string(), addresses.seller.to_string()]).output().unwrap();
        let receipt = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(receipt.contains("'name': 'Mate', 'quantity': 2, 'price': Decimal('4.2')"), "{receipt}");
        assert!(receipt.contains("'total': Decimal('8.4')"), "{receipt}");
    }
}
