//! [`Reception`]: what every database does with a line before its rules see it and after they have, wherever its truth
//! lies: who may ask at all, which API is meant, until when, and how the reply is written and counted.
//!
//! It carries out no request but those that all services answer alike.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use net::{Conn, Out, Reject, Time};

use super::authentication::{Authentication, read_first_line};
use super::caller::Caller;
use super::intake::{Entry, Intake, decode};
use super::metrics::{RequestMetrics, Started, UNKNOWN};
use super::secrets::Secrets;
use crate::api::envelope::{self, Request};
use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::api::service::{AnnounceEnd, Authenticate, END, EndAnnounced};
use crate::api::{Api, Encode};

/// Who may ask a database, and for what.
pub(crate) struct Reception<H: 'static> {
    authentication: Authentication,
    intake: Intake<H>,
}

impl<H: Copy> Reception<H> {
    /// That of a service with these APIs, which serves who shows one of the secrets, if there are any.
    pub(crate) fn new(
        service: &'static str,
        apis: &'static [Entry<H>],
        secrets: Option<Secrets>,
        metrics: &Arc<RequestMetrics>,
    ) -> Self {
        let intake = Intake::new(service, apis, Arc::clone(metrics));
        Self { authentication: Authentication::new(secrets), intake }
    }

    /// Whether requests of this connection are carried out.
    #[inline]
    pub(crate) fn is_passed(&self, conn: Conn) -> bool {
        self.authentication.is_passed(conn)
    }

    /// Answers the first line of a connection, where a secret is demanded, and closes the connection if it shows none.
    pub(crate) fn authenticate(&mut self, now: Time, conn: Conn, line: &[u8], out: &mut Out<'_>) {
        let request = read_first_line(line);
        let id = request.as_ref().map_or("null", |request| request.id);
        let (_, started) = self.intake.find(UNKNOWN, now);
        let mut reply = Vec::new();
        envelope::begin_ok(&mut reply, id);
        let result = self.authentication.first_line(now, conn, request.as_ref(), out);
        let result = result.map(|authenticated| authenticated.encode(&mut reply));
        let error = finish_reply(&mut reply, id, result);
        out.send(conn, &reply);
        self.intake.answered(started, error, out);
        if error.is_some() {
            out.close(conn);
        }
    }

    /// The API of this name, if the service has one, and under what its requests are counted.
    pub(crate) fn find(&self, api: &str, at: Time) -> (Option<&'static Entry<H>>, Started) {
        self.intake.find(api, at)
    }

    /// Answers a request for an API that is in no list: the JSON of the reply's `data` is appended to `json`.
    ///
    /// # Errors
    /// There is none of this name, or something is wrong with its fields.
    pub(crate) fn answer_any(
        &self,
        conn: Conn,
        request: &Request<'_>,
        commits: Option<u64>,
        json: &mut Vec<u8>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let fields = Fields::parse(request.data)?;
        if request.api == AnnounceEnd::NAME {
            let AnnounceEnd = decode(fields)?;
            out.announce_end(conn);
            EndAnnounced { announced: true }.encode(json);
            return Ok(());
        }
        if request.api == Authenticate::NAME {
            self.authentication.check(&decode(fields)?)?.encode(json);
            return Ok(());
        }
        self.intake.answer_any(&request.api, fields, commits)?.encode(json);
        Ok(())
    }

    /// Takes note of an answer; `error` is its code, if it is one.
    pub(crate) fn answered(&mut self, started: Started, error: Option<Code>, out: &mut Out<'_>) {
        self.intake.answered(started, error, out);
    }

    /// A connection is gone.
    pub(crate) fn forget(&mut self, conn: Conn) {
        self.authentication.forget(conn);
    }
}

/// Ends the line of a reply, or writes that of an error, whose code it returns.
pub(crate) fn finish_reply(line: &mut Vec<u8>, id: &str, result: Result<(), Error>) -> Option<Code> {
    match result {
        Ok(()) => {
            envelope::end_ok(line);
            None
        }
        Err(error) => {
            line.clear();
            envelope::encode_error(line, id, &error);
            Some(error.code)
        }
    }
}

/// Writes the last line of a connection, which says why it ends.
pub(crate) fn write_reject(line: &mut Vec<u8>, reject: Reject) {
    match reject {
        Reject::Drained => line.extend_from_slice(END),
        reject => envelope::encode_error(line, "null", &reject.into()),
    }
}

/// For whom a request is carried out, and until when: for so long, if it does not say how long.
///
/// # Errors
/// The frontend says of its client what makes no sense.
pub(crate) fn caller(
    request: &Request<'_>,
    conn: Conn,
    started: Started,
    patience: Duration,
    out: &Out<'_>,
) -> Result<Caller, Error> {
    let peer = || out.peer_address(conn).map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let client = request.client_address()?.unwrap_or_else(peer);
    let patience = request.patience()?.unwrap_or(patience);
    Ok(Caller::new(client, started.at, patience))
}

/// Refuses a request that nobody waits for any more.
///
/// # Errors
/// `UNAVAILABLE`.
pub(crate) fn check_in_time(request: &Request<'_>, now: Time, started: Started) -> Result<(), Error> {
    match request.patience()? {
        Some(patience) if now > started.at + patience => {
            Err(Error::new(Code::Unavailable, "the request's `deadline_ms` has passed: nothing was changed"))
        }
        _ => Ok(()),
    }
}
