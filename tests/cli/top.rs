//! `marketplace top`: what services do, on a terminal and for programs, from metrics that are made up here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use rustix::process::{Signal, kill_process};
use support::{assert_code, stderr, stdout};

use super::User;
use super::terminal::Terminal;

/// What a terminal is told to leave the page that was shown on it, and to show its cursor.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A service that has answered a hundred requests more whenever it is asked, a quarter of them with errors.
fn service() -> SocketAddr {
    answers(|count| {
        let (all, errors) = (100 * count, 25 * count);
        let ok = all - errors;
        let metrics = format!(
            r#"# TYPE marketplace_build_info gauge
marketplace_build_info{{marketplace_service="db_product",version="0.1.0"}} 1
marketplace_connections{{marketplace_service="db_product"}} 16
marketplace_commit_rows_count{{marketplace_service="db_product"}} {count}
process_start_time_seconds{{marketplace_service="db_product"}} 1000
marketplace_requests_total{{marketplace_service="db_product",api="GetItem",outcome="ok"}} {ok}
marketplace_requests_total{{marketplace_service="db_product",api="GetItem",outcome="not_found"}} {errors}
marketplace_request_duration_seconds_bucket{{marketplace_service="db_product",api="GetItem",le="0.002"}} {all}
marketplace_request_duration_seconds_bucket{{marketplace_service="db_product",api="GetItem",le="+Inf"}} {all}
"#
        );
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{metrics}", metrics.len())
    })
}

/// Something that gives each connection, by its number, an answer.
fn answers(answer: impl Fn(u32) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for count in 1.. {
            let (mut connection, _) = listener.accept().unwrap();
            assert_ne!(connection.read(&mut [0; 1024]).unwrap(), 0);
            connection.write_all(answer(count).as_bytes()).unwrap();
        }
    });
    address
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn programs_get_one_second_as_values_between_tabs() {
    let address = service().to_string();
    for args in [&["top", &address][..], &["top", "--once", &address]] {
        let output = User::new().run(args);
        assert_code(&output, 0);
        let text = stdout(&output);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        let [titles, all, get] = &lines[..] else { panic!("{text}") };
        assert_eq!((titles[0], titles[3], titles[10]), ("address", "requests_per_second", "flush_p99_ms"));
        assert_eq!((all[..3].to_vec(), all[7]), (vec![&*address, "db_product", "all"], "16.000"));
        assert_eq!((get[2], get[5], get[6]), ("GetItem", "1.000", "1.980"));
        // As many as were counted in the time between, which is a second or more.
        for row in [all, get] {
            let [requests, errors] = [row[3], row[4]].map(|value| value.parse::<f64>().unwrap());
            assert!(requests > 0.0 && requests <= 100.0 && (errors * 4.0 - requests).abs() < 0.01, "{text}");
        }
    }
}

#[test]
fn whoever_does_not_answer_is_named_and_the_others_are_shown() {
    let (address, nobody) = (service().to_string(), nobody().to_string());
    let output = User::new().run(&["top", &nobody, &address]);
    assert_code(&output, 3);
    assert!(
        stderr(&output).starts_with(&format!("error: {nobody}: Connection refused")),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("\tdb_product\tGetItem\t"), "{}", stdout(&output));

    let other = answers(|_| "{\"type\":\"Response\"}\n".to_owned()).to_string();
    let output = User::new().run(&["top", &other]);
    assert_code(&output, 1);
    let expected =
        format!("error: {other}: it does not answer over HTTP: this takes the address of --admin\n");
    assert_eq!(stderr(&output), expected);
    // The code is that of whoever is furthest away.
    for both in [[&nobody, &other], [&other, &nobody]] {
        assert_code(&User::new().run(&["top", both[0], both[1]]), 3);
    }
}

#[test]
fn a_narrow_terminal_shows_each_second_anew() {
    let (address, nobody) = (service().to_string(), nobody().to_string());
    let user = User::new();
    let mut terminal = Terminal::start(user.command(&["top", &address, &nobody]), 40);
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("REQ/S  ERR/S    P99\r\n");
    terminal.wait_for(&format!("{nobody} away: "));
    // The first answer tells nothing of what happens in a second.
    terminal.wait_for("  2.0ms\r\n");
    terminal.wait_for("\x1b[H");
    assert!(!terminal.echoes());
    terminal.keys(b"xyzq");
    terminal.ends_with(0);
    assert!(terminal.shown().ends_with(LEAVE), "{:?}", terminal.shown());
    assert!(terminal.echoes() && !terminal.shown().contains("xyz"));
}

#[test]
fn ctrl_c_ends_it_and_ctrl_z_stops_it_with_the_terminal_as_it_was() {
    let user = User::new();
    let mut terminal = Terminal::start(user.command(&["top", &service().to_string()]), 80);
    terminal.wait_for("FLUSH");
    terminal.keys(b"\x1a");
    terminal.wait_for(LEAVE);
    terminal.wait_for_stop();
    assert!(terminal.echoes());
    kill_process(terminal.pid(), Signal::CONT).unwrap();
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("db_product");
    assert!(!terminal.echoes());
    terminal.keys(b"\x03");
    terminal.ends_with(0);
    assert!(terminal.echoes() && terminal.shown().ends_with(LEAVE), "{:?}", terminal.shown());
}

#[test]
fn addresses_that_make_no_sense_are_refused() {
    for (args, why) in [
        (&["top", "localhost"][..], "\"localhost\" is not HOST:PORT"),
        (&["top", "a:1", "a:1"], "a:1 is given twice"),
        (&["top", "--twice"], "Unrecognized option: 'twice'"),
    ] {
        let output = User::new().run(args);
        assert_code(&output, 2);
        assert!(stderr(&output).starts_with(&format!("error: {why}")), "{}", stderr(&output));
    }
}
