//! [`MemoryDisk`]: a disk in memory and in virtual time, for services in the simulator.
//!
//! A commit is *accepted*, then *written* to the disk's cache, then *flushed*, then *reported*, each of which takes time
//! of its own. A crash may come after any of them: what was flushed is there again, what was accepted only is lost, and of
//! what was written some may be there, in order and each commit as a whole. Writing and flushing may be slow, or fail.
//!
//! It simulates no damage: what is flushed is as it was committed.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Add;
use std::rc::Rc;
use std::time::Duration;

use net::Time;
use net::sim::Alarm;

use crate::engine::storage::{Group, Row, Storage, StorageError};

/// How bad a disk is.
#[derive(Clone, Debug)]
pub struct DiskFaults {
    /// The longest time that each step of a commit takes; the shortest is a microsecond.
    pub step_max: Duration,
    /// Chance, per million commits to a disk that has nothing to do, that one step takes up to `slow_step_max` instead.
    pub slow_per_million: u32,
    /// The longest time that a slow step takes.
    pub slow_step_max: Duration,
    /// Chance, per million commits, that one cannot be written, or cannot be flushed.
    pub failures_per_million: u32,
}

impl Default for DiskFaults {
    /// A disk that is quick and never fails.
    fn default() -> Self {
        Self {
            step_max: Duration::from_micros(500),
            slow_per_million: 0,
            slow_step_max: Duration::ZERO,
            failures_per_million: 0,
        }
    }
}

/// How many commits were caught by crashes, by the last step that each had taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashPoints {
    /// They are lost.
    pub accepted: u64,
    /// They may be there.
    pub written: u64,
    /// They are there, and nobody was told.
    pub flushed: u64,
    /// They are there; of each life, the last one counts.
    pub reported: u64,
}

impl Add for CrashPoints {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            written: self.written + other.written,
            flushed: self.flushed + other.flushed,
            reported: self.reported + other.reported,
        }
    }
}

/// A disk. It outlasts its host, which opens it anew after each crash.
pub struct MemoryDisk<R: Row>(Rc<RefCell<Platter<R>>>);

/// What is on the disk, and what decides how it behaves.
struct Platter<R: Row> {
    /// What is flushed.
    rows: BTreeMap<R::Key, R>,
    random: Box<dyn FnMut() -> u64>,
    faults: DiskFaults,
    is_open: bool,
    crash_points: CrashPoints,
}

/// A disk in use by a service. Dropped, it is as if its host had crashed.
struct MemoryStorage<R: Row> {
    platter: Rc<RefCell<Platter<R>>>,
    alarm: Alarm,
    /// In order, from the oldest that was not reported.
    commits: VecDeque<Commit<R>>,
    has_reported: bool,
}

/// A commit of one group or of several, and when it takes each step.
struct Commit<R> {
    group: Group<R>,
    written_at: Time,
    flushed_at: Time,
    reported_at: Time,
    fault: Option<Fault>,
    /// It was flushed, and is on the platter.
    is_stored: bool,
}

#[derive(Clone, Copy)]
enum Fault {
    /// It is not written.
    Write,
    /// It is written, but not flushed.
    Flush,
}

impl<R: Row> MemoryDisk<R> {
    /// An empty disk. `random` is a source of chance.
    pub fn new(random: impl FnMut() -> u64 + 'static, faults: DiskFaults) -> Self {
        Self(Rc::new(RefCell::new(Platter {
            rows: BTreeMap::new(),
            random: Box::new(random),
            faults,
            is_open: false,
            crash_points: CrashPoints::default(),
        })))
    }

    /// Makes the disk worse or better for what is committed from now on.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.0.borrow_mut().faults = faults;
    }

    /// What crashes have met so far.
    pub fn crash_points(&self) -> CrashPoints {
        self.0.borrow().crash_points
    }

    /// The storage of a service on the host that `alarm` belongs to. It crashes with its host, when it is dropped.
    ///
    /// # Panics
    /// The disk is in use.
    pub fn open(&self, alarm: Alarm) -> impl Storage<R> + use<R> {
        let was_open = std::mem::replace(&mut self.0.borrow_mut().is_open, true);
        assert!(!was_open, "a disk is used by one service");
        let platter = Rc::clone(&self.0);
        MemoryStorage { platter, alarm, commits: VecDeque::new(), has_reported: false }
    }
}

impl<R: Row> Platter<R> {
    /// Whether something of this chance happens.
    fn happens(&mut self, per_million: u32) -> bool {
        (self.random)() % 1_000_000 < u64::from(per_million)
    }

    /// How long each step of a commit takes.
    fn steps(&mut self, may_be_slow: bool) -> [Duration; 3] {
        let mut longest = [self.faults.step_max; 3];
        if may_be_slow && self.happens(self.faults.slow_per_million) {
            longest[(self.random)() as usize % longest.len()] = self.faults.slow_step_max;
        }
        longest.map(|longest| {
            let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(1);
            Duration::from_micros(1 + (self.random)() % micros)
        })
    }

    /// Whether a commit fails, and how.
    fn fault(&mut self) -> Option<Fault> {
        let fails = self.happens(self.faults.failures_per_million);
        fails.then(|| if self.happens(500_000) { Fault::Write } else { Fault::Flush })
    }

