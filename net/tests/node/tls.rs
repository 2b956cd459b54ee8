//! Encrypted connections: two nodes that talk over TLS, piece by piece, and what is said to those who do not.

use std::time::Duration;

use net::{Backend, ClientTls, Encryption, Identity, Input, Limits, Output, Peer, Reject, ServerTls};

use crate::harness::{LINK, PATIENCE, SECOND, Seen, World, line, reply};

macro_rules! certificate {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/support/certificates/", $name))
    };
}

pub(crate) const AUTHORITY: &[u8] = certificate!("authority.pem");
const STRANGER: &[u8] = certificate!("stranger.pem");
pub(crate) const SERVER: Identity<'_> =
    Identity { certificates: certificate!("server.pem"), key: certificate!("server.key") };
const CLIENT: Identity<'_> =
    Identity { certificates: certificate!("client.pem"), key: certificate!("client.key") };
pub(crate) const EXPIRED: Identity<'_> =
    Identity { certificates: certificate!("expired.pem"), key: certificate!("expired.key") };
pub(crate) const ELSEWHERE: Identity<'_> =
    Identity { certificates: certificate!("elsewhere.pem"), key: certificate!("elsewhere.key") };
pub(crate) const UNKNOWN: Identity<'_> =
    Identity { certificates: certificate!("unknown.pem"), key: certificate!("unknown.key") };

pub(crate) fn server(identity: Identity<'_>, client_authority: Option<&[u8]>) -> ServerTls {
    ServerTls::new(identity, client_authority).expect("it is of use")
}

pub(crate) fn client(authority: &[u8], identity: Option<Identity<'_>>) -> ClientTls {
    ClientTls::new(authority, identity).expect("it is of use")
}

/// Two nodes: the link of the first leads to the second, which answers each line with itself.
pub(crate) struct Pair {
    pub(crate) near: World,
    pub(crate) far: World,
    /// The link, as the second node knows it.
    pub(crate) conn: net::Conn,
    /// So many bytes arrive at once.
    pub(crate) piece: usize,
}

impl Pair {
    fn new(client: ClientTls, server: ServerTls) -> Self {
        Self::within(Limits::default(), client, server)
    }

    fn within(limits: Limits, client: ClientTls, server: ServerTls) -> Self {
        let mut near = World::new(limits.clone(), 1);
        near.encrypt(Encryption { client: Some(client), ..Encryption::default() }, "localhost:1");
        near.turn();
        near.input(Input::Connected(Backend(0)));
        near.turn();
        Self::of(near, limits, server)
    }

    /// Leads the link of the first node, which is connected, to the second one.
    pub(crate) fn of(near: World, limits: Limits, server: ServerTls) -> Self {
        let mut far = World::echo(limits);
        far.encrypt(Encryption { server: Some(server), ..Encryption::default() }, "");
        let conn = far.accept();
        Self { near, far, conn, piece: usize::MAX }
    }

    /// Carries bytes to and fro until nobody has any.
    pub(crate) fn talk(&mut self) {
        let far_end = Peer::Client(self.conn);
        loop {
            let (to_far, to_near) = (self.near.taken_bytes(LINK), self.far.taken_bytes(far_end));
            if to_far.is_empty() && to_near.is_empty() {
                return;
            }
            for piece in to_far.chunks(self.piece) {
                self.far.input(Input::Received(far_end, piece));
                self.far.turns();
            }
            for piece in to_near.chunks(self.piece) {
                self.near.input(Input::Received(LINK, piece));
                self.near.turns();
            }
        }
    }
}

#[test]
fn lines_pass_as_if_nothing_were_between() {
    for piece in [1, 2, 7, 1000, usize::MAX] {
        let mut pair = Pair::new(client(AUTHORITY, None), server(SERVER, None));
        pair.piece = piece;
        pair.talk();
        let long = "x".repeat(if piece < 1000 { 1000 } else { 60_000 });
        for (call, text) in [(1, "one"), (2, &*long), (3, "three")] {
            pair.near.call(call, text, PATIENCE);
        }
        let clear = pair.near.peek(LINK);
        assert!(!clear.windows(8).any(|bytes| bytes == b"xxxxxxxx"), "it can be read");
        pair.talk();
        assert_eq!(
            pair.near.seen(),
            [reply(1, "one"), reply(2, &long), reply(3, "three")],
            "pieces of {piece}"
        );
        assert_eq!(pair.far.seen().len(), 3);
    }
}

#[test]
fn what_gathers_in_a_turn_is_encrypted_at_once() {
    let mut pair = Pair::new(client(AUTHORITY, None), server(SERVER, None));
    pair.talk();
    let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    pair.near.call_all(&lines);
    let sent = pair.near.peek(LINK).len();
    assert!(sent < 400, "{sent} bytes for 290 are more than a record");
    pair.talk();
    assert_eq!(pair.near.seen().len(), 100);
}

