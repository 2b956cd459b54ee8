//! What is left of a commit after a crash at each of its steps, and of one that fails.

use net::sim::{Faults, HostId, Sim};

use super::*;

/// A row, or the removal of one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Is(u32),
    IsNot(u32),
}

impl Row for Number {
    type Key = u32;

    fn key(&self) -> u32 {
        match *self {
            Self::Is(number) | Self::IsNot(number) => number,
        }
    }

    fn is_removal(&self) -> bool {
        matches!(self, Self::IsNot(_))
    }
}

const STEP: Duration = Duration::from_secs(1);

/// A disk of which each step takes a second at most, and its host.
struct Computer {
    disk: MemoryDisk<Number>,
    sim: Sim,
    host: HostId,
}

impl Computer {
    fn new(seed: u64, failures_per_million: u32) -> Self {
        let mut sim = Sim::new(seed, Time::from_millis(1_000_000), Faults::default());
        let mut rng = fastrand::Rng::with_seed(seed);
        let faults = DiskFaults { step_max: STEP, failures_per_million, ..DiskFaults::default() };
        let disk = MemoryDisk::new(move || rng.u64(..), faults);
        Self { disk, host: sim.add_host(&[]), sim }
    }

    fn open(&self) -> impl Storage<Number> + use<> {
        self.disk.open(self.sim.alarm(self.host))
    }

    fn pass(&mut self, duration: Duration) {
        self.sim.run_until(self.sim.now() + duration);
    }

    /// What is there after a crash.
    fn stored(&self) -> Vec<u32> {
        let mut numbers = Vec::new();
        let loaded = self.open().load(&mut |row| {
            numbers.push(row.key());
            true
        });
        loaded.expect("it can be read");
        numbers
    }
}

fn group(sequence: u64, rows: &[Number]) -> Group<Number> {
    Group { sequence, rows: rows.to_vec() }
}

use Number::{Is, IsNot};

#[test]
fn a_crash_at_each_step_of_a_commit_leaves_what_that_step_has_brought() {
    let (mut kept, mut lost) = (CrashPoints::default(), CrashPoints::default());
    for seed in 0..1000 {
        let mut computer = Computer::new(seed, 0);
        let mut storage = computer.open();
        storage.commit(group(1, &[Is(1), Is(2)]));
        computer.pass(STEP * (seed % 4) as u32);
        let _ = storage.poll().expect("it goes on");
        drop(storage);
        let points = computer.disk.crash_points();
        let stored = computer.stored();
        assert!(stored == [1, 2] || stored.is_empty(), "a commit is there in part: {stored:?}");
        let sum = if stored.is_empty() { &mut lost } else { &mut kept };
        *sum = *sum + points;
    }
    assert!(kept.accepted == 0 && lost.accepted > 0, "{kept:?}, {lost:?}");
    assert!(kept.written > 0 && lost.written > 0, "{kept:?}, {lost:?}");
    assert!(kept.flushed > 0 && lost.flushed == 0, "{kept:?}, {lost:?}");
    assert!(kept.reported > 0 && lost.reported == 0, "{kept:?}, {lost:?}");
}

#[test]
fn of_each_key_the_last_row_is_there() {
    let mut computer = Computer::new(1, 0);
    let mut storage = computer.open();
    storage.commit(group(1, &[Is(1)]));
    assert_eq!(storage.poll().expect("it goes on"), None);
    computer.pass(STEP * 3);
    assert_eq!(storage.poll().expect("it goes on"), Some(1));
    storage.commit(group(2, &[IsNot(1), Is(2)]));
    computer.pass(STEP * 3);
    assert_eq!(storage.poll().expect("it goes on"), Some(2));
    assert_eq!(storage.poll().expect("it goes on"), None);
    drop(storage);
    assert_eq!(computer.stored(), [2]);
}

#[test]
fn a_commit_that_fails_is_told_once_its_predecessors_are_and_nothing_follows_it() {
    let mut ends = [0; 3];
    for seed in 0..200 {
        let mut computer = Computer::new(seed, 300_000);
        let mut storage = computer.open();
        let mut reported = 0;
        let mut failed = None;
        for number in 1..=20 {
            storage.commit(group(number, &[Is(number as u32)]));
            computer.pass(STEP / 2);
            match storage.poll() {
                Ok(news) => reported = news.unwrap_or(reported),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        drop(storage);
        let stored = computer.stored();
        assert_eq!(stored, (1..=stored.len() as u32).collect::<Vec<_>>(), "they are there in order");
        assert!(stored.len() as u64 >= reported);
        match failed {
            Some(StorageError::Commit { cause, .. }) if cause.to_string().contains("written") => ends[0] += 1,
            Some(StorageError::Commit { cause, .. }) if cause.to_string().contains("flushed") => ends[1] += 1,
            Some(other) => panic!("{other}"),
            None => ends[2] += 1,
        }
    }
    assert!(ends[0] > 0 && ends[1] > 0, "{ends:?}");
}

#[test]
fn a_slow_disk_takes_its_time() {
    let mut computer = Computer::new(1, 0);
    let minute = STEP * 60;
    let slow = DiskFaults { slow_per_million: 1_000_000, slow_step_max: minute, ..DiskFaults::default() };
    computer.disk.set_faults(slow);
    let mut storage = computer.open();
    let start = computer.sim.now();
    for number in 1..=10 {
        storage.commit(group(number, &[Is(1)]));
        while storage.poll().expect("it goes on").is_none() {
            computer.pass(STEP);
        }
    }
    assert!(computer.sim.now().since(start) > minute * 2);
}

#[test]
#[should_panic(expected = "a disk is used by one service")]
fn a_disk_is_in_one_host() {
    let computer = Computer::new(1, 0);
    let _first = computer.open();
    let _second = computer.open();
}
