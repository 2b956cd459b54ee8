//! [`Authentication`]: which connections a database serves, if it demands a secret. What they ask for afterwards is not
//! known here.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use net::{Conn, Out, Time};

use super::metrics::LineLimit;
use super::secrets::Secrets;
use crate::api::Api;
use crate::api::envelope::Request;
use crate::api::error::{Code, Error};
use crate::api::fields::Fields;
use crate::api::service::{Authenticate, Authenticated, SharedSecret};
use crate::engine::intake::decode;

/// Bytes of a line with the longest secret, however it is escaped. A longer one is not read from whoever has no secret.
const LINE_BYTES_MAX: usize = 8 * SharedSecret::BYTES_MAX;
/// Refused connections that are logged in a minute.
const WARNINGS_PER_MINUTE_MAX: u32 = 10;

/// Which connections have shown a secret, where one is demanded.
pub(super) struct Authentication {
    secrets: Option<Secrets>,
    /// Those that have. None, where no secret is demanded.
    authenticated: BTreeSet<Conn>,
    warnings: LineLimit,
}

impl Authentication {
    pub(super) fn new(secrets: Option<Secrets>) -> Self {
        let warnings = LineLimit::new(Duration::from_secs(60), WARNINGS_PER_MINUTE_MAX);
        Self { secrets, authenticated: BTreeSet::new(), warnings }
    }

    /// Whether requests of this connection are carried out.
    #[inline]
    pub(super) fn is_passed(&self, conn: Conn) -> bool {
        self.secrets.is_none() || self.authenticated.contains(&conn)
    }

    /// Checks a secret. Where none is demanded, each is as good: so frontends can be given theirs first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub(super) fn check(&self, Authenticate { secret }: &Authenticate) -> Result<Authenticated, Error> {
        if self.secrets.as_ref().is_none_or(|secrets| secrets.accept(secret)) {
            return Ok(Authenticated { authenticated: true });
        }
        Err(denied("the secret is wrong"))
    }

    /// Reads the first line of a connection, which must show a secret. If it does not, the connection is to be closed,
    /// once the error is sent.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, whatever is wrong with the line.
    pub(super) fn first_line(
        &mut self,
        now: Time,
        conn: Conn,
        request: Option<&Request<'_>>,
        out: &Out<'_>,
    ) -> Result<Authenticated, Error> {
        let request = request.filter(|request| request.api == Authenticate::NAME);
        let authenticated = request
            .and_then(|request| decode(Fields::parse(request.data).ok()?).ok())
            .ok_or_else(|| denied("this database demands a secret: `Authenticate` must come first"))
            .and_then(|request| self.check(&request));
        match &authenticated {
            Ok(_) => {
                self.authenticated.insert(conn);
            }
            Err(error) if self.warnings.next(now) => {
                let address =
                    out.peer_address(conn).map_or(Cow::Borrowed("gone"), |at| at.to_string().into());
                log::warn!("event=authentication_failed address={address} error=\"{}\"", error.message);
            }
            Err(_) => {}
        }
        authenticated
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, conn: Conn) {
        self.authenticated.remove(&conn);
    }
}

/// Reads the line of whoever has shown no secret yet, if it is short enough to show one.
pub(super) fn read_first_line(line: &[u8]) -> Option<Request<'_>> {
    let line = Some(line).filter(|line| line.len() <= LINE_BYTES_MAX)?;
    Request::parse(line).ok()
}

fn denied(message: &'static str) -> Error {
    Error::new(Code::PermissionDenied, message)
}
