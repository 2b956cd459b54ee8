//! [`ServerError`]: what a server says went wrong, with what follows from it ([`Class`]), and [`Failure`]: why a
//! connection is of no use.

use std::fmt;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;

/// The most that is kept of what a server says, in characters.
const MESSAGE_CHARS_MAX: usize = 300;
/// The function of PostgreSQL in which a commit waits for its replica.
const WAIT_FOR_REPLICA: &str = "SyncRepWaitForLSN";

/// An error, as a server has reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// What it is: five characters (SQLSTATE).
    pub code: String,
    /// The same for people: escaped and shortened. Its detail, which quotes what is stored, is left out.
    pub message: String,
    /// Whether the server ends the connection with it.
    pub is_fatal: bool,
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The transaction was certainly undone, and may well succeed if it is begun again.
    Replay,
    /// Nobody knows whether the transaction took place.
    Unknown,
    /// A constraint refuses it. What exactly is in the way is to be read: engines word that differently.
    Refusal,
    /// The server is not the right one, or not for long. Another connection, perhaps to another host, may serve.
    Leave,
    /// The engine has no time, disk or memory for it, which may pass.
    Strained,
    /// A mistake of ours or of whoever set the engine up.
    Defect,
}

/// Why a connection is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server said so.
    Refused(ServerError),
    /// It is to be encrypted, and the server cannot.
    Unencrypted,
    /// The server asks for a password, and there is none.
    NoPassword,
    /// The server asks for the password itself, over a connection that others may read.
    Exposed,
    /// The server asks for something that is not spoken here.
    UnknownMethod(&'static str),
    /// The server knows no more of the password than that it asks for it.
    NotGenuine,
    /// The server takes no changes: it is a replica, or was told to take none.
    ReadOnly,
    /// The server acknowledges what it has not flushed, because this setting is off.
    Unflushed(&'static str),
    /// The server does not keep to the protocol, and how.
    Malformed(&'static str),
}

impl ServerError {
    /// A transaction that was undone without a word.
    pub(super) fn undone() -> Self {
        let message = "the transaction was undone".to_owned();
        Self { code: "40000".to_owned(), message, is_fatal: false }
    }

    /// What is in a message.
    pub(super) fn read(mut fields: ErrorFields<'_>) -> Result<Self, Failure> {
        let mut error = Self { code: String::new(), message: String::new(), is_fatal: false };
        let malformed = |_| Failure::Malformed("an error is cut off");
        while let Some(field) = fields.next().map_err(malformed)? {
            let text = || printable(&String::from_utf8_lossy(field.value_bytes()));
            match field.type_() {
                b'C' => error.code = text(),
                b'M' => error.message = text(),
                // The second one is not translated and comes later; a pooler says the first alone.
                b'S' | b'V' => error.is_fatal = matches!(field.value_bytes(), b"FATAL" | b"PANIC"),
                _ => {}
            }
        }
        Ok(error)
    }

    /// What follows from it. 40003 and what ends a connection in the middle of a commit leave the outcome open;
    /// PostgreSQL's documentation has the codes in its appendix A.
    pub fn class(&self) -> Class {
        match self.code.as_str() {
            // Serialization, deadlock, and a statement that is not prepared where the pooler has led it.
            "40001" | "40P01" | "40000" | "26000" | "42P05" => Class::Replay,
            // A lock or a statement that took longer than the engine lets it.
            "55P03" | "57014" => Class::Strained,
            "40003" => Class::Unknown,
            "23505" | "23514" => Class::Refusal,
            // Read only, too many connections, and a server that starts or stops.
            "25006" | "53300" | "57P01" | "57P02" | "57P03" => Class::Leave,
            code if code.starts_with("08") || self.is_fatal => Class::Leave,
            // No disk, no memory.
            code if code.starts_with("53") => Class::Strained,
            _ => Class::Defect,
        }
    }

    /// Whether the server takes no changes.
    fn is_read_only(&self) -> bool {
        self.code == "25006"
    }

    /// Whether a pooler has led a prepared statement to a server that does not know it, or knows another of its name.
    pub(super) fn is_of_pooler(&self) -> bool {
        matches!(self.code.as_str(), "26000" | "42P05")
    }
}

/// Whether a notice says that a commit no longer waits for its replica, though it is reported as done: the replica may have
/// nothing of it.
pub(super) fn tells_of_doubt(mut fields: ErrorFields<'_>) -> bool {
    while let Ok(Some(field)) = fields.next() {
        if field.type_() == b'R' && field.value_bytes() == WAIT_FOR_REPLICA.as_bytes() {
            return true;
        }
    }
    false
}

/// A text for a line of its own: what is no printable character is escaped. Servers quote names, so quotes stay.
fn printable(text: &str) -> String {
    let mut printable = String::new();
    for c in text.chars().take(MESSAGE_CHARS_MAX) {
        match c {
            '"' | '\'' | '\\' => printable.push(c),
            c => printable.extend(c.escape_debug()),
        }
    }
    printable
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It may be found out by asking, or by a change that it refuses.
            Self::Refused(error) if error.is_read_only() => Self::ReadOnly.fmt(f),
            Self::Refused(error) => write!(f, "the server refuses: {error}"),
            Self::Unencrypted => f.write_str("the server does not speak TLS, which sslmode asks for"),
            Self::NoPassword => f.write_str(
                "the server asks for a password: give it in MARKETPLACE_STORE_PASSWORD or MARKETPLACE_STORE_PASSWORD_FILE",
            ),
            Self::Exposed => f.write_str(
                "the server asks for the password in clear text, which is sent only over TLS or to this machine",
            ),
            Self::UnknownMethod(method) => write!(
                f,
                "the server asks for authentication by {method}: this program knows trust, scram-sha-256 and password"
            ),
            Self::NotGenuine => f.write_str("the server cannot prove that it knows the password"),
            Self::ReadOnly => f.write_str("the server is read-only"),
            Self::Unflushed(setting) => {
                write!(f, "the server has {setting}=off, so it would lose what it has acknowledged")
            }
            Self::Malformed(what) => write!(f, "the server does not keep to PostgreSQL's protocol: {what}"),
        }
    }
}
