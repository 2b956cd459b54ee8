//! The services' options: help, mistakes, and addresses that cannot be had.

use std::net::TcpListener;
use support::{Client, Process, SERVICES, Service, own_host};

use super::PROGRAM;

#[test]
fn every_subcommand_explains_itself() {
    for name in SERVICES.into_iter().chain(["up", "buyer", "seller", "ping"]) {
        let output = PROGRAM.command(&[name, "-h"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert!(
            help.starts_with(&format!("Usage: marketplace {name} ")) && help.contains("--help"),
            "{help}"
        );
        assert!(output.stderr.is_empty(), "{name}");
    }
}

#[test]
fn a_mistake_in_the_options_ends_with_2() {
    let both = [
        "--listen=6001",
        "--listen",
        "--bogus",
        "extra",
        "--log=loud",
        "--connections-max=0",
        "--address-connections-max=0",
        "--idle-timeout=0",
        "--buffers-max-mib=0",
        "--line-timeout=1h",
        "--stall-timeout=-1",
        "--unread-max-kib=0",
        "--admin=nowhere",
        "--slow-ms=0",
        "--secret-file=/nowhere",
    ];
    let database = [
        "--customer=127.0.0.1:6001",
        "--reactors=2",
        "--memory-max-mib=0",
        "--memory-max-mib=1.5",
        "--in-flight-max=0",
        "--calls-max=5",
    ];
    let frontend = [
        "--data=.",
        "--memory-max-mib=100",
        "--unsafe-no-flush",
        "--customer=nowhere",
        "--product=127.0.0.1:x",
        "--product=127.0.0.1:6002,",
        "--product=127.0.0.1:6002,127.0.0.1:6002",
        "--links=0",
        "--links=17",
        "--link-lifetime=0",
        "--reactors=0",
        "--reactors=65",
        "--behind-after-ms=0",
        "--calls-max=0",
        "--calls-max-mib=x",
        "--in-flight-max=2",
    ];
    for name in SERVICES {
        let of_kind = if name.starts_with("db_") { &database[..] } else { &frontend };
        for option in both.iter().chain(of_kind) {
            let (code, message) = Process::run(&mut PROGRAM.command(&[name, option]));
            assert_eq!(code, Some(2), "{name} {option}: {message}");
            assert!(message.starts_with("error: "), "{name} {option}: {message}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_addresses_of_a_database_is_said() {
    let many: Vec<_> = (1..=17).map(|port| format!("h:{port}")).collect();
    for (product, message) in [
        ("h:1,h:2,h:1", "--product: h:1 is given twice"),
        ("h:1,,h:2", "--product: \"\" is not HOST:PORT"),
        (&many.join(","), "--product: 17 addresses are more than 16"),
    ] {
        let command = &mut PROGRAM.command(&["server_buyer", "--product", product]);
        let (code, said) = Process::run(command);
        assert_eq!((code, said.lines().next()), (Some(2), Some(&*format!("error: {message}"))));
    }
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let data = tempfile::tempdir().unwrap();
    for name in SERVICES {
        let (code, log) = Process::run(PROGRAM.command(&[name, &listen]).current_dir(&data));
        assert_eq!(code, Some(1), "{name}: {log}");
        assert!(log.contains("in use") && !log.contains("listening on"), "{log}");
    }
    assert!(!data.path().join("data").exists(), "nothing was made of a database that cannot serve");
}

#[test]
fn a_frontend_shares_its_port_with_no_other() {
    let any = "127.0.0.1:1".parse().unwrap();
    for (reactors, rival_reactors) in [("1", "2"), ("2", "1"), ("2", "2")] {
        let first = PROGRAM.frontend("server_buyer", any, any, &["--reactors", reactors]);
        let listen = format!("--listen={}", first.address);
        let rival =
            Process::run(&mut PROGRAM.command(&["server_buyer", &listen, "--reactors", rival_reactors]));
        assert_eq!(rival.0, Some(1), "{}", rival.1);
        assert!(rival.1.contains("Address already in use") && rival.1.contains(&first.address.to_string()));
    }
}

#[test]
fn a_port_in_use_is_refused_for_watching_too() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("--admin={}", taken.local_addr().unwrap());
    let data = tempfile::tempdir().unwrap();
    for name in SERVICES {
        let (code, log) =
            Process::run(PROGRAM.command(&[name, "--listen=127.0.0.1:0", &admin]).current_dir(&data));
        assert_eq!(code, Some(1), "{name}: {log}");
        assert!(log.contains("in use") && !log.contains("listening on"), "{log}");
    }
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // The block 192.0.2.0/24 is for examples only.
    for name in SERVICES {
        let (code, log) = Process::run(&mut PROGRAM.command(&[name, "--listen=192.0.2.1:0"]));
        assert_eq!(code, Some(1), "{name}: {log}");
    }
}

#[test]
fn a_port_of_0_takes_a_free_one_each_time() {
    let data = tempfile::tempdir().unwrap();
    let databases = ["db_customer", "db_product"].map(|name| PROGRAM.database(name, data.path()));
    let [customer, product] = databases.each_ref().map(|database| database.address);
    for database in &databases {
        assert_ne!(database.address.port(), 0);
        let ping = Client::new(database.address).ok("Ping", serde_json::json!({}));
        assert_eq!(ping["service"], database.name);
    }
    // Reactors of one frontend share one port.
    for name in ["server_buyer", "server_seller"] {
        let frontend = PROGRAM.frontend(name, customer, product, &["--reactors=3"]);
        for _ in 0..10 {
            let ping = Client::new(frontend.address).ok("Ping", serde_json::json!({}));
            assert_eq!(ping["service"], name);
        }
    }
}

#[test]
fn data_is_kept_in_the_folder_data_unless_another_is_given() {
    let home = tempfile::tempdir().unwrap();
    let mut command = PROGRAM.command(&["db_product", "--listen=127.0.0.1:0"]);
    let database = Service::adopt("db_product", command.current_dir(&home));
    assert!(home.path().join("data/product.db").exists());
    drop(database);
}

#[test]
fn a_database_warns_only_if_it_does_not_flush() {
    for name in ["db_customer", "db_product"] {
        let data = tempfile::tempdir().unwrap();
        for (option, warns) in [(None, false), (Some("--unsafe-no-flush"), true)] {
            let args = Service::database_args(name, data.path());
            let mut command = PROGRAM.command(&[name, "--listen=127.0.0.1:0"]);
            let mut database = Service::adopt(name, command.args(args).args(option));
            Client::new(database.address).ok("Ping", serde_json::json!({}));
            database.stop();
            let (code, log) = database.finish();
            assert_eq!(code, Some(0), "{log}");
            assert_eq!(log.contains("WARN") && log.contains("event=unsafe_no_flush"), warns, "{name}: {log}");
        }
    }
}

#[test]
fn a_thread_that_cannot_be_started_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    for name in ["db_customer", "server_buyer", "up"] {
        let mut command = PROGRAM.command(&[name]);
        match name {
            "up" => command.args(["--host", &own_host().to_string()]),
            _ => command.arg("--listen=127.0.0.1:0"),
        };
        if name != "server_buyer" {
            command.arg("--data").arg(data.path());
        }
        // No system has that much memory for a stack.
        let (code, message) = Process::run(command.env("RUST_MIN_STACK", (1_u64 << 47).to_string()));
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains("cannot start the thread `log`: "), "{message}");
        assert!(message.contains("RLIMIT_NPROC") && message.contains("pids.max"), "{message}");
    }
}
