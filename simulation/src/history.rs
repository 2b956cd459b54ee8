//! What may be read of a value, given the writes to it: each kind of value knows its writes by when they were
//! made, acknowledged or lost, and checks a read against them.
//!
//! The rule is the same everywhere. A write is *established* once it was acknowledged or once a read that
//! ended has shown it: every read that begins later must see it, whatever crashes meanwhile, unless a
//! newer write explains why not.

use std::collections::BTreeMap;
use std::time::Duration;

use net::Time;

use crate::request::{Outcome, Span};

/// The longest that a disk takes for one step of a commit: longer than anybody waits for it.
pub(crate) const SLOW_STEP_MAX: Duration = Duration::from_millis(2500);
/// A lost request may take effect so long after it was lost: the time that a frontend goes on for at most, and then that
/// of a slow disk.
pub(crate) const AFTERLIFE: Duration = Duration::from_secs(7 + 3);

/// A write as its client knows it.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    started_at: Time,
    established_at: Option<Time>,
    /// From when on it can take effect no more. None while it is under way.
    over_at: Option<Time>,
    /// An attempt was lost, and may take effect until then.
    loose_until: Time,
    /// It certainly took no effect.
    refused: bool,
}

impl Write {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            started_at: now,
            established_at: None,
            over_at: None,
            loose_until: Time::default(),
            refused: false,
        }
    }

    /// Takes note of what came of an attempt. A write that was lost may be attempted again.
    pub(crate) fn attempted(&mut self, span: Span, outcome: &Outcome) {
        match outcome {
            Outcome::Done(_) => {
                self.establish(span.end);
                self.over_at = Some(self.loose_until.max(span.end));
            }
            Outcome::Unknown => {
                self.loose_until = span.end + AFTERLIFE;
                self.over_at = Some(self.loose_until);
            }
            Outcome::Refused(_) | Outcome::NotDone => {
                self.refused = self.loose_until == Time::default() && self.established_at.is_none();
                self.over_at = Some(self.loose_until.max(span.end));
            }
        }
    }

    /// Begins a further attempt.
    pub(crate) fn repeat(&mut self) {
        self.over_at = None;
        self.refused = false;
    }

    /// Somebody has seen it.
    pub(crate) fn establish(&mut self, at: Time) {
        self.established_at = Some(self.established_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Whether a read must see it. One that begins at the very moment does, too: a request takes its time.
    pub(crate) fn is_owed_to(&self, read: Span) -> bool {
        self.established_at.is_some_and(|at| at <= read.start)
    }

    /// Whether a read may see it.
    pub(crate) fn may_show_in(&self, read: Span) -> bool {
        !self.refused && self.started_at <= read.end
    }

    /// Whether an attempt was lost that may still take effect, or might have.
    pub(crate) fn is_loose(&self) -> bool {
        self.loose_until != Time::default()
    }

    fn is_over_before(&self, other: &Write) -> bool {
        self.over_at.is_some_and(|at| at <= other.started_at)
    }
}

/// A value that each write replaces. Writes are made one after another.
#[derive(Debug, Default)]
pub(crate) struct Register<V> {
    writes: Vec<(V, Write)>,
}

impl<V: PartialEq + std::fmt::Debug> Register<V> {
    /// A register that has a value already.
    pub(crate) fn starting_with(value: V, at: Time) -> Self {
        let mut write = Write::new(at);
        write.establish(at);
        write.over_at = Some(at);
        Self { writes: vec![(value, write)] }
    }

    /// Begins a write; returns its place.
    pub(crate) fn write(&mut self, value: V, now: Time) -> usize {
        self.writes.push((value, Write::new(now)));
        self.writes.len() - 1
    }

    pub(crate) fn at(&mut self, place: usize) -> &mut Write {
        &mut self.writes[place].1
    }

    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }

    /// The write that was made first.
    pub(crate) fn first(&mut self) -> &mut Write {
        &mut self.writes.first_mut().expect("there is a first value").1
    }

    /// The write that was made last.
    pub(crate) fn last(&mut self) -> Option<&mut Write> {
        self.writes.last_mut().map(|(_, write)| write)
    }

    /// Checks that a read may show `value`.
    pub(crate) fn read(&mut self, span: Span, value: &V) {
        let explains = |place: &usize| {
            let (written, write) = &self.writes[*place];
            let outdates = |(_, newer): &(V, Write)| newer.is_owed_to(span) && write.is_over_before(newer);
            let mut others = self.writes[..*place].iter().chain(&self.writes[place + 1..]);
            written == value && write.may_show_in(span) && !others.any(outdates)
        };
        let shown: Vec<usize> = (0..self.writes.len()).filter(explains).collect();
        match shown[..] {
            [] => panic!("a read at {span:?} shows {value:?}, which no write explains: {self:#?}"),
            [only] => self.writes[only].1.establish(span.end),
            // Any of several writes of the same value may be the one that was seen.
            _ => {}
        }
    }
}