    fn store(&mut self, rows: &[R]) {
        for row in rows {
            if row.is_removal() {
                self.rows.remove(&row.key());
            } else {
                self.rows.insert(row.key(), row.clone());
            }
        }
    }
}

impl<R> Commit<R> {
    fn is_written(&self, now: Time) -> bool {
        self.written_at <= now && !matches!(self.fault, Some(Fault::Write))
    }

    fn is_flushed(&self, now: Time) -> bool {
        self.flushed_at <= now && self.fault.is_none()
    }

    /// Why it has failed, if it has.
    fn failure(&self, now: Time) -> Option<&'static str> {
        match self.fault? {
            Fault::Write => (self.written_at <= now).then_some("it cannot be written"),
            Fault::Flush => (self.flushed_at <= now).then_some("it cannot be flushed"),
        }
    }

    /// When there is something to be told about it.
    fn news_at(&self) -> Time {
        match self.fault {
            Some(Fault::Write) => self.written_at,
            Some(Fault::Flush) => self.flushed_at,
            None => self.reported_at,
        }
    }
}

impl<R: Row> MemoryStorage<R> {
    /// Brings what is flushed by now to the platter.
    fn settle(&mut self, now: Time) {
        for commit in self.commits.iter_mut().take_while(|commit| commit.is_flushed(now)) {
            if !commit.is_stored {
                self.platter.borrow_mut().store(&commit.group.rows);
                commit.is_stored = true;
            }
        }
    }

    fn set_alarm(&self) {
        if let Some(commit) = self.commits.front() {
            self.alarm.wake_at(commit.news_at());
        }
    }

    /// Commits are in order, each takes its steps in order, and what is stored is stored in order.
    fn invariants(&self) {
        for commit in &self.commits {
            let Commit { written_at, flushed_at, reported_at, .. } = commit;
            assert!(
                written_at < flushed_at && flushed_at < reported_at,
                "a commit takes one step after another"
            );
        }
        for (commit, next) in self.commits.iter().zip(self.commits.iter().skip(1)) {
            assert!(commit.group.sequence < next.group.sequence, "groups are committed in order");
            assert!(commit.flushed_at < next.flushed_at, "no commit overtakes another");
            assert!(commit.is_stored || !next.is_stored, "no commit is stored without those before it");
        }
    }
}

impl<R: Row> Storage<R> for MemoryStorage<R> {
    fn load(&mut self, visit: &mut dyn FnMut(R) -> bool) -> Result<(), StorageError> {
        let makes_sense = self.platter.borrow().rows.values().cloned().all(visit);
        makes_sense.then_some(()).ok_or_else(|| StorageError::Load("a row makes no sense".into()))
    }

    fn commit(&mut self, group: Group<R>) {
        let now = self.alarm.now();
        let mut platter = self.platter.borrow_mut();
        let last = self.commits.back_mut();
        if let Some(last) = last.filter(|last| last.written_at > now && platter.happens(500_000)) {
            // What waits to be written may share a commit.
            last.group.sequence = group.sequence;
            last.group.rows.extend(group.rows);
            return;
        }
        let last = self.commits.back();
        let [writing, flushing, reporting] = platter.steps(last.is_none());
        // No commit overtakes another.
        let written_at = last.map_or(now, |last| last.written_at.max(now)) + writing;
        let flushed_at = last.map_or(written_at, |last| last.flushed_at.max(written_at)) + flushing;
        let reported_at = last.map_or(flushed_at, |last| last.reported_at.max(flushed_at)) + reporting;
        let fault = platter.fault();
        drop(platter);
        self.commits.push_back(Commit {
            group,
            written_at,
            flushed_at,
            reported_at,
            fault,
            is_stored: false,
        });
        self.set_alarm();
    }

    fn poll(&mut self) -> Result<Option<u64>, StorageError> {
        let now = self.alarm.now();
        self.settle(now);
        if let Some(cause) = self.commits.front().and_then(|commit| commit.failure(now)) {
            return Err(StorageError::Commit { place: "a simulated disk".to_owned(), cause: cause.into() });
        }
        let is_reported = self.commits.front().is_some_and(|commit| commit.reported_at <= now);
        let reported = is_reported.then(|| self.commits.pop_front()).flatten();
        self.has_reported |= is_reported;
        self.set_alarm();
        self.invariants();
        Ok(reported.map(|commit| commit.group.sequence))
    }
}

/// A crash.
impl<R: Row> Drop for MemoryStorage<R> {
    fn drop(&mut self) {
        let now = self.alarm.now();
        self.settle(now);
        let mut platter = self.platter.borrow_mut();
        platter.is_open = false;
        let stored = self.commits.iter().take_while(|commit| commit.is_stored).count();
        let mut written = stored;
        while let Some(commit) = self.commits.get(written).filter(|commit| commit.is_written(now)) {
            written += 1;
            if commit.fault.is_some() {
                // Behind what could not be flushed, nothing is.
                break;
            }
        }
        let kept = stored + (platter.random)() as usize % (written - stored + 1);
        for commit in self.commits.range(stored..kept) {
            platter.store(&commit.group.rows);
        }
        let count = |from: usize, to: usize| (to - from) as u64;
        let points = &mut platter.crash_points;
        points.flushed += count(0, stored);
        points.written += count(stored, written);
        points.accepted += count(written, self.commits.len());
        points.reported += u64::from(self.has_reported);
    }
}

#[cfg(test)]
mod tests;
