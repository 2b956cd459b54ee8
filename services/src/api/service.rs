//! What every service answers alike, `Ping`, and every database, `Authenticate` and `AnnounceEnd`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::Error;
use super::fields::Fields;
use super::values::{Value, string};
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

/// A secret that frontends and databases share. It has no `Debug`, so that it reaches no log.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct SharedSecret(Box<str>);

/// Shows a database that it is asked by one of its frontends. It comes before anything else on a connection.
#[derive(Serialize)]
pub(crate) struct Authenticate {
    pub(crate) secret: SharedSecret,
}

/// The database serves the connection.
#[derive(Serialize, Deserialize)]
pub(crate) struct Authenticated {
    pub(crate) authenticated: bool,
}

/// Asks a database to say a last line where it ends the connection because it is to end itself.
pub(crate) struct AnnounceEnd;

/// The database will.
#[derive(Serialize)]
pub(crate) struct EndAnnounced {
    pub(crate) announced: bool,
}

/// The last line of a connection: all that a database has seen of it is answered, and nothing else was begun.
pub(crate) const END: &[u8] = br#"{"type":"End"}"#;

impl SharedSecret {
    /// The most bytes that one has.
    pub(crate) const BYTES_MAX: usize = 1024;

    /// `None`: it is empty, or too long.
    pub(crate) fn new(secret: &str) -> Option<Self> {
        (1..=Self::BYTES_MAX).contains(&secret.len()).then(|| Self(secret.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for SharedSecret {
    const RULE: &'static str = "a string of 1 to 1024 bytes";

    fn decode(raw: &RawValue) -> Option<Self> {
        Self::new(&string(raw)?)
    }
}

impl FromFields for Authenticate {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { secret: fields.required("secret")? })
    }
}

impl Api for Authenticate {
    const NAME: &'static str = "Authenticate";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Authenticated;
}

impl FromFields for AnnounceEnd {
    fn from_fields(_: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl Api for AnnounceEnd {
    const NAME: &'static str = "AnnounceEnd";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = EndAnnounced;
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