#[test]
fn both_ends_say_why_they_do_not_talk() {
    let cases = [
        (client(STRANGER, None), server(SERVER, None), "UnknownIssuer", "UnknownCA"),
        (client(AUTHORITY, None), server(UNKNOWN, None), "UnknownIssuer", "UnknownCA"),
        (client(AUTHORITY, None), server(EXPIRED, None), "certificate expired", "CertificateExpired"),
        (
            client(AUTHORITY, None),
            server(ELSEWHERE, None),
            "not valid for name \"localhost\"",
            "BadCertificate",
        ),
        (client(AUTHORITY, None), server(SERVER, Some(AUTHORITY)), "CertificateRequired", "no certificates"),
        (client(AUTHORITY, Some(UNKNOWN)), server(SERVER, Some(AUTHORITY)), "UnknownCA", "UnknownIssuer"),
        (client(AUTHORITY, Some(EXPIRED)), server(SERVER, Some(AUTHORITY)), "CertificateExpired", "expired"),
    ];
    for (client, server, near_cause, far_cause) in cases {
        let mut pair = Pair::new(client, server);
        pair.talk();
        let near = pair.near.changes().join("\n");
        assert!(near.contains("TLS: ") && near.contains(near_cause), "{near_cause}: {near}");
        let failures = pair.far.metric("net_tls_failures_total");
        assert_eq!(failures, 1, "{far_cause}");
        assert_eq!(pair.far.seen(), [], "nothing was asked");
    }
}

#[test]
fn a_client_with_a_certificate_is_served() {
    let mut pair = Pair::new(client(AUTHORITY, Some(CLIENT)), server(SERVER, Some(AUTHORITY)));
    pair.near.call(1, "one", PATIENCE);
    pair.talk();
    assert_eq!(pair.near.seen(), [reply(1, "one")]);
}

#[test]
fn who_speaks_no_tls_is_told_in_plain_text() {
    let mut world = World::echo(Limits::default());
    world.encrypt(Encryption { server: Some(server(SERVER, None)), ..Encryption::default() }, "");
    let conn = world.accept();
    world.receive(conn, "{\"api\":\"Ping\"}\n");
    world.turns();
    assert_eq!(world.seen(), [Seen::Reject(conn, Reject::NotTls)]);
    assert_eq!(world.taken(Peer::Client(conn)), "rejected\n");

    let mut world = World::new(Limits::default(), 1);
    world.encrypt(
        Encryption { client: Some(client(AUTHORITY, None)), ..Encryption::default() },
        "localhost:1",
    );
    world.turn();
    world.input(Input::Connected(Backend(0)));
    world.turn();
    world.answer("{\"type\":\"Response\"}\n");
    assert_eq!(world.changes(), ["up", "it does not speak TLS"]);
}

#[test]
fn a_backend_that_speaks_no_tls_may_say_so_before_it_is_spoken_to() {
    let mut world = World::new(Limits::default(), 1);
    let encryption = Encryption { client: Some(client(AUTHORITY, None)), ..Encryption::default() };
    world.encrypt(encryption, "localhost:1");
    world.turn();
    world.input(Input::Connected(Backend(0)));
    assert_eq!(world.answer("220 hello\n").last(), Some(&Output::Close(LINK)));
    assert_eq!(world.changes(), ["up", "it does not speak TLS"]);
    assert_eq!(world.taken(LINK), "");
}

#[test]
fn a_stream_that_is_cut_off_has_no_last_line() {
    let mut pair = Pair::new(client(AUTHORITY, None), server(SERVER, None));
    pair.talk();
    let far_end = Peer::Client(pair.conn);
    pair.near.call(1, "whole", PATIENCE);
    let records = pair.near.taken_bytes(LINK);
    pair.far.input(Input::Received(far_end, &records));
    pair.far.input(Input::Finished(far_end));
    pair.far.turns();
    assert_eq!(pair.far.seen(), [line(pair.conn, "whole"), Seen::Closed(pair.conn)]);

    let mut pair = Pair::new(client(AUTHORITY, None), server(SERVER, None));
    pair.talk();
    let far_end = Peer::Client(pair.conn);
    pair.near.call(1, &"x".repeat(40_000), PATIENCE);
    let records = pair.near.taken_bytes(LINK);
    // The first record is whole, and a part of the line.
    pair.far.input(Input::Received(far_end, &records[..20_000]));
    pair.far.input(Input::Finished(far_end));
    pair.far.turns();
    assert_eq!(pair.far.seen(), [Seen::Closed(pair.conn)], "half a line is none");
}