/// A number whose bits are flipped by writes, bit k by write k and once, so that it tells which of the
/// writes took effect, and that none did twice.
#[derive(Debug)]
pub(crate) struct Flips {
    initial: u64,
    writes: Vec<Write>,
}

impl Flips {
    pub(crate) fn new(initial: u64) -> Self {
        Self { initial, writes: Vec::new() }
    }

    /// Begins the next write; returns what it adds to the number.
    pub(crate) fn write(&mut self, now: Time) -> i64 {
        let bit = 1 << self.writes.len();
        self.writes.push(Write::new(now));
        if self.initial & bit == 0 { bit as i64 } else { -(bit as i64) }
    }

    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }

    pub(crate) fn last(&mut self) -> Option<&mut Write> {
        self.writes.last_mut()
    }

    /// Checks that a read may show `number`.
    pub(crate) fn read(&mut self, span: Span, number: u64) {
        let flipped = number ^ self.initial;
        assert!(flipped >> self.writes.len() == 0, "{number} is no sum of what was added: {self:#?}");
        for (place, write) in self.writes.iter_mut().enumerate() {
            if flipped >> place & 1 == 1 {
                assert!(write.may_show_in(span), "{number}: write {place} took no effect, at {span:?}");
                write.establish(span.end);
            } else {
                assert!(!write.is_owed_to(span), "{number}: write {place} is gone at {span:?}: {write:#?}");
            }
        }
    }
}

/// A number that each write, by its key, raises by one, and a repeated write does not.
#[derive(Debug, Default)]
pub(crate) struct Tally<K> {
    pub(crate) writes: BTreeMap<K, Write>,
    /// When reads ended, and the highest number that any had shown by then.
    seen: Vec<(Time, u64)>,
}

impl<K: Ord + std::fmt::Debug> Tally<K> {
    /// Begins a write, or repeats it.
    pub(crate) fn write(&mut self, key: K, now: Time) -> &mut Write {
        let write = self.writes.entry(key).or_insert_with(|| Write::new(now));
        write.repeat();
        write
    }

    /// Checks that a read may show `number`.
    pub(crate) fn read(&mut self, span: Span, number: u64) {
        let owed = self.writes.values().filter(|write| write.is_owed_to(span)).count() as u64;
        let shown = self.seen.iter().rev().find(|(at, _)| *at <= span.start).map_or(0, |(_, number)| *number);
        let most = self.writes.values().filter(|write| write.may_show_in(span)).count() as u64;
        assert!(
            (owed.max(shown)..=most).contains(&number),
            "{number} votes at {span:?}, where {owed} are owed, {shown} were shown and {most} made: {self:#?}"
        );
        let highest = self.seen.last().map_or(0, |(_, number)| *number);
        self.seen.push((span.end, number.max(highest)));
    }
}
