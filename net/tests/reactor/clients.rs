//! Clients: pipelining, slow readers, half-close, oversized lines, draining, several reactors.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use net::reactor::{Reactor, RunError};
use net::{Event, Limits, Out, ThreadWorker, Time, Work, Worker};
use socket2::SockRef;

use crate::harness::{Client, Echo, Handler, Job, PATIENCE, Server};

#[test]
fn a_port_of_zero_is_a_free_one_and_lines_are_answered_there() {
    let server = Server::echo();
    assert_ne!(server.addr.port(), 0);
    let mut client = Client::connect(server.addr);
    assert_eq!(client.ask("hello"), "hello");
    assert_eq!(client.ask("again"), "again");
}

#[test]
fn a_thousand_pipelined_lines_are_answered_in_order() {
    let server = Server::echo();
    let mut client = Client::connect(server.addr);
    let lines: String = (0..1000).map(|number| format!("{number:0>200}\n")).collect();
    client.send(&lines);
    client.finish();
    assert!(client.rest() == lines, "every line, in order, and the end");
}

#[test]
fn a_client_that_does_not_read_holds_up_only_itself_and_loses_nothing() {
    const LINES: usize = 300;
    const REPLY_BYTES: usize = 100_000;
    let delivered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&delivered);
    let long_reply = move |_: Time, event: Event<'_>, out: &mut Out<'_>| {
        if let Event::Line(conn, line) = event {
            if line == b"ping" {
                return out.send(conn, b"pong");
            }
            count.fetch_add(1, Ordering::Relaxed);
            out.send(conn, &line.repeat(REPLY_BYTES / line.len()));
        }
    };
    let server = Server::start(|_| Handler(long_reply), Limits::default(), &[]);
    let mut slow = Client::connect(server.addr);
    for number in 0..LINES {
        slow.send(&format!("{number:0>4}\n"));
    }
    let mut other = Client::connect(server.addr);
    for _ in 0..LINES {
        assert_eq!(other.ask("ping"), "pong");
    }
    assert!(delivered.load(Ordering::Relaxed) < LINES, "30 MB fit into no socket, so lines must wait");
    for number in 0..LINES {
        let line = format!("{number:0>4}").repeat(REPLY_BYTES / 4);
        assert!(slow.line() == line, "reply {number}");
    }
}

#[test]
fn a_client_that_shuts_its_side_is_answered_and_then_closed() {
    let server = Server::echo();
    let mut client = Client::connect(server.addr);
    client.send("one\ntwo\nthree\n");
    client.finish();
    assert_eq!(client.rest(), "one\ntwo\nthree\n");
}

#[test]
fn the_answer_to_an_oversized_line_arrives_although_the_client_goes_on_sending() {
    // Only the server's own end of the connection, and no timeout, lets the client read to the end.
    let limits = Limits { linger_timeout: 10 * PATIENCE, ..Limits::default() };
    let server = Server::start(|_| Echo, limits, &[]);
    let mut client = Client::connect(server.addr);
    client.send("ok\n");
    client.send(&"x".repeat(2_000_000));
    client.send("\nnever\n");
    assert_eq!(client.rest(), "ok\nLineTooLong(65536)\n");
}

#[test]
fn a_connection_too_many_is_told_so() {
    let limits = Limits { connections_max: 1, make_room_after: PATIENCE, ..Limits::default() };
    let server = Server::start(|_| Echo, limits, &[]);
    let mut first = Client::connect(server.addr);
    assert_eq!(first.ask("a"), "a");
    assert_eq!(Client::connect(server.addr).rest(), "ConnectionsMax(1)\n");
    assert_eq!(first.ask("b"), "b");
}

#[test]
fn connections_that_are_dropped_or_reset_are_forgotten() {
    let (closed_out, closed) = channel();
    let service = move |_: Time, event: Event<'_>, out: &mut Out<'_>| match event {
        Event::Line(conn, line) => out.send(conn, line),
        Event::Closed(_) => closed_out.send(()).expect("the test listens"),
        _ => {}
    };
    let server = Server::start(|_| Handler(service), Limits::default(), &[]);
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(server.addr)).collect();
    for client in &mut clients {
        client.send("hello\nhalf a li");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.line(), "hello");
        if number % 2 == 0 {
            // Closing will reset the connection.
            let reset = SockRef::from(client.stream()).set_linger(Some(Duration::ZERO));
            reset.expect("it is set");
        }
    }
    drop(clients);
    for _ in 0..200 {
        closed.recv_timeout(PATIENCE).expect("each one is reported");
    }
    assert_eq!(Client::connect(server.addr).ask("next"), "next");
}

/// Work that waits for the test's permission.
struct Gate(Receiver<()>);

impl Work for Gate {
    type Job = Job;
    type Done = Job;

    fn run(&mut self, job: Job) -> Job {
        self.0.recv().expect("the test opens the gate");
        job
    }
}