#[test]
fn the_end_of_a_stream_is_said_at_both_ends() {
    let mut pair = Pair::new(client(AUTHORITY, None), server(SERVER, None));
    pair.talk();
    pair.far.close(pair.conn);
    assert!(!pair.far.peek(Peer::Client(pair.conn)).is_empty(), "it says goodbye before the socket is shut");
    pair.talk();
    assert_eq!(pair.near.changes(), ["up", "it closed the connection"]);
}

#[test]
fn handshakes_have_their_time_and_only_some_their_turn() {
    let limits = Limits { handshake_timeout: 10 * SECOND, handshakes_per_turn_max: 2, ..Limits::default() };
    let mut pair = Pair::within(limits.clone(), client(AUTHORITY, None), server(SERVER, None));
    let hello = pair.near.taken_bytes(LINK);
    let others: Vec<_> = (0..4).map(|_| pair.far.accept()).collect();
    for conn in &others {
        pair.far.input(Input::Received(Peer::Client(*conn), &hello));
        assert!(!pair.far.node.wants_read(Peer::Client(*conn)), "it has to wait");
    }
    let answered = |outputs: Vec<Output>| {
        outputs.iter().filter(|output| matches!(output, Output::Transmit(Peer::Client(_)))).count()
    };
    assert_eq!([answered(pair.far.turn()), answered(pair.far.turn())], [2, 2]);
    assert!(!pair.far.wants_turn());

    // None of them goes on. The one that has said nothing has its time as well.
    pair.far.pass(10 * SECOND - Duration::from_millis(1));
    assert_eq!(pair.far.seen(), []);
    pair.far.pass(Duration::from_millis(1));
    assert_eq!(pair.far.seen().len(), 5, "all are closed");
}

#[test]
fn a_record_that_is_begun_has_to_be_ended_in_time() {
    let limits = Limits { line_timeout: 10 * SECOND, ..Limits::default() };
    let mut pair = Pair::within(limits, client(AUTHORITY, None), server(SERVER, None));
    pair.talk();
    pair.far.pass(3600 * SECOND);
    pair.near.call(1, "one", PATIENCE);
    let record = pair.near.taken_bytes(LINK);
    let far_end = Peer::Client(pair.conn);
    pair.far.input(Input::Received(far_end, &record[..record.len() - 1]));
    pair.far.turns();
    pair.far.pass(10 * SECOND - Duration::from_millis(1));
    assert_eq!(pair.far.seen(), []);
    pair.far.pass(Duration::from_millis(1));
    assert_eq!(pair.far.seen(), [Seen::Reject(pair.conn, Reject::LineTimeout(10_000))]);
}

#[test]
fn what_is_replaced_holds_for_the_next_connection_and_for_no_other() {
    let tls = server(SERVER, None);
    let mut pair = Pair::new(client(AUTHORITY, None), tls.clone());
    pair.talk();
    tls.replace(&server(UNKNOWN, None));
    pair.near.call(1, "one", PATIENCE);
    pair.talk();
    assert_eq!(pair.near.seen(), [reply(1, "one")]);
    let mut next = Pair::new(client(AUTHORITY, None), tls);
    next.talk();
    assert!(next.near.changes().join("\n").contains("UnknownIssuer"));
}

#[test]
fn a_client_that_comes_again_need_not_be_proven_again() {
    let (client, server) = (client(AUTHORITY, None), server(SERVER, None));
    let mut sizes = [0, 0];
    for size in &mut sizes {
        let mut pair = Pair::new(client.clone(), server.clone());
        let far_end = Peer::Client(pair.conn);
        let hello = pair.near.taken_bytes(LINK);
        pair.far.input(Input::Received(far_end, &hello));
        pair.far.turns();
        *size = pair.far.peek(far_end).len();
        pair.talk();
        pair.near.call(1, "one", PATIENCE);
        pair.talk();
        assert_eq!(pair.near.seen(), [reply(1, "one")]);
    }
    assert!(sizes[1] < sizes[0], "a certificate was shown again: {sizes:?}");
}

#[test]
fn what_cannot_be_used_is_said() {
    let error =
        |identity, authority| ServerTls::new(identity, authority).err().map(|error| error.to_string());
    let no_key = Identity { key: SERVER.certificates, ..SERVER };
    assert_eq!(error(no_key, None).as_deref(), Some("there is no private key in it"));
    let no_certificate = Identity { certificates: SERVER.key, ..SERVER };
    assert_eq!(error(no_certificate, None).as_deref(), Some("there is no certificate in it"));
    let mixed = Identity { key: CLIENT.key, ..SERVER };
    assert!(error(mixed, None).is_some());
    assert_eq!(error(SERVER, Some(b"")).as_deref(), Some("there is no certificate of an authority in it"));
    assert!(ClientTls::new(b"", None).is_err());
}
