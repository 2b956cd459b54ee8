//! What every storage keeps to, checked of each by the same functions.

mod stock;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use net::sim::{Faults, HostId, Sim, SimWorkers};
use net::{Time, Waker};
use tempfile::TempDir;

use crate::api::encoded::{Description, Listing};
use crate::api::purchases::{Lines, PurchasedItem, Shortage};
use crate::api::values::{
    Ballot, Condition, Feedback, IdempotencyKey, ItemId, Price, PurchaseId, QUANTITY_MAX, Revision, Role,
    Vote,
};
use crate::customer::accounts::{Buyer, Identity, Seller};
use crate::customer::cart::Cart;
use crate::customer::purchases::{Record, State};
use crate::customer::rows::CustomerRow;
use crate::customer::sessions::Session;
use crate::engine::storage::*;
use crate::product::decisions::{Decided, TakenUnits};
use crate::product::rows::ProductRow;
use crate::store::memory::{DiskFaults, MemoryDisk};
use crate::store::sqlite::{Durability, open_customer, open_product};

/// Something whose storage can be opened again and again.
trait Disk<R> {
    fn open(&mut self) -> Box<dyn Storage<R>>;

    /// Lets some time pass.
    fn pass(&mut self) {}
}

/// A folder with files of SQLite's. What is under way when a storage is dropped is lost, as in a crash.
struct Folder {
    root: TempDir,
    workers: SimWorkers,
}

struct Memory<R: Row> {
    disk: MemoryDisk<R>,
    sim: Sim,
    host: HostId,
    rng: fastrand::Rng,
}

impl Folder {
    fn new(seed: u64) -> Self {
        let root = TempDir::new().expect("a temporary directory");
        Self { root, workers: SimWorkers::new(Waker::new(|| ()), seed) }
    }
}

impl Disk<CustomerRow> for Folder {
    fn open(&mut self) -> Box<dyn Storage<CustomerRow>> {
        Box::new(open_customer(self.root.path(), Durability::Flush, &mut self.workers).expect("it opens"))
    }
}

impl Disk<ProductRow> for Folder {
    fn open(&mut self) -> Box<dyn Storage<ProductRow>> {
        Box::new(open_product(self.root.path(), Durability::Flush, &mut self.workers).expect("it opens"))
    }
}

impl<R: Row> Memory<R> {
    fn new(seed: u64) -> Self {
        let mut sim = Sim::new(seed, Time::from_millis(1_000_000), Faults::default());
        let mut chance = fastrand::Rng::with_seed(seed);
        let disk = MemoryDisk::new(move || chance.u64(..), DiskFaults::default());
        Self { disk, host: sim.add_host(&[]), sim, rng: fastrand::Rng::with_seed(seed) }
    }
}

impl<R: Row + 'static> Disk<R> for Memory<R> {
    fn open(&mut self) -> Box<dyn Storage<R>> {
        Box::new(self.disk.open(self.sim.alarm(self.host)))
    }

    fn pass(&mut self) {
        self.sim.run_until(self.sim.now() + Duration::from_micros(self.rng.u64(1..1000)));
    }
}

const ITEMS: [ItemId; 3] =
    [ItemId { category: 0, n: 1 }, ItemId { category: 1, n: 1 }, ItemId { category: 2_147_483_647, n: 1 }];