/// A server that answers `slow` lines when the gate was opened, and others at once.
fn gated(gate: Receiver<()>) -> Server {
    let make = move |handle: &net::reactor::Handle| {
        let (mut worker, _) = ThreadWorker::spawn("gate", Gate(gate), handle.waker()).expect("a thread");
        Handler(move |_: Time, event: Event<'_>, out: &mut Out<'_>| match event {
            Event::Line(conn, b"slow") => worker.submit((conn, b"slow".to_vec())),
            Event::Line(conn, line) => out.send(conn, line),
            Event::Wake => {
                while let Some((conn, line)) = worker.poll() {
                    out.send(conn, &line);
                }
            }
            _ => {}
        })
    };
    Server::start(make, Limits::default(), &[])
}

#[test]
fn work_that_blocks_does_not_hold_up_the_reactor_and_wakes_it_when_done() {
    let (open, gate) = channel();
    let server = gated(gate);
    let (mut slow, mut quick) = (Client::connect(server.addr), Client::connect(server.addr));
    slow.send("slow\n");
    assert_eq!(quick.ask("quick"), "quick");
    open.send(()).expect("the worker waits");
    assert_eq!(slow.line(), "slow");
}

#[test]
fn a_drain_closes_what_is_idle_answers_what_is_in_flight_and_ends() {
    let (open, gate) = channel();
    let mut server = gated(gate);
    let (mut busy, mut idle) = (Client::connect(server.addr), Client::connect(server.addr));
    busy.send("first\nslow\nnever\n");
    assert_eq!(busy.line(), "first");
    assert_eq!(idle.ask("hello"), "hello");

    server.handle.drain();
    assert_eq!(idle.rest(), "");
    let refused = TcpStream::connect(server.addr).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    open.send(()).expect("the worker waits");
    assert_eq!(busy.line(), "slow");
    server.join();
}

#[test]
fn a_service_that_cannot_go_on_ends_its_reactor_without_another_word() {
    let service = |_: Time, event: Event<'_>, out: &mut Out<'_>| {
        if let Event::Line(conn, line) = event {
            out.send(conn, line);
            if line == b"fail" {
                out.fail("the disk is gone");
            }
        }
    };
    let mut server = Server::start(move |_| Handler(service), Limits::default(), &[]);
    let (mut witness, mut culprit) = (Client::connect(server.addr), Client::connect(server.addr));
    assert_eq!(witness.ask("hello"), "hello");
    culprit.send("fail\n");
    match server.result() {
        Err(RunError::Service(error)) => assert_eq!(error.to_string(), "the disk is gone"),
        other => panic!("{other:?}"),
    }
    assert_eq!(culprit.rest(), "", "the reply was given and never sent");
    assert_eq!(witness.rest(), "");
    TcpStream::connect(server.addr).expect_err("nobody listens");
}

#[test]
fn a_service_learns_where_its_clients_connect_from() {
    let service = |_: Time, event: Event<'_>, out: &mut Out<'_>| {
        if let Event::Line(conn, _) = event {
            let address = out.peer_address(conn).expect("it is there");
            out.send(conn, address.to_string().as_bytes());
        }
    };
    let server = Server::start(move |_| Handler(service), Limits::default(), &[]);
    for _ in 0..3 {
        let mut client = Client::connect(server.addr);
        let address = client.stream().local_addr().expect("it is connected");
        assert_eq!(client.ask("where?"), address.to_string());
    }
}

#[test]
fn a_service_is_woken_at_the_time_that_it_asked_for_though_nothing_else_happens() {
    let (woken_out, woken) = channel();
    let start = Instant::now();
    let service = move |now: Time, event: Event<'_>, out: &mut Out<'_>| match event {
        Event::Line(conn, line) => {
            out.wake_at(Some(now + Duration::from_millis(50)));
            out.send(conn, line);
        }
        Event::Timer => woken_out.send(start.elapsed()).expect("the test listens"),
        _ => {}
    };
    let server = Server::start(|_| Handler(service), Limits::default(), &[]);
    let asked_after = start.elapsed();
    assert_eq!(Client::connect(server.addr).ask("later"), "later");
    let woken_after = woken.recv_timeout(PATIENCE).expect("it is woken");
    assert!(woken_after >= asked_after + Duration::from_millis(50), "{asked_after:?}, {woken_after:?}");
}

#[test]
fn a_set_of_reactors_shares_one_address() {
    let set = Reactor::bind_set("127.0.0.1:0", 3).expect("a free port");
    let servers: Vec<_> = set
        .into_iter()
        .enumerate()
        .map(|(number, reactor)| {
            let name = move |_: Time, event: Event<'_>, out: &mut Out<'_>| {
                if let Event::Line(conn, _) = event {
                    out.send(conn, number.to_string().as_bytes());
                }
            };
            Server::run(reactor, move |_| Handler(name), Limits::default(), &[])
        })
        .collect();
    let addr = servers[0].addr;
    assert!(servers.iter().all(|server| server.addr == addr));
    let mut clients: Vec<_> = (0..64).map(|_| Client::connect(addr)).collect();
    let names: BTreeSet<_> = clients.iter_mut().map(|client| client.ask("who")).collect();
    assert!(names.len() > 1, "the kernel spreads the connections");
}
