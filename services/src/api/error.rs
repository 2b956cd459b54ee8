//! What went wrong, for programs and for people.

use std::borrow::Cow;

use net::Reject;
use serde::{Deserialize, Serialize};

/// The most characters of a client's string that an error message or a log line repeats.
const QUOTED_CHARS_MAX: usize = 40;

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Code {
    InvalidRequest,
    Unimplemented,
    InvalidArgument,
    AuthFailed,
    NotLoggedIn,
    SessionTimeout,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    OutOfStock,
    FailedPrecondition,
    ResourceExhausted,
    Unavailable,
    Internal,
}

impl Code {
    /// The names of all codes, in their order, as metrics and logs have them.
    pub(crate) const NAMES: [&'static str; 14] = [
        "invalid_request",
        "unimplemented",
        "invalid_argument",
        "auth_failed",
        "not_logged_in",
        "session_timeout",
        "permission_denied",
        "not_found",
        "already_exists",
        "out_of_stock",
        "failed_precondition",
        "resource_exhausted",
        "unavailable",
        "internal",
    ];

    /// Whether it stands for a call that was lost or could not be made: it says nothing about what was asked for.
    pub(crate) fn is_passing(self) -> bool {
        matches!(self, Self::Unavailable | Self::ResourceExhausted)
    }
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Error {
    /// For programs.
    pub code: Code,
    /// For people; names the field and the limit, where it is about one.
    pub message: Cow<'static, str>,
}

impl Error {
    /// An error of this kind.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// There is no such API.
    pub(crate) fn unimplemented(service: &str, api: &str) -> Self {
        Self::new(Code::Unimplemented, format!("{service} has no API `{}`", quoted(api)))
    }
}

impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::ConnectionsMax(max) => Self::new(
                Code::ResourceExhausted,
                format!("there are {max} connections, and there may be no more"),
            ),
            Reject::AddressConnectionsMax(max) => Self::new(
                Code::ResourceExhausted,
                format!("there are {max} connections from this address, and there may be no more"),
            ),
            Reject::LineTooLong(max) => Self::new(
                Code::InvalidRequest,
                format!("a request line may be {max} bytes long, and this one is longer"),
            ),
            Reject::LineTimeout(timeout_ms) => Self::new(
                Code::InvalidRequest,
                format!("a request line was begun and not ended within {timeout_ms} ms"),
            ),
            Reject::Drained => Self::new(Code::Unavailable, "the service ends"),
            Reject::NotTls => Self::new(Code::InvalidRequest, "this port speaks TLS, and nothing else"),
            Reject::OtherProtocol(name) => Self::new(
                Code::InvalidRequest,
                format!("this connection begins with {name}; here each line is a JSON object"),
            ),
        }
    }
}

/// A client's string, escaped and shortened, for messages and logs.
pub(crate) fn quoted(text: &str) -> String {
    excerpt(text, QUOTED_CHARS_MAX)
}

/// A string from outside, escaped and shortened.
pub(crate) fn excerpt(text: &str, chars_max: usize) -> String {
    let mut excerpt: String = text.chars().take(chars_max).flat_map(char::escape_debug).collect();
    if text.chars().nth(chars_max).is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_under_their_names() {
        for (place, name) in Code::NAMES.into_iter().enumerate() {
            let json = format!("\"{}\"", name.to_ascii_uppercase());
            assert_eq!(serde_json::from_str::<Code>(&json).expect(name) as usize, place);
        }
    }

    #[test]
    fn quoting_escapes_and_shortens() {
        assert_eq!(quoted("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), QUOTED_CHARS_MAX + 1);
    }
}
