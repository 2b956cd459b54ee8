//! [`Domain`]: the state and the rules of one database, as the engine sees them. A request is decoded before a rule sees
//! it, and what the rule returns is encoded after.

use std::iter;
use std::sync::Arc;

use net::{Metrics, Time};

use super::caller::Caller;
use super::intake::{Entry, decode};
use super::metrics::Holding;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::api::{Database, DatabaseApi, Encode};

/// The state and the rules of one database.
pub(crate) trait Domain: Sized + 'static {
    /// Which one it is.
    const DATABASE: Database;
    /// The name of the service.
    const SERVICE: &'static str = Self::DATABASE.name();
    /// A row to be stored.
    type Row;
    /// What comes of work off the thread.
    type Finished: Encode;

    /// Its APIs. `Ping` is answered for every domain. An API that changes something builds on the latest state, so that
    /// its reply, good or bad, must wait until that is on disk. Any other sees only what is on disk already.
    const APIS: &'static [Entry<Handler<Self>>];
    /// What it holds so much of that its number is worth a metric.
    const HOLDINGS: &'static [Holding];
    /// What it counts from its start on, beside its requests.
    const COUNTS: &'static [Holding] = &[];

    /// Finishes a request whose work off the thread is done. Like the reply of a write, its reply waits.
    fn poll(&mut self, now: Time) -> Option<(Job, Result<Self::Finished, Error>)>;

    /// Whether there are changes that were not sealed.
    fn is_dirty(&self) -> bool;

    /// Seals the changes into a group of rows.
    fn seal(&mut self) -> Vec<Self::Row>;

    /// The oldest sealed group is on disk: shows it to readers, as far as that takes work for no more than `rows_max` rows.
    /// Returns for how many it did, or `None` if there is more to show of the group.
    fn publish(&mut self, rows_max: usize) -> Option<usize>;

    /// How much it holds of each of [`Domain::HOLDINGS`], as far as it is on disk. Called after each commit, so nothing
    /// is counted anew for it.
    fn holdings(&self) -> impl Iterator<Item = usize>;

    /// How often each of [`Domain::COUNTS`] has happened, as far as it is on disk. Called when holdings are.
    fn counts(&self) -> impl Iterator<Item = u64> {
        iter::empty()
    }

    /// What else it counts, if anything. Asked once.
    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        None
    }

    /// Nobody waits any more for what this job would return. It may be finished all the same.
    fn abandon(&mut self, _job: Job) {}

    /// Called at the end of each turn, for upkeep of a bounded amount. Returns when there is more to do; there will be
    /// a turn then.
    fn end_turn(&mut self, _now: Time) -> Option<Time> {
        None
    }

    /// The service is to end: the last chance to change what the next one will find.
    fn drain(&mut self, _now: Time) {}

    /// The latest time that is stored, or was when it was loaded.
    fn clock_floor(&self) -> Time {
        Time::default()
    }
}

/// A request whose work goes on off the thread, by a number that its domain chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job(pub(crate) u64);

/// A rule that answers at once.
pub(crate) trait Answer<A: DatabaseApi>: Domain {
    /// Carries out a request.
    ///
    /// # Errors
    /// Why not. Nothing was changed.
    fn answer(&mut self, now: Time, request: A) -> Result<A::Reply<'_>, Error>;
}

/// A rule whose work goes on off the thread; [`Domain::poll`] returns what comes of it.
pub(crate) trait Begin<A: DatabaseApi>: Domain {
    /// Begins to carry out a request.
    ///
    /// # Errors
    /// Why not.
    fn begin(&mut self, now: Time, caller: Caller, request: A) -> Result<Job, Error>;
}

/// How a request is carried out.
pub(crate) enum Handler<D> {
    /// At once: the JSON of the reply's `data` is appended to the bytes.
    Answer(fn(&mut D, Time, Fields<'_>, &mut Vec<u8>) -> Result<(), Error>),
    /// Off the thread: [`Domain::poll`] will return what comes of it.
    Begin(fn(&mut D, Time, Caller, Fields<'_>) -> Result<Job, Error>),
}

// Derived, they would ask the same of the domain.
impl<D> Clone for Handler<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Handler<D> {}

/// The entry of an API that the domain answers at once.
pub(crate) const fn answered<D: Answer<A>, A: DatabaseApi>() -> Entry<Handler<D>> {
    const { assert_home::<D, A>() };
    Entry::of::<A>(Handler::Answer(|domain, now, fields, data| {
        domain.answer(now, decode(fields)?)?.encode(data);
        Ok(())
    }))
}

/// The entry of an API whose work goes on off the thread.
pub(crate) const fn offloaded<D: Begin<A>, A: DatabaseApi>() -> Entry<Handler<D>> {
    const { assert_home::<D, A>() };
    Entry::of::<A>(Handler::Begin(|domain, now, caller, fields| domain.begin(now, caller, decode(fields)?)))
}

/// Frontends call an API where its type says that it is answered, so no other domain may list it.
const fn assert_home<D: Domain, A: DatabaseApi>() {
    assert!(D::DATABASE as u8 == A::DATABASE as u8, "the API is another database's");
}