/// Groups with every kind of row but the clock, whose time SQLite rounds up; some of them more than once.
fn customer_groups() -> Vec<Vec<CustomerRow>> {
    let identity =
        |name: &str| Identity { username: name.into(), name: name.into(), password_hash: "$".into() };
    let seller = |up, items_sold| {
        let feedback = Feedback { up, down: 1 };
        CustomerRow::Seller(1, Seller { identity: identity("sam"), feedback, items_sold })
    };
    let cart = |units| Cart::from_lines(ITEMS.into_iter().zip(units..)).expect("a cart");
    let buyer =
        |id, saved_cart| CustomerRow::Buyer(id, Buyer { identity: identity("ann \"A\""), saved_cart });
    let session = |number, role, millis, cart| {
        let active_at = Time::from_millis(millis);
        CustomerRow::Session(number, Session { digest: u128::MAX - 1, role, user_id: 1, active_at, cart })
    };
    let vote = |buyer_id, vote, revision| {
        CustomerRow::Vote(buyer_id, ITEMS[2], Ballot { vote, revision: Revision(revision) })
    };
    let purchased = PurchasedItem { item_id: ITEMS[1], name: "Ä".into(), quantity: 2, price: Price(1999) };
    let key = |key: &str| Some(IdempotencyKey(key.into()));
    let purchase = |id, key, state| {
        let at = Time::from_millis(1_800_000_000_000);
        CustomerRow::Purchase(PurchaseId(id), Record { buyer_id: 1, key, at, state })
    };
    let begun = |session_number| {
        let lines = Lines([(ITEMS[1], 2), (ITEMS[2], QUANTITY_MAX)].into());
        State::Begun { session_number, lines }
    };
    vec![
        vec![buyer(1, Cart::default()), seller(0, 0)],
        vec![session(1, Role::Buyer, 5, cart(1)), session(2, Role::Seller, 6, Cart::default())],
        vec![vote(1, Vote::Up, 1), seller(1, 0), purchase(1, key("a \"key\""), begun(3))],
        vec![purchase(9, None, begun((1 << 53) - 1)), purchase((1 << 62) - 1, key("ä"), begun(1))],
        vec![session(1, Role::Buyer, 7, cart(4)), buyer(2, Cart::default())],
        vec![CustomerRow::SessionClosed(2), buyer(1, cart(2))],
        vec![vote(2, Vote::Up, 1), vote(1, Vote::Down, 2), seller(2, u64::from(u32::MAX) + 1)],
        vec![
            purchase(1, key("a \"key\""), State::Made(vec![purchased])),
            purchase(9, None, State::Made(Vec::new())),
        ],
        vec![session(3, Role::Buyer, 8, cart(3)), CustomerRow::PurchaseRemoved(PurchaseId((1 << 62) - 1))],
        vec![CustomerRow::SessionClosed(3)],
    ]
}

fn product_groups() -> Vec<Vec<ProductRow>> {
    let described = |id| {
        let (name, keywords) = ("a \"desk\"".into(), vec!["Öl".into(), "oak".into()]);
        ProductRow::Described(Description { id, seller_id: 7, name, keywords, condition: Condition::Used })
    };
    let listed = |id, cents, quantity| {
        let feedback = Feedback { up: quantity, down: u32::MAX };
        ProductRow::Listing(id, Listing { price: Price(cents), quantity, feedback })
    };
    let vote = |id, vote| ProductRow::Vote(id, 3, Ballot { vote, revision: Revision(1) });
    let taken = |id, lines: &[(ItemId, u32)]| {
        let lines =
            lines.iter().map(|&(item_id, quantity)| TakenUnits { item_id, quantity, price: Price(1999) });
        ProductRow::Decision(PurchaseId(id), Decided::Taken(lines.collect()))
    };
    let refused = |id| {
        let shortage = Shortage { item_id: ITEMS[1], available: 5, quantity: 1_000_000_000 };
        ProductRow::Decision(PurchaseId(id), Decided::Refused([shortage].into()))
    };
    let forgotten = |id| ProductRow::DecisionForgotten(PurchaseId(id));
    let floor = |id| ProductRow::DecisionFloor(PurchaseId(id));
    let last = (1 << 62) - 1;
    vec![
        vec![described(ITEMS[2]), described(ITEMS[0]), listed(ITEMS[0], 0, 0), listed(ITEMS[2], 1, 1)],
        vec![listed(ITEMS[0], 1999, 1_000_000_000)],
        vec![described(ITEMS[1]), listed(ITEMS[1], 5, 5), vote(ITEMS[0], Vote::Up)],
        vec![vote(ITEMS[2], Vote::Up), taken(2, &[(ITEMS[0], 7), (ITEMS[2], 1)]), refused(1)],
        vec![listed(ITEMS[0], 1999, 4), taken(last, &[(ITEMS[0], 1_000_000_000)])],
        vec![floor(2), forgotten(1)],
        vec![refused(3), floor(last), forgotten(2), forgotten(7)],
        vec![listed(ITEMS[1], 6, 6), vote(ITEMS[0], Vote::Down)],
    ]
}

/// What is stored after these groups, by key.
fn expected<R: Row + Debug>(groups: &[Vec<R>]) -> Vec<String> {
    let mut rows = BTreeMap::new();
    for row in groups.iter().flatten() {
        match row.is_removal() {
            true => rows.remove(&row.key()),
            false => rows.insert(row.key(), format!("{row:?}")),
        };
    }
    rows.into_values().collect()
}

fn load<R: Debug>(storage: &mut dyn Storage<R>) -> Vec<String> {
    let mut rows = Vec::new();
    let loaded = storage.load(&mut |row| {
        rows.push(format!("{row:?}"));
        true
    });
    loaded.expect("it can be read");
    rows
}

fn commit<R: Row>(storage: &mut dyn Storage<R>, sequence: usize, rows: &[R]) {
    storage.commit(Group { sequence: sequence as u64, rows: rows.to_vec() });
}

