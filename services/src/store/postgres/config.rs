//! [`Config`]: where an engine is and how it is to be spoken to, as a URL says it.
//!
//! It opens no file and reads no environment: the file of the authority is only named here, and the password, which is
//! never part of the URL, comes beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// The longest URL, in bytes: sixteen of the longest names of hosts, and as much again.
const URL_BYTES_MAX: usize = 8192;
/// The most hosts that stand in for one another.
const HOSTS_MAX: usize = 16;
/// The port of PostgreSQL.
const PORT_DEFAULT: u16 = 5432;
/// The longest name of a user or a database, in bytes: PostgreSQL cuts off what is longer.
const NAME_BYTES_MAX: usize = 63;
/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;
/// The most connections of a process; each is a process of the engine's, of which it has a hundred by default.
const CONNECTIONS_MAX: usize = 64;
/// Two cores' worth of transactions that wait for a flush.
const CONNECTIONS_DEFAULT: usize = 8;

const FORM: &str = "postgres://USER@HOST[:PORT][,HOST…]/DATABASE";

/// Where an engine is, and how to speak to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who may be the engine, in the order in which they are given; 1 to 16.
    pub hosts: Vec<Host>,
    /// As whom to log in.
    pub user: String,
    /// What proves it, where that is asked for.
    pub password: Option<Password>,
    /// The database of the engine.
    pub database: String,
    /// The file of the authority that hosts are verified by; there is one if any of them is to be.
    pub root_certificate: Option<String>,
    /// How many connections a process keeps; 1 to 64.
    pub connections: usize,
    /// Whether statements are prepared once a connection. If not, their text travels each time, because a pooler in
    /// between would not know them.
    pub is_named: bool,
    /// Whether what belongs together is sent at once. If not, each statement waits for the one before.
    pub is_pipelined: bool,
    /// Whether an engine is good enough that acknowledges what it has not flushed.
    pub may_be_unflushed: bool,
}

/// One that may be the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address.
    pub name: String,
    /// Where it listens.
    pub port: u16,
    /// How its connections are encrypted.
    pub encryption: Encryption,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    None,
    /// To whoever answers.
    Unverified,
    /// To who has a certificate for the name of the host.
    Verified,
}

/// A password. It is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a URL or a password is of no use, for people. Neither is quoted, since there may be a password in both.
#[derive(Debug, PartialEq, Eq)]
pub struct BadConfig(String);

impl Config {
    /// What a URL says, of the form
    /// `postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?NAME=VALUE[&…]]`.
    ///
    /// | name | values | if it is left out |
    /// | --- | --- | --- |
    /// | `sslmode` | `disable`, `require`, `verify-full` | `disable` for this machine, else `verify-full` |
    /// | `sslrootcert` | a file; needed for `verify-full` | |
    /// | `target_session_attrs` | `read-write` | `read-write` |
    /// | `connections` | 1 to 64 | 8 |
    /// | `statements` | `named`, `unnamed` | `named` |
    /// | `pipeline` | `on`, `off` | `on` |
    ///
    /// # Errors
    /// What is wrong with which part, and what would be right.
    pub fn parse(url: &str, password: Option<Password>) -> Result<Self, BadConfig> {
        if url.len() > URL_BYTES_MAX {
            return bad(format!("the URL has more than {URL_BYTES_MAX} bytes"));
        }
        let place = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let place = place.ok_or_else(|| wrong(format!("the URL must have the form {FORM}")))?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let Some((user, hosts)) = authority.rsplit_once('@') else {
            return bad(format!("the URL has no USER@ before its host: {FORM}"));
        };
        if user.contains(':') {
            return bad(NO_PASSWORD_HERE);
        }
        let mut given = parameters(query)?;
        let mode = taken(&mut given, "sslmode", &SSL_MODES)?;
        let root_certificate = given.remove("sslrootcert");
        let hosts: Vec<Host> =
            hosts.split(',').map(|host| self::host(host, mode)).collect::<Result<_, _>>()?;
        if hosts.len() > HOSTS_MAX {
            return bad(format!("the URL has more than {HOSTS_MAX} hosts"));
        }
        let is_verified = hosts.iter().any(|host| host.encryption == Encryption::Verified);
        check_root_certificate(is_verified, root_certificate.as_deref())?;
        // Nobody else is of use, so this is what is done anyway; it may be said, because others have to say it.
        taken(&mut given, "target_session_attrs", &[("read-write", ())])?;
        Ok(Self {
            hosts,
            user: name("user", user)?,
            password,
            database: name("database", database)?,
            root_certificate,
            connections: connections(given.remove("connections"))?,
            is_named: taken(&mut given, "statements", &[("named", true), ("unnamed", false)])?
                .unwrap_or(true),
            is_pipelined: taken(&mut given, "pipeline", &[("on", true), ("off", false)])?.unwrap_or(true),
            may_be_unflushed: false,
        })
    }
}

impl Host {
    /// It as `HOST:PORT`.
    pub fn address(&self) -> String {
        let Self { name, port, .. } = self;
        if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
    }

    /// Whether it is this machine, so that nobody stands in between.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.name)
    }
}

