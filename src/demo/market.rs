//! Where the demo takes place, and why it may not.

use net::ClientTls;

use crate::client::{CallError, Client};
use crate::shell::REPLY_TIMEOUT;

/// Where the frontends are.
pub(super) struct Market {
    pub(super) buyer: String,
    pub(super) seller: String,
    pub(super) tls: Option<ClientTls>,
}

/// Why it was not done.
pub(super) enum Failure {
    /// The marketplace is no place for it.
    Refused(String),
    Call(CallError),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        Failure::Call(error)
    }
}

impl Market {
    /// A client of the buyers' frontend.
    pub(super) fn buyer_client(&self) -> Client {
        Client::new(&self.buyer, self.tls.clone(), REPLY_TIMEOUT)
    }

    /// A client of the sellers' frontend.
    pub(super) fn seller_client(&self) -> Client {
        Client::new(&self.seller, self.tls.clone(), REPLY_TIMEOUT)
    }
}
