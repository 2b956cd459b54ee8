//! [`DatabaseCall`]: what a frontend asks a database for. All that is to be known about it follows from its API.

use super::lane::Lane;
use crate::api::{DatabaseApi, Effect, Encode};

/// A call to a database.
pub(crate) struct DatabaseCall {
    pub(super) lane: Lane,
    pub(super) effect: Effect,
    pub(super) api: &'static str,
    /// The JSON of its `data`.
    pub(super) data: Vec<u8>,
    /// The account whose password it is about; empty if it is about none.
    pub(super) account: Box<str>,
}

impl DatabaseCall {
    /// The call that makes a request.
    pub(crate) fn new<A: DatabaseApi>(request: &A) -> Self {
        let mut data = Vec::with_capacity(128);
        request.encode(&mut data);
        Self { lane: Lane::of::<A>(), effect: A::EFFECT, api: A::NAME, data, account: Box::default() }
    }

    /// The same call, in turn with others about the same account.
    pub(crate) fn about(self, account: &str) -> Self {
        Self { account: account.into(), ..self }
    }
}