impl Password {
    /// A password of 1 to 1024 bytes.
    ///
    /// # Errors
    /// It is empty or too long, or has a character that no protocol can send.
    pub fn new(text: &str) -> Result<Self, BadConfig> {
        match text {
            "" => bad("the password is empty"),
            text if text.len() > PASSWORD_BYTES_MAX => {
                bad(format!("the password has more than {PASSWORD_BYTES_MAX} bytes"))
            }
            text if text.contains('\0') => bad("the password has a NUL character"),
            text => Ok(Self(text.to_owned())),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const NO_PASSWORD_HERE: &str = "a password does not belong in the URL, where others can read it: \
    give it in MARKETPLACE_STORE_PASSWORD or MARKETPLACE_STORE_PASSWORD_FILE";

const SSL_MODES: [(&str, Encryption); 3] = [
    ("disable", Encryption::None),
    ("require", Encryption::Unverified),
    ("verify-full", Encryption::Verified),
];

const PARAMETERS: [&str; 6] =
    ["sslmode", "sslrootcert", "target_session_attrs", "connections", "statements", "pipeline"];

/// What stands after the question mark.
fn parameters(query: &str) -> Result<BTreeMap<&str, String>, BadConfig> {
    let mut given = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == "password" {
            return bad(NO_PASSWORD_HERE);
        }
        if !PARAMETERS.contains(&name) {
            return bad(format!("the URL has an unknown parameter: it may have {}", PARAMETERS.join(", ")));
        }
        let value = decoded(name, value)?;
        if value.is_empty() {
            return bad(format!("{name} in the URL has no value"));
        }
        if given.insert(name, value).is_some() {
            return bad(format!("{name} stands twice in the URL"));
        }
    }
    Ok(given)
}

/// Takes the value of a parameter that has a few.
fn taken<T: Copy>(
    given: &mut BTreeMap<&str, String>,
    name: &str,
    values: &[(&str, T)],
) -> Result<Option<T>, BadConfig> {
    let Some(value) = given.remove(name) else { return Ok(None) };
    match values.iter().find(|(word, _)| *word == value) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
            bad(format!("{name} in the URL takes {}", words.join(", ")))
        }
    }
}

fn connections(value: Option<String>) -> Result<usize, BadConfig> {
    let Some(value) = value else { return Ok(CONNECTIONS_DEFAULT) };
    let count = value.parse().ok().filter(|count| (1..=CONNECTIONS_MAX).contains(count));
    count.ok_or_else(|| wrong(format!("connections in the URL takes a number from 1 to {CONNECTIONS_MAX}")))
}

fn check_root_certificate(is_verified: bool, file: Option<&str>) -> Result<(), BadConfig> {
    match (is_verified, file) {
        (true, None) => {
            bad("sslmode=verify-full, which is the default beyond this machine, needs sslrootcert=FILE: \
             the certificate of the authority that has signed the server's")
        }
        (false, Some(_)) => bad("sslrootcert in the URL is of no use without sslmode=verify-full"),
        _ => Ok(()),
    }
}

fn host(text: &str, mode: Option<Encryption>) -> Result<Host, BadConfig> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    let (name, port) = match bracketed {
        Some((name, rest)) => (name, rest.strip_prefix(':').or(rest.is_empty().then_some(""))),
        None => text.split_once(':').map_or((text, Some("")), |(name, port)| (name, Some(port))),
    };
    let port = match port {
        Some("") if !text.ends_with(':') => Some(PORT_DEFAULT),
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => None,
    };
    let port = port.ok_or_else(|| wrong("the port of a host in the URL is a number from 1 to 65535"))?;
    let name = decoded("a host", name)?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return bad(format!("a host in the URL is neither a name nor an address: {FORM}"));
    }
    let by_place = if is_loopback(&name) { Encryption::None } else { Encryption::Verified };
    Ok(Host { encryption: mode.unwrap_or(by_place), name, port })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The name of a user or a database.
fn name(what: &str, text: &str) -> Result<String, BadConfig> {
    let name = decoded(what, text)?;
    if (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(name);
    }
    bad(format!("the {what} in the URL has 1 to {NAME_BYTES_MAX} bytes: {FORM}"))
}

/// A part of a URL, in which `%` and two digits stand for a byte.
fn decoded(what: &str, text: &str) -> Result<String, BadConfig> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let escaped = piece.as_bytes().split_at_checked(2);
        let Some((byte, rest)) = escaped.and_then(|(digits, rest)| Some((hexadecimal(digits)?, rest))) else {
            return bad(format!("{what} in the URL has a % without two digits after it"));
        };
        bytes.push(byte);
        bytes.extend_from_slice(rest);
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => bad(format!("{what} in the URL has a NUL character or is no UTF-8")),
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u8::from_str_radix(text, 16).ok()
}

fn wrong(message: impl Into<String>) -> BadConfig {
    BadConfig(message.into())
}

fn bad<T>(message: impl Into<String>) -> Result<T, BadConfig> {
    Err(wrong(message))
}

#[cfg(test)]
mod tests;
