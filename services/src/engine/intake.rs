//! [`Intake`]: how a service finds the API that a request is for, whatever it does about it then, and how it answers
//! what every service does alike.

use std::sync::Arc;

use net::{Out, Time};

use super::metrics::{RequestMetrics, Requests, Started};
use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::api::service::{Ping, Pong};
use crate::api::{Api, Effect};

/// An API of a service, and what carries it out.
#[derive(Clone, Copy)]
pub(crate) struct Entry<H> {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    pub(crate) handler: H,
}

/// The APIs of a service, and what is counted about its requests.
pub(crate) struct Intake<H: 'static> {
    service: &'static str,
    entries: &'static [Entry<H>],
    requests: Requests,
}

impl<H: Copy> Entry<H> {
    /// The entry of an API.
    pub(crate) const fn of<A: Api>(handler: H) -> Self {
        Self { name: A::NAME, effect: A::EFFECT, handler }
    }
}

impl<H> Intake<H> {
    pub(crate) fn new(
        service: &'static str,
        entries: &'static [Entry<H>],
        metrics: Arc<RequestMetrics>,
    ) -> Self {
        Self { service, entries, requests: Requests::new(metrics) }
    }

    /// The API of this name, if the service has one, and under what its requests are counted.
    pub(crate) fn find(&self, api: &str, at: Time) -> (Option<&'static Entry<H>>, Started) {
        let place = self.entries.iter().position(|entry| entry.name == api);
        (place.map(|place| &self.entries[place]), Started { api: self.requests.number(place, api), at })
    }

    /// Answers a request for an API that is in no service's list.
    ///
    /// # Errors
    /// There is none of this name, or it has fields.
    pub(crate) fn answer_any(
        &self,
        api: &str,
        fields: Fields<'_>,
        commits: Option<u64>,
    ) -> Result<Pong<&'static str>, Error> {
        if api != Ping::NAME {
            return Err(Error::unimplemented(self.service, api));
        }
        let Ping = decode(fields)?;
        Ok(Pong { service: self.service, version: env!("CARGO_PKG_VERSION"), commits })
    }

    /// Takes note of an answer; `error` is its code, if it is one.
    pub(crate) fn answered(&mut self, started: Started, error: Option<Code>, out: &mut Out<'_>) {
        self.requests.answered(started, error, out);
    }
}

/// Reads a request of an API from its fields, all of which must be its.
///
/// # Errors
/// What is wrong with a field.
#[inline(never)]
pub(crate) fn decode<A: Api>(mut fields: Fields<'_>) -> Result<A, Error> {
    let request = A::from_fields(&mut fields)?;
    fields.finish()?;
    Ok(request)
}
