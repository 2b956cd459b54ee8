//! [`RemoteDomain`]: the rules of one database whose truth lies in an engine, as the service around it sees them. What is
//! a `Domain` where the truth lies in memory is one of these here: the same APIs, over the same types, in the same words.

use std::sync::Arc;

use net::{Metrics, Time};

use super::operation::Step;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::api::{Database, DatabaseApi};
use crate::engine::caller::Caller;
use crate::engine::domain::Job;
use crate::engine::intake::{Entry, decode};

/// The rules of one database, and what it keeps of what cannot change.
pub(super) trait RemoteDomain: Sized + 'static {
    /// Which one it is.
    const DATABASE: Database;
    /// Its APIs. `Ping` is answered for every domain.
    const APIS: &'static [Entry<Starter<Self>>];

    /// Takes a job off the thread that has come to its end: the step of its request that follows.
    fn poll(&mut self, _now: Time) -> Option<(Job, Result<Step<Self>, Error>)> {
        None
    }

    /// Nobody waits any more for what follows from this job. It may be finished all the same.
    fn abandon(&mut self, _job: Job) {}

    /// What the database does of itself, if it is time for something: one thing at a time. Its reply goes nowhere, and if it
    /// fails, it is begun again when it is time.
    fn upkeep(&mut self, _now: Time) -> Option<Step<Self>> {
        None
    }

    /// When there is upkeep next.
    fn upkeep_at(&self) -> Option<Time> {
        None
    }

    /// What else it counts. Asked once.
    fn metrics(&self) -> Vec<Arc<dyn Metrics>>;
}

/// How a request begins.
pub(super) type Starter<D> = fn(&mut D, Time, Caller, Fields<'_>) -> Result<Step<D>, Error>;

/// A rule of an API.
pub(super) trait Carry<A: DatabaseApi>: RemoteDomain {
    /// Begins to carry out a request.
    ///
    /// # Errors
    /// Why not. Nothing was changed.
    fn carry(&mut self, now: Time, caller: Caller, request: A) -> Result<Step<Self>, Error>;
}

/// The entry of an API.
pub(super) const fn carried<D: Carry<A>, A: DatabaseApi>() -> Entry<Starter<D>> {
    const { assert!(D::DATABASE as u8 == A::DATABASE as u8, "the API is another database's") };
    Entry::of::<A>(|domain, now, caller, fields| domain.carry(now, caller, decode(fields)?))
}
