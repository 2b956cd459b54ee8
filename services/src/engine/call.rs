//! [`DatabaseCall`]: what a frontend asks a database for, and whether it may ask twice.

use serde::Serialize;

use super::lane::Lane;
use crate::api::envelope::encode;

/// What a call changes, which decides whether it is repeated when its connection breaks. Then the database may have
/// carried it out, and others may have changed the same since and been told so. That a second time changes nothing if
/// nothing came between (`f(f(x)) = f(x)`) is therefore not enough: it must undo nothing, whatever came between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    Read,
    /// It changes something, and a second or late time undoes nothing, whatever others did in between.
    Repeatable,
    /// It changes something, and a second time could undo or double a change. It is called once.
    Once,
}

/// A call to a database.
pub(crate) struct DatabaseCall {
    pub(super) lane: Lane,
    pub(super) effect: Effect,
    pub(super) api: &'static str,
    /// The JSON of its `data`.
    pub(super) data: Vec<u8>,
}

impl DatabaseCall {
    pub(crate) fn new(lane: Lane, effect: Effect, api: &'static str, data: &impl Serialize) -> Self {
        let mut json = Vec::with_capacity(128);
        encode(&mut json, data);
        Self { lane, effect, api, data: json }
    }

    /// The same call with one field more in its `data`.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        let end = self.data.pop();
        assert_eq!(end, Some(b'}'), "`data` is an object");
        if self.data != b"{" {
            self.data.push(b',');
        }
        encode(&mut self.data, &name);
        self.data.push(b':');
        encode(&mut self.data, value);
        self.data.push(b'}');
        self
    }
}
