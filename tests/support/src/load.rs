//! Sellers and buyers that write without a pause, each over one connection at a time, and check in the end that
//! nothing that was acknowledged is lost.
//!
//! They retry as the contract allows: what is idempotent until it is acknowledged, anything else never.

mod buyer;
mod seller;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use buyer::Buyer;
use fastrand::Rng;
use seller::Seller;

use crate::ledger::Report;
use crate::marketplace::Addresses;

const SELLERS: u64 = 3;
const BUYERS: u64 = 3;

/// The items that buyers know of.
type Board = Mutex<Vec<String>>;
/// Votes up and votes down, by item.
type Votes = BTreeMap<String, (u64, u64)>;

/// Runs sellers and buyers while `disturb` runs, lets them finish, and checks what they left.
pub fn run_during(addresses: Addresses, tag: &str, seed: u64, disturb: impl FnOnce()) -> Report {
    let board = Board::default();
    let rng = |n: u64| Rng::with_seed(seed * 100 + n);
    let open_seller = |n| Seller::open(addresses.seller, format!("{tag}-seller-{n}"), rng(n), &board);
    let mut sellers: Vec<_> = (0..SELLERS).map(open_seller).collect();
    let open_buyer = |n| Buyer::open(addresses.buyer, format!("{tag}-buyer-{n}"), rng(SELLERS + n));
    let mut buyers: Vec<_> = (0..BUYERS).map(open_buyer).collect();

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (stop, board) = (&stop, &board);
        let _stop_at_end = StopAtEnd(stop);
        for seller in &mut sellers {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    seller.step(board);
                }
            });
        }
        for buyer in &mut buyers {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    buyer.step(board);
                }
            });
        }
        disturb();
    });

    let mut votes = Votes::new();
    let mut report = Report::default();
    for buyer in buyers {
        report.merge(buyer.audit(&mut votes));
    }
    for seller in sellers {
        report.merge(seller.audit(&votes));
    }
    report
}

/// Stops what goes on until it is told to stop, also when the test panics, which would otherwise wait for it for ever.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
