//! Streams: bytes to and from a peer that is no node, one that refuses, and several addresses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use net::reactor::Reactor;
use net::{
    Backend, ByteAddress, ClientTls, Encryption, Event, Identity, Limits, Out, ServerTls, StreamEvent,
    Target, Time,
};
use socket2::{Domain, Socket, Type};

use crate::harness::{Echo, Handler, PATIENCE, Server};

const BACKEND: Backend = Backend(0);

/// What happened to a stream.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Up(usize),
    Received(Vec<u8>),
    Encrypted,
    Down(String),
}

macro_rules! certificate {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/support/certificates/", $name))
    };
}

fn server_tls() -> ServerTls {
    let identity = Identity { certificates: certificate!("server.pem"), key: certificate!("server.key") };
    ServerTls::new(identity, None).expect("it is of use")
}

fn client_tls() -> ClientTls {
    ClientTls::new(certificate!("authority.pem"), None).expect("it is of use")
}

/// A reactor whose only backend, at these addresses, is sent these bytes when it is up, and what happens to it.
fn server(addresses: &[SocketAddr], greeting: Vec<u8>) -> (Server, Receiver<Seen>) {
    let address = |address: &SocketAddr| ByteAddress { address: address.to_string(), tls: None };
    serve(addresses.iter().map(address).collect(), greeting)
}

/// The same, which encrypts if it was said how, and greets then.
fn serve(addresses: Vec<ByteAddress>, greeting: Vec<u8>) -> (Server, Receiver<Seen>) {
    let (seen_out, seen) = channel();
    let is_encrypted = addresses.iter().any(|address| address.tls.is_some());
    let service = move |_: Time, event: Event<'_>, out: &mut Out<'_>| {
        let Event::Stream(backend, event) = event else { return };
        assert_eq!(backend, BACKEND);
        let seen = match event {
            StreamEvent::Up { address } => {
                if is_encrypted {
                    out.encrypt(backend);
                }
                out.write(backend, &greeting);
                Seen::Up(address)
            }
            StreamEvent::Encrypted => Seen::Encrypted,
            StreamEvent::Received(b"lie") => return out.reset(backend, "it lies"),
            StreamEvent::Received(bytes) => Seen::Received(bytes.to_vec()),
            StreamEvent::Down(reason) => Seen::Down(reason.to_owned()),
        };
        // The test may have seen enough.
        let _ = seen_out.send(seen);
    };
    let reactor = Reactor::bind("127.0.0.1:0").expect("a free port");
    let backends = vec![Target::Bytes(addresses)];
    (Server::with_targets(reactor, |_| Handler(service), Limits::default(), backends), seen)
}

fn next(seen: &Receiver<Seen>) -> Seen {
    seen.recv_timeout(PATIENCE).expect("something happens")
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    (listener, addr)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (peer, _) = listener.accept().expect("the stream connects");
    peer.set_read_timeout(Some(PATIENCE)).expect("it is set");
    peer
}

/// An address that refuses connections, as long as the socket that keeps it from others is there.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("a free port");
    let addr = socket.local_addr().expect("it is bound").as_socket().expect("it is an address of IP");
    (socket, addr)
}

#[test]
fn bytes_pass_both_ways_and_the_end_is_noticed() {
    let (listener, addr) = listen();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
    let (_server, seen) = server(&[addr], sent.clone());
    let mut peer = accept(&listener);
    assert_eq!(next(&seen), Seen::Up(0));
    let mut arrived = vec![0; sent.len()];
    peer.read_exact(&mut arrived).expect("all of it comes");
    assert!(arrived == sent, "as it was written");

    let sent_back = sent.clone();
    let writer = thread::spawn(move || peer.write_all(&sent_back).map(drop));
    let mut came_back = Vec::new();
    let end = loop {
        match next(&seen) {
            Seen::Received(bytes) => came_back.extend(bytes),
            end => break end,
        }
    };
    assert!(came_back == sent);
    assert_eq!(end, Seen::Down("it closed the connection".into()));
    writer.join().expect("it does not panic").expect("all is sent");
    drop(accept(&listener));
    assert_eq!(next(&seen), Seen::Up(0), "it connects again");
}

#[test]
fn the_next_address_is_tried_where_one_refuses() {
    let (_kept, refusing) = refusing();
    let (listener, addr) = listen();
    let (_server, seen) = server(&[refusing, addr], b"hello".to_vec());
    let Seen::Down(reason) = next(&seen) else { panic!("nobody listens there") };
    assert!(reason.contains("refused"), "{reason}");
    let mut peer = accept(&listener);
    assert_eq!(next(&seen), Seen::Up(1));
    let mut hello = [0; 5];
    peer.read_exact(&mut hello).expect("it comes");
    assert_eq!(hello, *b"hello");
}

#[test]
fn a_connection_that_the_service_ends_is_closed_and_the_next_address_tried() {
    let (first, first_addr) = listen();
    let (second, second_addr) = listen();
    let (_server, seen) = server(&[first_addr, second_addr], Vec::new());
    let mut peer = accept(&first);
    assert_eq!(next(&seen), Seen::Up(0));
    peer.write_all(b"lie").expect("it is sent");
    assert_eq!(next(&seen), Seen::Down("it lies".into()));
    assert_eq!(peer.read(&mut [0]).expect("it ends"), 0);
    let mut peer = accept(&second);
    assert_eq!(next(&seen), Seen::Up(1));
    peer.write_all(b"truth").expect("it is sent");
    assert_eq!(next(&seen), Seen::Received(b"truth".to_vec()));
}

#[test]
fn a_stream_is_encrypted_to_a_host_that_is_looked_up() {
    let mut reactor = Reactor::bind("127.0.0.1:0").expect("a free port");
    reactor.encrypt(Encryption { server: Some(server_tls()), ..Encryption::default() });
    let far = Server::run(reactor, |_| Echo, Limits::default(), &[]);
    let address = ByteAddress { address: format!("localhost:{}", far.addr.port()), tls: Some(client_tls()) };
    let (_server, seen) = serve(vec![address], b"one\n".to_vec());
    let up = loop {
        match next(&seen) {
            // The name may stand for an address at which nobody listens, too.
            Seen::Down(reason) => assert!(reason.contains("refused"), "{reason}"),
            up => break up,
        }
    };
    assert_eq!(up, Seen::Up(0));
    assert_eq!(next(&seen), Seen::Encrypted);
    assert_eq!(next(&seen), Seen::Received(b"one\n".to_vec()));
}
