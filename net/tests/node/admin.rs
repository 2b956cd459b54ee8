//! The HTTP connections through which a process is watched.

use net::{Conn, Document, Input, Limits, Output, Peer, Site};

use crate::harness::{SECOND, World};

fn world() -> World {
    World::echo(Limits { admin_connections_max: 2, admin_request_bytes_max: 100, ..Limits::default() })
}

const NOSNIFF: &str = "X-Content-Type-Options: nosniff";

/// One that shows a page, and lets those of another origin read its metrics.
fn shown() -> World {
    let page = Document { path: "/", content_type: "text/html", body: "<p>Hello".into() };
    let policy = "default-src 'self'".to_owned();
    let site = Site { documents: vec![page], policy, readers: vec!["http://shop:81".to_owned()] };
    let mut world = World::echo(Limits::default());
    world.show(site);
    world
}

fn accept(world: &mut World) -> Peer {
    Peer::Admin(world.node.accept_admin(world.now).expect("there is room for it"))
}

fn receive(world: &mut World, peer: Peer, bytes: &str) -> Vec<Output> {
    world.input(Input::Received(peer, bytes.as_bytes()));
    world.turn()
}

/// The response to bytes on a connection of their own, which must be all there is to it.
fn exchange(world: &mut World, bytes: &str) -> String {
    let peer = accept(world);
    assert_eq!(receive(world, peer, bytes), [Output::Transmit(peer), Output::Finish(peer)], "{bytes:?}");
    world.input(Input::Finished(peer));
    assert_eq!(world.turn(), [Output::Close(peer)]);
    world.taken(peer)
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).expect("a response has a status")
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").expect("a head ends").1
}

#[test]
fn a_request_is_answered_wherever_it_is_cut() {
    let request = "GET /livez?verbose HTTP/1.1\r\nHost: a\r\n\r\n";
    for cut in 1..request.len() {
        let mut world = world();
        let peer = accept(&mut world);
        assert_eq!(receive(&mut world, peer, &request[..cut]), [], "cut at {cut}");
        assert_eq!(
            receive(&mut world, peer, &request[cut..]),
            [Output::Transmit(peer), Output::Finish(peer)]
        );
        let response = world.taken(peer);
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.contains("\r\nContent-Length: 3\r\n"), "{response}");
        assert!(response.contains("\r\nConnection: close\r\n"), "{response}");
        assert_eq!(body(&response), "ok\n");
    }
}

#[test]
fn each_path_has_its_answer_and_others_have_none() {
    let mut world = world();
    assert_eq!(status(&exchange(&mut world, "GET /livez HTTP/1.1\r\n\r\n")), "200");
    assert_eq!(status(&exchange(&mut world, "GET /readyz HTTP/1.0\r\n\r\n")), "200");
    assert_eq!(status(&exchange(&mut world, "GET / HTTP/1.1\r\n\r\n")), "404");
    assert_eq!(status(&exchange(&mut world, "GET /livez/ HTTP/1.1\r\n\r\n")), "404");
    let refused = exchange(&mut world, "POST /livez HTTP/1.1\r\n\r\nbody");
    assert_eq!(status(&refused), "405");
    assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
    let head = exchange(&mut world, "HEAD /livez HTTP/1.1\r\n\r\n");
    assert!(head.contains("\r\nContent-Length: 3\r\n"), "{head}");
    assert_eq!(body(&head), "");
}

#[test]
fn whoever_was_answered_and_does_not_close_makes_room_for_those_who_ask() {
    let mut world = world();
    for _ in 0..2 {
        let peer = accept(&mut world);
        receive(&mut world, peer, "GET /livez HTTP/1.1\r\n\r\n");
        world.taken(peer);
        world.pass(SECOND / 10);
    }
    let peer = accept(&mut world);
    receive(&mut world, peer, "GET /readyz HTTP/1.1\r\n\r\n");
    assert_eq!(status(&world.taken(peer)), "200");
}

#[test]
fn documents_are_shown_with_their_policy() {
    let mut world = shown();
    let page = exchange(&mut world, "GET /?a HTTP/1.1\r\n\r\n");
    assert_eq!((status(&page), body(&page)), ("200", "<p>Hello"));
    for header in ["Content-Type: text/html", "Content-Security-Policy: default-src 'self'", NOSNIFF] {
        assert!(page.contains(&format!("\r\n{header}\r\n")), "no {header} in {page}");
    }
    assert_eq!(
        body(&exchange(&mut world, "GET /page HTTP/1.1\r\n\r\n")),
        "there are /, /livez, /readyz and /metrics\n"
    );
}

