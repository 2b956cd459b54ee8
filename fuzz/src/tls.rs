//! The target [`tls`]: an encrypted connection, at the other end of which somebody keeps the keys and breaks the rules.
//!
//! Keys and nonces are drawn anew each time, as in production, so the bytes of records differ from run to run. Nothing that
//! is checked depends on them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use net::{Backend, Call, ClientTls, Encryption, Event, Identity, Limits, Out, ServerTls, Service, Time};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};

use crate::framing::{Echo, LINE_BYTES_MAX, expected};
use crate::linked::Linked;
use crate::peer::{Attached, NOW};
use crate::script::{Step, steps};

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/support/certificates/", $name))
    };
}

const AUTHORITY: &[u8] = file!("authority.pem");
const SERVER: Identity<'_> = Identity { certificates: file!("server.pem"), key: file!("server.key") };
const UNKNOWN: Identity<'_> = Identity { certificates: file!("unknown.pem"), key: file!("unknown.key") };

/// What the first byte of an input chooses, bit by bit.
const BACKEND: u8 = 1;
const CUT_OFF: u8 = 2;
const OLD_VERSION: u8 = 4;
const WRONG_CERTIFICATE: u8 = 8;

/// What a node asks its backend.
const CALLS: [&str; 3] = ["a secret", "another secret", "a third one"];
/// What a plain line is answered with where TLS is spoken.
const NOT_TLS: &[u8] = b"another protocol\n";

/// Somebody speaks TLS to a node, as its client or as its backend: says things, and has the records cut, repeated, damaged
/// or lost, or sends bytes that are none. As long as nothing of that has happened, all that is said arrives; and whatever
/// happens, nothing else does, and nothing leaves that everybody can read.
///
/// # Panics
/// It is not so.
pub fn tls(input: &[u8]) {
    let Some((&choice, script)) = input.split_first() else { return };
    if choice & BACKEND == 0 { of_client(choice, script) } else { of_backend(choice, script) }
}

fn of_client(choice: u8, script: &[u8]) {
    let limits = Limits { line_bytes_max: LINE_BYTES_MAX, ..Limits::default() };
    let server = ServerTls::new(SERVER, None).expect("it is of use");
    let mut node = Attached::encrypted(Echo, limits, server);
    let mut rogue = Rogue::new(client(choice));
    let mut wire = Vec::new();
    rogue.speak(choice, script, |pieces| {
        let _ = pieces.iter().all(|piece| node.send(piece));
        let answer = node.take_received();
        wire.extend_from_slice(&answer);
        answer
    });
    node.finish();
    assert!(!node.is_connected(), "who has ended is let go");
    let last = node.take_received();
    rogue.hear(&last);
    wire.extend(last);
    assert!(wire == NOT_TLS || are_records(&wire), "nothing else leaves than records");

    let heard: Vec<&[u8]> = lines(&rogue.heard).collect();
    if heard == [b"another protocol"] {
        return;
    }
    // A stream that is cut off has no last line, but one that is too long is that without its end.
    let (all, whole) = (expected(&rogue.said), expected(whole_lines(&rogue.said)).len());
    let is_too_long = all.last().is_some_and(|last| last == b"too long");
    let most = if choice & CUT_OFF == 0 || is_too_long { all.len() } else { whole };
    assert!(heard.len() <= most && heard.iter().zip(&all).all(|(heard, line)| heard == line));
    let least = if choice & CUT_OFF == 0 { most } else { whole };
    assert!(!rogue.is_honest || heard.len() >= least, "all that is said is answered");
}

fn of_backend(choice: u8, script: &[u8]) {
    let trust = ClientTls::new(AUTHORITY, None).expect("it is of use");
    let encryption = Encryption { client: Some(trust), ..Encryption::default() };
    let mut node = Linked::new(Caller::default(), encryption, vec!["localhost:1".into()]);
    let mut rogue = Rogue::new(server(choice));
    let mut wire = node.take_sent(0);
    rogue.hear(&wire);
    rogue.speak(choice, script, |pieces| {
        pieces.iter().for_each(|piece| node.answer(0, piece));
        let answer = node.take_sent(0);
        wire.extend_from_slice(&answer);
        answer
    });
    node.refuse();
    node.end(0);
    node.pass(Caller::PATIENCE);
    assert!(are_records(&wire), "nothing else leaves than records");

    let is_trusted = choice & WRONG_CERTIFICATE == 0;
    assert!(is_trusted || rogue.heard.is_empty(), "nothing is said to whom nobody knows");
    let asked = CALLS.map(|call| format!("{call}\n")).concat();
    assert!(asked.as_bytes().starts_with(&rogue.heard));
    let replies = node.into_service().replies;
    assert_eq!(replies.len(), CALLS.len(), "each call has one end");
    // What has come when the stream ends without a word counts as well, if it is a whole line.
    let answers = lines(whole_lines(&rogue.said)).map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut answers = answers.filter(|line| !line.is_empty());
    let mut answered = 0;
    for reply in replies.iter().flatten() {
        assert_eq!(Some(reply.as_slice()), answers.next(), "only what was said is heard");
        answered += 1;
    }
    let is_all = answered == CALLS.len() || answers.next().is_none();
    assert!(!rogue.is_honest || !is_trusted || is_all, "all that is said is heard");
    assert!(is_trusted || answered == 0);
}

