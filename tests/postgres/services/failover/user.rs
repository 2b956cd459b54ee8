//! [`User`]: a client whose calls are counted, and [`Progress`], which all of them count in.

use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Client, Failure};

use super::super::pause;

/// What has come of the calls of all users.
#[derive(Default)]
pub(super) struct Progress(Mutex<Counts>);

/// The same, up to some moment.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    /// Changes that were acknowledged, and reads that were answered.
    pub(super) changes: u64,
    pub(super) reads: u64,
    /// Calls that have certainly changed nothing, and those of which nobody knows.
    pub(super) refused: u64,
    pub(super) unknown: u64,
    first: First,
}

/// The first calls that succeed of those that begin after this moment.
#[derive(Clone, Copy, Default)]
struct First {
    since: Option<Instant>,
    change: Option<Instant>,
    read: Option<Instant>,
}

impl Progress {
    pub(super) fn counts(&self) -> Counts {
        *self.0.lock().expect("nobody panics here")
    }

    /// From now on, the first calls are looked out for that succeed.
    pub(super) fn look_out(&self) {
        let first = First { since: Some(Instant::now()), ..First::default() };
        self.0.lock().expect("nobody panics here").first = first;
    }

    fn succeeds(&self, begun: Instant, is_change: bool) {
        let mut counts = self.0.lock().expect("nobody panics here");
        let Counts { changes, reads, first, .. } = &mut *counts;
        let (count, at) = if is_change { (changes, &mut first.change) } else { (reads, &mut first.read) };
        *count += 1;
        if first.since.is_some_and(|since| begun >= since) {
            at.get_or_insert_with(Instant::now);
        }
    }

    fn fails(&self, failure: &Failure) {
        let mut counts = self.0.lock().expect("nobody panics here");
        *(if failure.is_unknown() { &mut counts.unknown } else { &mut counts.refused }) += 1;
    }
}

impl Counts {
    /// How long after this moment the first change and the first read have succeeded, once both have.
    pub(super) fn first(&self, since: Instant) -> Option<[Duration; 2]> {
        let First { change, read, .. } = self.first;
        Some([change? - since, read? - since])
    }
}

/// Somebody who calls a service, and takes no failure but those of an engine that is away.
pub(super) struct User<'a> {
    client: Client,
    progress: &'a Progress,
}

impl<'a> User<'a> {
    pub(super) fn new(client: Client, progress: &'a Progress) -> Self {
        Self { client, progress }
    }

    /// Reads, if that is possible now.
    pub(super) fn read(&mut self, api: &str, data: impl Display) -> Option<Value> {
        match self.call(api, &data, false) {
            Ok(reply) => Some(reply),
            Err(failure) => {
                pause(api, &failure);
                None
            }
        }
    }

    /// Reads, as soon as that is possible.
    pub(super) fn find(&mut self, api: &str, data: impl Display) -> Value {
        loop {
            if let Some(found) = self.read(api, &data) {
                return found;
            }
        }
    }

    /// Makes a change, once.
    pub(super) fn change(&mut self, api: &str, data: impl Display) -> Result<Value, Failure> {
        self.call(api, &data, true)
    }

    /// Makes a change that may be repeated, until it is acknowledged. Returns whether an attempt before may have made it, too.
    pub(super) fn insist(&mut self, api: &str, data: impl Display) -> (Value, bool) {
        let mut may_be_done = false;
        loop {
            match self.call(api, &data, true) {
                Ok(reply) => return (reply, may_be_done),
                Err(failure) => {
                    may_be_done |= failure.is_unknown();
                    pause(api, &failure);
                }
            }
        }
    }

    fn call(&mut self, api: &str, data: &dyn Display, is_change: bool) -> Result<Value, Failure> {
        let begun = Instant::now();
        let outcome = self.client.call(api, data);
        match &outcome {
            Ok(_) => self.progress.succeeds(begun, is_change),
            Err(failure) => self.progress.fails(failure),
        }
        outcome
    }
}
