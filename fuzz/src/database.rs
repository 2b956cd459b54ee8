//! The target [`database`]: requests to a whole database, and what the next process finds of them.

use net::Service;
use services::Row;

use crate::client::check;
use crate::cuts::pieces;
use crate::disk::Disk;
use crate::marketplace::{db_customer, db_product, set_up};
use crate::peer::Attached;

/// What a database is asked to see whether it has changed.
const CUSTOMER_PROBES: &str = concat!(
    r#"{"request_id":1,"api":"GetCart","data":{"buyer_id":1}}"#,
    "\n",
    r#"{"request_id":2,"api":"GetCart","data":{"session_id":"000000000000000100000000000000000000000000000007"}}"#,
    "\n",
    r#"{"request_id":3,"api":"ValidateSession","data":{"session_id":"000000000000000200000000000000000000000000000007"}}"#,
    "\n",
    r#"{"request_id":4,"api":"GetBuyerPurchases","data":{"buyer_id":1}}"#,
    "\n",
    r#"{"request_id":5,"api":"GetSellerRating","data":{"seller_id":1}}"#,
    "\n",
    r#"{"request_id":6,"api":"GetSellerRating","data":{"seller_id":2}}"#,
    "\n",
);
const PRODUCT_PROBES: &str = concat!(
    r#"{"request_id":0,"api":"TakeStock","data":{"purchase_id":"9","lines":{"1:1":1},"ended_before":"0"}}"#,
    "\n",
    r#"{"request_id":1,"api":"SearchItems","data":{"category":1}}"#,
    "\n",
    r#"{"request_id":2,"api":"SearchItems","data":{"keywords":["ink","desk"]}}"#,
    "\n",
    r#"{"request_id":3,"api":"DisplayItemsForSale","data":{"seller_id":1,"sold_out":true}}"#,
    "\n",
    r#"{"request_id":4,"api":"GetItem","data":{"item_id":"1:1"}}"#,
    "\n",
);

/// A frontend sends anything, in pieces, to the database that the first byte chooses. Each line is answered once, in
/// order; and what the database tells afterwards, the next process tells as well.
///
/// # Panics
/// It is not so.
pub fn database(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    if choice % 2 == 0 {
        tried(db_customer, true, CUSTOMER_PROBES, input);
    } else {
        tried(db_product, false, PRODUCT_PROBES, input);
    }
}

fn tried<R: Row, S: Service>(open: fn(Disk<R>) -> S, is_customer: bool, probes: &str, input: &[u8]) {
    let (stream, pieces) = pieces(input);
    let disk = Disk::new();
    let attach = || Attached::new(open(disk.reopen()), services::database_limits());
    set_up(&mut attach(), is_customer);
    let mut database = attach();
    // Who is read no more has been told why.
    let _ = pieces.into_iter().all(|piece| database.send(piece));
    database.finish();
    assert!(!database.is_connected(), "who has ended is let go");
    check(stream, &database.take_received());

    let asked = |mut database: Attached<S>| {
        assert!(database.send(probes.as_bytes()));
        String::from_utf8(database.take_received()).expect("replies are text")
    };
    let told = asked(database.reconnected());
    assert_eq!(asked(attach()), told, "the next process tells the same");
}
