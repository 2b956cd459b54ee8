//! `Ping`, which every service answers alike.

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::fields::Fields;
use super::{Api, Effect, FromFields};

/// Asks a service which one it is.
pub(crate) struct Ping;

/// What a service is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pong<S> {
    pub(crate) service: S,
    #[serde(default)]
    pub(crate) version: S,
    /// How many groups a database has flushed to disk since its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commits: Option<u64>,
}

impl FromFields for Ping {
    fn from_fields(_: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl Api for Ping {
    const NAME: &'static str = "Ping";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Pong<&'a str>;
}
