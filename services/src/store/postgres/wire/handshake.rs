//! [`Handshake`]: the start of a connection, from who we are to the server's readiness.
//!
//! Of what a server may ask for, this knows nothing at all (trust), SCRAM-SHA-256, and the password itself where nobody
//! else reads it. There is no MD5: whoever sees one login by it can try passwords as fast as they like.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::super::config::Password;
use super::error::{Failure, ServerError};

/// A start that is under way.
pub(super) struct Handshake {
    password: Option<Password>,
    /// Whether nobody else reads what is sent.
    is_private: bool,
    awaits: Awaits,
}

/// What the server has to say next.
enum Awaits {
    /// What it asks for.
    Request,
    /// The first of SCRAM's two replies: salt and iterations.
    Challenge(ScramSha256),
    /// The second: its own proof.
    Proof(ScramSha256),
    /// That we are let in.
    Admission,
    /// That it is ready.
    Readiness,
}

impl Handshake {
    pub(super) fn new(password: Option<Password>, is_private: bool) -> Self {
        Self { password, is_private, awaits: Awaits::Request }
    }

    /// Takes the next message of the server. `None`: the start is over.
    ///
    /// # Errors
    /// The server does not let us in, or asks for what it cannot get.
    pub(super) fn receive(mut self, message: Message, out: &mut BytesMut) -> Result<Option<Self>, Failure> {
        self.awaits = match (self.awaits, message) {
            (_, Message::ErrorResponse(body)) => {
                return Err(Failure::Refused(ServerError::read(body.fields())?));
            }
            (Awaits::Request | Awaits::Admission, Message::AuthenticationOk) => Awaits::Readiness,
            (Awaits::Request, message) => {
                Self::answer(self.password.as_ref(), self.is_private, message, out)?
            }
            (Awaits::Challenge(mut scram), Message::AuthenticationSaslContinue(body)) => {
                // Some milliseconds, or some dozens where a server asks for as many iterations as the library takes.
                scram.update(body.data()).map_err(|_| Failure::Malformed("SCRAM's challenge is none"))?;
                frontend::sasl_response(scram.message(), out).expect("it is short");
                Awaits::Proof(scram)
            }
            (Awaits::Proof(mut scram), Message::AuthenticationSaslFinal(body)) => {
                scram.finish(body.data()).map_err(|_| Failure::NotGenuine)?;
                Awaits::Admission
            }
            (Awaits::Readiness, Message::BackendKeyData(_)) => Awaits::Readiness,
            (Awaits::Readiness, Message::ReadyForQuery(_)) => return Ok(None),
            _ => return Err(Failure::Malformed("the start of a connection has another order")),
        };
        Ok(Some(self))
    }

    /// Answers what the server asks for.
    fn answer(
        password: Option<&Password>,
        is_private: bool,
        request: Message,
        out: &mut BytesMut,
    ) -> Result<Awaits, Failure> {
        match request {
            Message::AuthenticationCleartextPassword if !is_private => Err(Failure::Exposed),
            Message::AuthenticationCleartextPassword => {
                let password = password.ok_or(Failure::NoPassword)?;
                frontend::password_message(password.as_bytes(), out).expect("passwords hold no NUL");
                Ok(Awaits::Admission)
            }
            Message::AuthenticationSasl(body) => {
                let offered = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256));
                if !offered.map_err(|_| Failure::Malformed("the list of mechanisms is cut off"))? {
                    return Err(Failure::UnknownMethod("something beside SCRAM-SHA-256"));
                }
                let password = password.ok_or(Failure::NoPassword)?;
                let scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), out).expect("it is short");
                Ok(Awaits::Challenge(scram))
            }
            Message::AuthenticationMd5Password(_) => Err(Failure::UnknownMethod("md5")),
            Message::AuthenticationGss | Message::AuthenticationSspi => Err(Failure::UnknownMethod("gss")),
            _ => Err(Failure::Malformed("the start of a connection has another order")),
        }
    }
}