fn poll<R>(storage: &mut dyn Storage<R>) -> Option<usize> {
    storage.poll().expect("it goes on").map(|sequence| sequence as usize)
}

/// What was committed and reported is there when it is opened again, in the order of its keys; and so again.
fn what_was_committed_is_loaded<R: Row + Debug>(disk: &mut dyn Disk<R>, groups: &[Vec<R>]) {
    let mut stored: Vec<Vec<R>> = Vec::new();
    for groups in groups.chunks(groups.len().div_ceil(2)) {
        let mut storage = disk.open();
        assert_eq!(load(&mut *storage), expected(&stored));
        let mut reported = 0;
        for (number, rows) in (1..).zip(groups) {
            commit(&mut *storage, number, rows);
        }
        while reported < groups.len() {
            disk.pass();
            if let Some(number) = poll(&mut *storage) {
                assert!(number > reported && number <= groups.len(), "{number} is reported after {reported}");
                reported = number;
            }
        }
        assert_eq!(poll(&mut *storage), None, "each is reported once");
        stored.extend_from_slice(groups);
    }
    assert_eq!(load(&mut *disk.open()), expected(&stored));
}

/// After a crash at any time, there is what some number of groups have led to, and those that were reported are among
/// them. Returns whether groups were lost, and whether there were some that had not been reported.
fn a_crash_leaves_whole_groups_in_order<R: Row + Debug>(
    disk: &mut dyn Disk<R>,
    groups: &[Vec<R>],
    rng: &mut fastrand::Rng,
) -> [bool; 2] {
    let mut storage = disk.open();
    assert_eq!(load(&mut *storage), [""; 0]);
    let (mut committed, mut reported) = (0, 0);
    for _ in 0..rng.usize(0..3 * groups.len()) {
        match rng.u8(0..3) {
            0 if committed < groups.len() => {
                commit(&mut *storage, committed + 1, &groups[committed]);
                committed += 1;
            }
            1 => disk.pass(),
            _ => reported = poll(&mut *storage).unwrap_or(reported),
        }
    }
    drop(storage);
    let loaded = load(&mut *disk.open());
    let there = (reported..=committed).find(|number| loaded == expected(&groups[..*number]));
    let there = there
        .unwrap_or_else(|| panic!("{reported} of {committed} were reported, and this is there: {loaded:#?}"));
    [there < committed, there > reported]
}

/// What makes no sense is told to be so, and nothing is read after it.
fn a_row_that_makes_no_sense_ends_the_load<R: Row>(disk: &mut dyn Disk<R>, group: &[R]) {
    let mut storage = disk.open();
    storage.load(&mut |_| true).expect("there is nothing");
    commit(&mut *storage, 1, group);
    while poll(&mut *storage).is_none() {
        disk.pass();
    }
    drop(storage);
    let mut rows = 0;
    let refused = disk.open().load(&mut |_| {
        rows += 1;
        false
    });
    assert!(matches!(refused, Err(StorageError::Load(_))), "{refused:?}");
    assert_eq!(rows, 1);
}

/// Checks everything of disks that are made anew each time.
fn check<R: Row + Debug>(mut disk: impl FnMut(u64) -> Box<dyn Disk<R>>, groups: &[Vec<R>], crashes: u64) {
    what_was_committed_is_loaded(&mut *disk(0), groups);
    a_row_that_makes_no_sense_ends_the_load(&mut *disk(0), &groups[0]);
    let mut seen = [false; 2];
    for seed in 0..crashes {
        let mut rng = fastrand::Rng::with_seed(seed);
        let left = a_crash_leaves_whole_groups_in_order(&mut *disk(seed), groups, &mut rng);
        seen = [seen[0] || left[0], seen[1] || left[1]];
    }
    assert_eq!(seen, [true, true], "groups were lost, and groups were there that nobody had been told of");
}

#[test]
fn sqlite_keeps_what_db_customer_commits() {
    check::<CustomerRow>(|seed| Box::new(Folder::new(seed)), &customer_groups(), 30);
}

#[test]
fn sqlite_keeps_what_db_product_commits() {
    check::<ProductRow>(|seed| Box::new(Folder::new(seed)), &product_groups(), 30);
}

#[test]
fn the_simulated_disk_keeps_what_db_customer_commits() {
    check::<CustomerRow>(|seed| Box::new(Memory::new(seed)), &customer_groups(), 1000);
}

#[test]
fn the_simulated_disk_keeps_what_db_product_commits() {
    check::<ProductRow>(|seed| Box::new(Memory::new(seed)), &product_groups(), 1000);
}
