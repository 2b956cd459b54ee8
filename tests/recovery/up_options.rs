//! `marketplace up` with options: where it is watched, what it passes on to services, what it tells systemd, and what it
//! refuses.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::Signal;
use support::{PATIENCE, Process, SERVICES};

use super::admin::exchange;
use super::up::{PORTS, Place, Up};

/// Starts `up` with these options besides.
fn up_with(place: &Place, options: &[&str]) -> Up {
    let mut command = place.command(&place.data());
    command.args(options);
    Place::start(command)
}

#[track_caller]
fn stop(up: Up) -> String {
    up.process.signal(Signal::TERM);
    let (code, log) = up.end();
    assert_eq!(code, Some(0), "{log}");
    log
}

#[test]
fn all_four_are_watched_at_ports_of_their_own() {
    let place = Place::new();
    let up = up_with(&place, &["--admin", &place.address(7001)]);
    for (service, port) in SERVICES.into_iter().zip(7001..) {
        assert!(up.summary.contains(&format!("http://{}/\n", place.address(port))), "{}", up.summary);
        let get = |path| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", place.host);
            exchange(place.address(port).parse().unwrap(), &request)
        };
        let all = [7001, 7002, 7003, 7004].map(|port| place.address(port)).join(",");
        assert!(get("/").contains(&format!("data-peers=\"{all}\"")), "the page shows all four");
        let metrics = get("/metrics");
        assert!(metrics.contains(&format!("marketplace_service=\"{service}\"")), "{service}: {metrics}");
    }
    stop(up);
}

#[test]
fn options_of_services_go_to_those_that_have_them() {
    let place = Place::new();
    let up = up_with(&place, &["--log", "error", "--session-timeout=60", "--reactors", "2"]);
    let having = |option: &str| -> Vec<String> {
        let commands = up.process.child_commands().map(|(command, _)| command);
        let mut names: Vec<_> = commands
            .filter(|command| command.iter().any(|word| word == option))
            .map(|command| command[1].clone())
            .collect();
        names.sort();
        names
    };
    assert_eq!(having("--log=error"), SERVICES);
    assert_eq!(having("--session-timeout=60"), ["db_customer"]);
    assert_eq!(having("--reactors=2"), ["server_buyer", "server_seller"]);
    assert_eq!(stop(up), "", "nothing that happened is an error");
}

#[test]
fn services_with_a_secret_are_asked_with_it() {
    let place = Place::new();
    fs::create_dir_all(place.data()).unwrap();
    let secret = place.data().join("secret");
    fs::write(&secret, "a secret of more than sixteen bytes\n").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let up = up_with(&place, &["--secret-file", secret.to_str().unwrap()]);
    let ping = |port| place.run(&["ping", &place.address(port)]).status.code();
    assert_eq!(PORTS.map(ping), [Some(1), Some(1), Some(0), Some(0)], "databases answer who knows it");
    stop(up);
}

#[test]
fn systemd_is_told_once_when_all_are_ready_and_once_when_all_stop() {
    let place = Place::new();
    let path = place.data().with_file_name("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.command(&place.data());
    let up = Process::start(command.env("NOTIFY_SOCKET", &path));
    let mut message = [0; 100];
    let mut told = || systemd.recv(&mut message).map(|length| message[..length].to_vec());
    assert_eq!(told().unwrap(), b"READY=1\n");
    for port in PORTS {
        assert_eq!(place.run(&["ping", &place.address(port)]).status.code(), Some(0), "{port}");
    }
    up.signal(Signal::TERM);
    assert_eq!(told().unwrap(), b"STOPPING=1\n");
    assert_eq!(up.finish().0, Some(0));
    systemd.set_nonblocking(true).unwrap();
    assert!(told().is_err(), "nobody else has told anything");
}

#[test]
fn a_port_that_is_taken_or_wanted_twice_is_named_and_nothing_starts() {
    let place = Place::new();
    let _taken = TcpListener::bind((place.host, 7003)).unwrap();
    for (first, address, service) in [(7001, 7003, "server_buyer"), (6000, 6001, "db_product")] {
        let mut command = place.command(&place.data());
        let (code, message) = Process::run(command.args(["--admin", &place.address(first)]));
        assert_eq!(code, Some(1));
        let expected = format!("cannot listen on {} for {service}: ", place.address(address));
        assert!(message.contains(&expected), "{message}");
        assert!(!place.data().exists(), "a database was started");
    }
}

#[test]
fn a_summary_that_nobody_reads_holds_nothing_up() {
    let place = Place::new();
    let (_unread, mut stdout) = io::pipe().unwrap();
    fcntl_setfl(&stdout, OFlags::NONBLOCK).unwrap();
    while stdout.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&stdout, OFlags::empty()).unwrap();
    let mut process = Process::start(place.command(&place.data()).stdout(stdout));
    process.wait_for("service=server_seller listening on");
    // A stop that comes before the summary would be seen anyway.
    thread::sleep(Duration::from_millis(500));
    process.signal(Signal::TERM);
    let (code, log) = process.finish();
    assert_eq!(code, Some(0), "{log}");
}