#[test]
fn whatever_is_no_document_is_shown_by_no_page() {
    let mut world = shown();
    for asked in ["GET /livez", "GET /metrics", "GET /nothing", "DELETE /", "?"] {
        let response = exchange(&mut world, &format!("{asked} HTTP/1.1\r\n\r\n"));
        let policy = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'";
        for header in [policy, "Cross-Origin-Resource-Policy: same-origin", NOSNIFF] {
            assert!(response.contains(&format!("\r\n{header}\r\n")), "no {header} in {response}");
        }
    }
}

#[test]
fn metrics_are_read_by_pages_of_known_origins_and_by_no_other() {
    let mut world = shown();
    let mut reader = |path: &str, origin: &str| {
        let response = exchange(&mut world, &format!("GET {path} HTTP/1.1\r\n{origin}\r\n"));
        assert!(["200", "404"].contains(&status(&response)), "{response}");
        let allowed = |line: &str| line.strip_prefix("Access-Control-Allow-Origin: ").map(str::to_owned);
        response.lines().find_map(allowed)
    };
    assert_eq!(reader("/metrics", "oRiGiN: http://shop:81\r\n"), Some("http://shop:81".to_owned()));
    for origin in
        ["", "Origin: http://shop:8\r\n", "Origin: http://shop:811\r\n", "Origin: https://shop:81\r\n"]
    {
        assert_eq!(reader("/metrics", origin), None, "{origin}");
    }
    for origin in ["null", "*", "", "\u{e9}", "http://shop:81, http://a", "http://shop:81/"] {
        assert_eq!(reader("/metrics", &format!("Origin: {origin}\r\n")), None, "{origin}");
    }
    for path in ["/", "/livez", "/nothing"] {
        assert_eq!(reader(path, "Origin: http://shop:81\r\n"), None, "{path}");
    }
}

