//! [`RemoteDomain`]: the rules of one database whose truth lies in an engine, as the service around it sees them. It is to
//! an engine what the engine-less `Domain` is to memory: the same APIs, over the same types, in the same words.

use std::sync::Arc;

use net::{Metrics, Time};

use super::operation::Step;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::api::{Database, DatabaseApi};
use crate::engine::caller::Caller;
use crate::engine::intake::{Entry, decode};

/// The rules of one database, and what it keeps of what cannot change.
pub(super) trait RemoteDomain: Sized + 'static {
    /// Which one it is.
    const DATABASE: Database;
    /// Its APIs. `Ping` is answered for every domain.
    const APIS: &'static [Entry<Starter<Self>>];

    /// What else it counts, if anything. Asked once.
    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        None
    }
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
