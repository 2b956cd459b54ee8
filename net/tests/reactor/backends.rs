//! Links: calls through a backend, and a backend that is down, comes up and goes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use net::reactor::Reactor;
use net::{Backend, Call, Conn, Event, Limits, Lost, Out, Service, Time};
use socket2::{Domain, Socket, Type};

use crate::harness::{Client, Echo, Handler, PATIENCE, Server};

/// Passes each line on to its backend and each reply back.
#[derive(Default)]
struct Relay {
    callers: Vec<Conn>,
}

impl Service for Relay {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => {
                let patience = match line {
                    b"impatient" => Duration::from_millis(1),
                    _ => PATIENCE,
                };
                let call = Call(self.callers.len());
                self.callers.push(conn);
                out.call(Backend(0), call, line, now + patience);
            }
            Event::Reply(Call(call), reply) => {
                let conn = self.callers[call];
                match reply {
                    Ok(line) => out.send(conn, line),
                    Err(lost) => out.send(conn, format!("{lost:?}").as_bytes()),
                }
            }
            _ => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

fn relay(backend: SocketAddr) -> Server {
    Server::start(|_| Relay::default(), Limits::default(), &[backend])
}

#[test]
fn pipelined_lines_go_through_a_backend_one_after_another() {
    let backend = Server::echo();
    let server = relay(backend.addr);
    let mut client = Client::connect(server.addr);
    let lines: String = (0..1000).map(|number| format!("{number:0>200}\n")).collect();
    client.send(&lines);
    client.finish();
    assert!(client.rest() == lines, "every line, in order, and the end");
}

#[test]
fn a_large_line_goes_through_a_backend_in_pieces() {
    let limits = Limits { line_bytes_max: 4_000_000, ..Limits::default() };
    let backend = Server::start(|_| Echo, limits.clone(), &[]);
    let server = Server::start(|_| Relay::default(), limits, &[backend.addr]);
    let line = "x".repeat(4_000_000);
    assert!(Client::connect(server.addr).ask(&line) == line);
}

#[test]
fn a_backend_may_come_up_late_and_go_and_come_again() {
    // The socket keeps the address from others. It does not listen, so connections are refused.
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    reserved.set_reuse_address(true).expect("it is set");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    reserved.bind(&any.into()).expect("a free port");
    let addr = reserved.local_addr().expect("it is bound");
    let addr = addr.as_socket().expect("it is an address of IP");
    let start = || {
        let reactor = Reactor::bind(&addr.to_string()).expect("the address is ours");
        Server::run(reactor, |_| Echo, Limits::default(), &[])
    };

    let server = relay(addr);
    let mut client = Client::connect(server.addr);
    assert_eq!(client.ask("impatient"), "Unsent");
    client.send("patient\n");
    let backend = start();
    assert_eq!(client.line(), "patient");

    drop(backend);
    let _backend = start();
    // The first call may meet the old connection before its end is noticed, and is not repeated.
    let reply = client.ask("again");
    assert!(["again", "Unanswered"].contains(&reply.as_str()), "{reply}");
    assert_eq!(client.ask("and again"), "and again");
}

#[test]
fn a_backend_that_ends_while_it_is_being_connected_to_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let (go, wait) = channel();
    let mut wait = Some(wait);
    // The service keeps the reactor from polling while the backend accepts, speaks and ends, so that the
    // reactor learns of all that at once.
    let service = move |_: Time, event: Event<'_>, _: &mut Out<'_>| {
        if let (Event::Wake, Some(wait)) = (event, wait.take()) {
            wait.recv_timeout(PATIENCE).expect("the test lets it go on");
        }
    };
    let _server = Server::start(|_| Handler(service), Limits::default(), &[addr]);
    let (mut first, _) = listener.accept().expect("the link connects");
    first.write_all(b"\n").expect("it is sent");
    drop(first);
    go.send(()).expect("the service waits");

    let (second_out, second) = channel();
    thread::spawn(move || second_out.send(listener.accept().map(drop)));
    let second = second.recv_timeout(PATIENCE).expect("the link connects again");
    second.expect("it is accepted");
}

#[test]
fn what_a_backend_said_before_its_end_counts_though_writing_to_it_fails_first() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let ((go, wait), (begun_out, begun), (lost_out, lost)) = (channel(), channel(), channel());
    // What the service waits for happens before it calls, and after the reactor has looked.
    let service = move |now: Time, event: Event<'_>, out: &mut Out<'_>| match event {
        Event::Line(conn, line) => {
            if line == b"second" {
                begun_out.send(()).expect("the test listens");
                wait.recv_timeout(PATIENCE).expect("the test lets it go on");
            }
            out.call(Backend(0), Call(0), line, now + PATIENCE);
            out.send(conn, b"called");
        }
        Event::Reply(_, reply) => lost_out.send(reply.map(<[u8]>::to_vec)).expect("the test listens"),
        _ => {}
    };
    let server = Server::start(|_| Ending(Handler(service)), Limits::default(), &[addr]);
    let (mut backend, _) = listener.accept().expect("the link connects");
    let mut client = Client::connect(server.addr);
    assert_eq!(client.ask("first"), "called");
    let mut unread = BufReader::with_capacity(1, backend.try_clone().expect("a descriptor"));
    assert!(unread.fill_buf().is_ok_and(|bytes| bytes == b"f"), "most of the line is not read");
    client.send("second\n");
    begun.recv_timeout(PATIENCE).expect("the reactor looks no more");
    backend.write_all(b"end\n").expect("it is sent");
    drop((backend, unread));
    go.send(()).expect("the service waits");
    for _ in 0..2 {
        assert_eq!(lost.recv_timeout(PATIENCE), Ok(Err(Lost::Returned)));
    }
}

/// A service that knows the last line of its backend.
struct Ending<S>(S);

impl<S: Service> Service for Ending<S> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        self.0.handle(now, event, out);
    }

    fn is_end(&self, _backend: Backend, line: &[u8]) -> bool {
        line == b"end"
    }

    fn is_drained(&self) -> bool {
        self.0.is_drained()
    }
}