#[test]
fn metrics_tell_of_connections_and_of_clients_that_were_turned_away() {
    let mut world = World::echo(Limits { line_bytes_max: 5, ..Limits::default() });
    let first = world.accept();
    world.accept();
    world.receive(first, "123456\n");
    let response = exchange(&mut world, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(
        response.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{response}"
    );
    let lines = ["net_connections 2", "net_reactors 1", "net_rejected_total{reason=\"line_too_long\"} 1"];
    for line in lines {
        assert!(body(&response).lines().any(|found| found == line), "no {line} in {response}");
    }
}

#[test]
fn a_node_that_drains_lives_and_is_not_ready() {
    let mut world = world();
    world.set_busy(true);
    world.input(Input::Drain);
    assert_eq!(status(&exchange(&mut world, "GET /readyz HTTP/1.1\r\n\r\n")), "503");
    assert_eq!(status(&exchange(&mut world, "GET /livez HTTP/1.1\r\n\r\n")), "200");
}

#[test]
fn garbage_is_refused() {
    let mut world = world();
    for bytes in [
        "\0",
        "\u{16}\u{3}\u{1}",
        "GET\r\n\r\n",
        "GET /livez HTTP/2.0\r\n\r\n",
        "GET /\u{e9} HTTP/9\r\n",
        "{\"api\":\"Ping\"}\n",
    ] {
        assert_eq!(status(&exchange(&mut world, bytes)), "400", "{bytes:?}");
    }
}

#[test]
fn a_head_has_a_longest_length() {
    let mut world = world();
    let fits = format!("GET /livez HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(72));
    assert_eq!(fits.len(), 100);
    assert_eq!(status(&exchange(&mut world, &fits)), "200");
    let longer = fits.replace(": ", ": a");
    assert_eq!(status(&exchange(&mut world, &longer)), "431");
    let endless = accept(&mut world);
    assert_eq!(receive(&mut world, endless, &longer[..99]), []);
    let outputs = receive(&mut world, endless, "aa");
    assert_eq!(outputs, [Output::Transmit(endless), Output::Finish(endless)]);
    assert_eq!(status(&world.taken(endless)), "431");
}

#[test]
fn only_the_first_request_of_a_connection_is_answered() {
    let mut world = world();
    let peer = accept(&mut world);
    receive(&mut world, peer, "GET /livez HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\n");
    assert_eq!(receive(&mut world, peer, "GET /nowhere HTTP/1.1\r\n\r\n"), [], "what follows is discarded");
    let response = world.taken(peer);
    assert_eq!((status(&response), response.matches("HTTP/1.1").count()), ("200", 1));
}

#[test]
fn a_client_that_is_slow_has_one_deadline_for_everything() {
    let timeout = Limits::default().admin_timeout;
    for step in 0..3 {
        let mut world = world();
        let peer = accept(&mut world);
        world.pass(SECOND);
        if step > 0 {
            // It never closes, and in the second case it does not even take its response.
            world.set_room(peer, if step == 1 { 10 } else { usize::MAX });
            receive(&mut world, peer, "GET /livez HTTP/1.1\r\n\r\n");
        } else {
            receive(&mut world, peer, "GET /livez");
        }
        assert_eq!(world.pass(timeout - 2 * SECOND), [], "step {step}");
        assert_eq!(world.pass(SECOND), [Output::Close(peer)], "step {step}");
        assert_eq!(receive(&mut world, peer, " HTTP/1.1\r\n\r\n"), [], "it is gone");
    }
}

#[test]
fn a_response_goes_on_when_the_socket_takes_more() {
    let mut world = world();
    let peer = accept(&mut world);
    world.set_room(peer, 10);
    assert_eq!(receive(&mut world, peer, "GET /livez HTTP/1.1\r\n\r\n"), [Output::Transmit(peer)]);
    world.set_room(peer, usize::MAX);
    world.input(Input::Writable(peer));
    assert_eq!(world.turn(), [Output::Transmit(peer), Output::Finish(peer)]);
    assert_eq!(body(&world.taken(peer)), "ok\n");
}

#[test]
fn a_client_that_ends_is_answered_only_if_it_has_asked() {
    let mut world = world();
    let peer = accept(&mut world);
    world.input(Input::Received(peer, b"GET /livez HTTP/1.1\r\n\r\n"));
    world.input(Input::Finished(peer));
    assert_eq!(world.turn(), [Output::Transmit(peer), Output::Close(peer)]);
    assert_eq!(status(&world.taken(peer)), "200");

    let peer = accept(&mut world);
    world.input(Input::Received(peer, b"GET /livez HTTP/1.1\r\n"));
    world.input(Input::Finished(peer));
    assert_eq!(world.turn(), [Output::Close(peer)]);
}

#[test]
fn connections_have_a_maximum_of_their_own() {
    let mut world = world();
    let first = accept(&mut world);
    accept(&mut world);
    assert_eq!(world.node.accept_admin(world.now), None::<Conn>);
    world.accept();
    world.input(Input::Failed(first));
    assert_eq!(world.turn(), [Output::Close(first)]);
    let next = accept(&mut world);
    assert_ne!(next, first, "a late event for a connection that is gone means nothing");
    assert_eq!(receive(&mut world, first, "GET /livez HTTP/1.1\r\n\r\n"), []);
}

#[test]
fn whoever_does_not_ask_makes_room() {
    let mut world = world();
    let silent = accept(&mut world);
    world.pass(SECOND);
    let asking = accept(&mut world);
    assert!(!world.node.may_accept_admin(), "it is to be read first");
    receive(&mut world, silent, "GET /livez HT");
    world.set_room(asking, 0);
    receive(&mut world, asking, "GET /livez HTTP/1.1\r\n\r\n");
    world.pass(SECOND);
    let next = accept(&mut world);
    assert!(!world.node.may_accept_admin(), "its socket is still to be closed");
    assert_eq!(world.turn(), [Output::Close(silent)]);
    assert!(world.node.may_accept_admin());
    assert_eq!(world.node.accept_admin(world.now), None, "one is answered, and one has just come");
    world.pass(SECOND);
    let last = accept(&mut world);
    assert_eq!(world.turn(), [Output::Close(next)]);
    receive(&mut world, last, "GET /livez HTTP/1.1\r\n\r\n");
    assert_eq!(status(&world.taken(last)), "200");
}