/// The far end of the connection.
struct Rogue {
    connection: Connection,
    /// What it has said, of which nobody knows whether it has arrived.
    said: Vec<u8>,
    /// What it was told.
    heard: Vec<u8>,
    /// It has kept to the rules.
    is_honest: bool,
    /// It cannot read what it is sent.
    is_deaf: bool,
}

impl Rogue {
    fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(None);
        Self { connection, said: Vec::new(), heard: Vec::new(), is_honest: true, is_deaf: false }
    }

    /// Does what a script says, tells the node the rest of what there is to tell, and ends. `deliver` hands the node what
    /// arrives, piece by piece, and returns what it has sent then.
    fn speak(&mut self, choice: u8, script: &[u8], mut deliver: impl FnMut(&[&[u8]]) -> Vec<u8>) {
        for step in steps(script) {
            let bytes = self.bytes_of(step);
            let length = if step.what % 6 == 1 { usize::from(step.how) + 1 } else { bytes.len() };
            let pieces: Vec<&[u8]> = bytes.chunks(length.max(1)).collect();
            self.hear(&deliver(&pieces));
        }
        let mut has_ended = choice & CUT_OFF != 0;
        loop {
            let bytes = self.records();
            if bytes.is_empty() {
                if has_ended {
                    return;
                }
                has_ended = true;
                self.connection.send_close_notify();
                continue;
            }
            self.hear(&deliver(&[&bytes]));
        }
    }

    /// What arrives of a step.
    fn bytes_of(&mut self, Step { what, how, text }: Step<'_>) -> Vec<u8> {
        if what % 6 == 5 {
            self.is_honest &= text.is_empty();
            return text.to_vec();
        }
        // Who was told that the stream is of no use says nothing more.
        if self.connection.writer().write_all(text).is_ok() {
            self.said.extend_from_slice(text);
        }
        let mut records = self.records();
        self.is_honest &= what % 6 <= 1 || records.is_empty();
        match what % 6 {
            2 => records.extend_from_within(..),
            3 => {
                let place = usize::from(how) * records.len() / 256;
                records.get_mut(place).into_iter().for_each(|byte| *byte ^= 1 << (how % 8));
            }
            4 => records.clear(),
            _ => {}
        }
        records
    }

    fn records(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut records).expect("memory takes what it is given");
        }
        records
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        while !self.is_deaf && !bytes.is_empty() {
            let taken = self.connection.read_tls(&mut bytes).unwrap_or(0);
            let state = self.connection.process_new_packets();
            self.is_deaf = taken == 0 || state.is_err();
            // Its end says that there is nothing more at present.
            let _ = self.connection.reader().read_to_end(&mut self.heard);
        }
    }
}

/// Calls its backend at once, and notes what comes of it.
#[derive(Default)]
struct Caller {
    has_called: bool,
    replies: Vec<Option<Vec<u8>>>,
}

impl Caller {
    const PATIENCE: Duration = Duration::from_secs(1);
}

impl Service for Caller {
    fn handle(&mut self, _now: Time, event: Event<'_>, _out: &mut Out<'_>) {
        if let Event::Reply(Call(_), reply) = event {
            self.replies.push(reply.ok().map(<[u8]>::to_vec));
        }
    }

    fn end_turn(&mut self, _now: Time, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.has_called, true) {
            for (number, line) in CALLS.iter().enumerate() {
                out.call(Backend(0), Call(number), line.as_bytes(), NOW + Self::PATIENCE);
            }
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    &bytes[..end]
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Whether these are whole records of TLS, and nothing else (RFC 8446, section 5.1).
fn are_records(mut bytes: &[u8]) -> bool {
    while let [kind, major, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if !(20..=23).contains(kind) || *major != 3 || length > rest.len() {
            return false;
        }
        bytes = &rest[length..];
    }
    bytes.is_empty()
}

fn client(choice: u8) -> Connection {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let versions = if choice & OLD_VERSION == 0 { [&TLS13] } else { [&TLS12] };
    let builder = builder.with_protocol_versions(&versions).expect("it is known");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).expect("a certificate")).expect("it is of use");
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("it is of use").into()
}

fn server(choice: u8) -> Connection {
    let Identity { certificates, key } = if choice & WRONG_CERTIFICATE == 0 { SERVER } else { UNKNOWN };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let versions = if choice & OLD_VERSION == 0 { [&TLS13] } else { [&TLS12] };
    let builder = builder.with_protocol_versions(&versions).expect("it is known").with_no_client_auth();
    let certificate = CertificateDer::from_pem_slice(certificates).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let config = builder.with_single_cert(vec![certificate], key).expect("they belong together");
    ServerConnection::new(Arc::new(config)).expect("it is of use").into()
}
