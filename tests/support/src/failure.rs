//! [`Failure`]: why a call brought no data, and whether it may have been carried out all the same.

use std::fmt;
use std::io;

/// Why a call brought no data.
#[derive(Debug)]
pub enum Failure {
    /// There was no connection.
    NotConnected(io::ErrorKind),
    /// The connection broke before the reply came.
    Broken,
    /// The service answered with this code and message.
    Refused(String, String),
}

impl Failure {
    /// Whether the call may have been carried out, by what the contract says.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::NotConnected(_) => false,
            Self::Broken => true,
            Self::Refused(code, message) => {
                code == "UNAVAILABLE" && !message.ends_with("; nothing was changed")
            }
        }
    }

    /// Whether it is one that a process that is down accounts for.
    pub fn is_outage(&self) -> bool {
        !matches!(self, Self::Refused(code, _) if code != "UNAVAILABLE")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(kind) => write!(f, "{kind}"),
            Self::Broken => write!(f, "connection broke"),
            Self::Refused(code, message) => write!(f, "{code}: {message}"),
        }
    }
}
