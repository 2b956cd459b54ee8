//! What listens where a frontend expects `db_product`, and is not what it should be: the frontend says so, serves
//! whatever needs no such database, and goes on as soon as the right one is back.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::{ANY_PORT, Act, Client, FakeService, Process, Service};
use tempfile::TempDir;

use super::PROGRAM;
use super::tls::{identity, option};

/// How long a frontend of these tests waits for a database.
const IMPATIENT: &str = "--call-timeout-ms=300";
const SECRET: &str = "a secret that nobody guesses";
/// More than a frontend takes for a reply.
const ENDLESS_BYTES: usize = 9 << 20;
/// The memory that a frontend may have had at most: two long replies that arrive together, and what it has anyway.
const PEAK_MIB_MAX: u64 = 96;
/// A log line says who failed and how, and repeats no more than a part of what it was told.
const LOG_LINE_BYTES_MAX: usize = 400;

/// What becomes of a reply of the right database to a request.
type Behaviour = fn(api: &str, request: &str, reply: &[u8]) -> Act;

/// Stands before a database, and behaves as it is told.
struct Rogue {
    service: FakeService,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Rogue {
    fn before(database: SocketAddr) -> Self {
        let behaviour: Arc<Mutex<Behaviour>> = Arc::new(Mutex::new(honest));
        let shared = Arc::clone(&behaviour);
        let service = FakeService::serve(ANY_PORT, move || {
            let mut database = BufReader::new(TcpStream::connect(database).unwrap());
            let behaviour = Arc::clone(&shared);
            move |request| {
                let mut reply = Vec::new();
                let asked = writeln!(database.get_mut(), "{request}");
                if asked.and_then(|()| database.read_until(b'\n', &mut reply)).is_err() {
                    return Act::Close;
                }
                let api: Value = serde_json::from_str(request).unwrap();
                let behaviour = *behaviour.lock().unwrap();
                behaviour(api["api"].as_str().unwrap(), request, &reply)
            }
        });
        Self { service, behaviour }
    }

    /// Behaves in another way, towards new connections.
    fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
        self.service.close_connections();
    }
}

fn honest(_: &str, _: &str, reply: &[u8]) -> Act {
    Act::Bytes(reply.to_vec())
}

fn is_greeting(api: &str) -> bool {
    ["Authenticate", "Ping"].contains(&api)
}

/// Ways to be the wrong database from the first line on, and ways to become it later.
const BEHAVIOURS: [(&str, Behaviour); 14] = [
    ("asks for nothing and says nothing", |_, _, _| Act::Ignore),
    ("ends each connection", |_, _, _| Act::Close),
    ("repeats what it is told", |_, request, _| Act::Bytes(format!("{request}\n").into_bytes())),
    ("is another service", |_, _, reply| {
        Act::Bytes(String::from_utf8_lossy(reply).replace("db_product", "db_customer").into_bytes())
    }),
    ("refuses the secret", |_, _, _| Act::Error("PERMISSION_DENIED")),
    ("sends without end", |_, _, _| Act::Bytes(vec![b'x'; ENDLESS_BYTES])),
    ("nests without end", |_, _, _| Act::Bytes([vec![b'['; 1 << 20], vec![b'\n']].concat())),
    ("sends no text", |_, _, _| Act::Bytes(b"\xff\xfe\x00\n".to_vec())),
    ("answers the greeting twice", |_, _, reply| Act::Bytes(reply.repeat(2))),
    ("answers calls twice", |api, _, reply| Act::Bytes(reply.repeat(if is_greeting(api) { 1 } else { 2 }))),
    (
        "never answers a call",
        |api, request, reply| {
            if is_greeting(api) { honest(api, request, reply) } else { Act::Ignore }
        },
    ),
    ("ends each connection that is used", |api, request, reply| {
        if is_greeting(api) { honest(api, request, reply) } else { Act::Close }
    }),
    ("answers a call without end", |api, request, reply| {
        let start = br#"{"type":"Response","request_id":"#;
        let bytes = || [start.to_vec(), vec![b'1'; ENDLESS_BYTES]].concat();
        if is_greeting(api) { honest(api, request, reply) } else { Act::Bytes(bytes()) }
    }),
    ("answers a call with no text", |api, request, reply| {
        let bytes = || [&reply[..reply.len() - 3], b"\xff\"}}\n"].concat();
        if is_greeting(api) { honest(api, request, reply) } else { Act::Bytes(bytes()) }
    }),
];

#[test]
fn a_frontend_outlives_whatever_its_database_says() {
    let folder = TempDir::new().unwrap();
    let secret = secret_file(&folder);
    let start = |name| {
        let args = [Service::database_args(name, folder.path()), vec![secret.clone()]].concat();
        Service::adopt(name, PROGRAM.command(&[name, "--listen=127.0.0.1:0"]).args(args))
    };
    let (customer, product) = (start("db_customer"), start("db_product"));
    let rogue = Rogue::before(product.address);
    let options = [IMPATIENT, &secret];
    let mut frontend = PROGRAM.frontend("server_buyer", customer.address, rogue.service.address, &options);
    let search = json!({"category": 1});
    let mut buyer = Client::connect(frontend.address);
    let mut other = Client::connect(frontend.address);
    buyer.insist("SearchItemsForSale", &search, |_| ());
    for (name, behaviour) in BEHAVIOURS {
        rogue.behave(behaviour);
        let is_wrong = |message: &str| message.contains("db_product");
        // A reply that was repeated is an answer first, and the end of the connection then.
        if name != "answers calls twice" {
            let message = buyer.refused("SearchItemsForSale", &search, "UNAVAILABLE");
            assert!(is_wrong(&message), "{name}: {message}");
        }
        let nobody = json!({"username": "nobody", "password": "wrong"});
        other.refused("Login", nobody, "AUTH_FAILED");
        rogue.behave(honest);
        let found = buyer.insist("SearchItemsForSale", &search, |failure| {
            assert!(is_wrong(&failure.to_string()), "{name}: {failure}");
        });
        assert_eq!(found["total"], 0, "{name}");
    }
    let peak_mib = peak_mib(frontend.process());
    assert!(peak_mib < PEAK_MIB_MAX, "it has had {peak_mib} MiB");
    frontend.stop();
    let (_, log) = frontend.finish();
    assert!(log.lines().all(|line| line.len() < LOG_LINE_BYTES_MAX), "{log}");
    assert!(log.contains("event=backend_down backend=db_product") && !log.contains(SECRET), "{log}");
}

#[test]
fn the_secret_is_not_shown_to_whom_a_frontend_does_not_trust() {
    let folder = TempDir::new().unwrap();
    let secret = secret_file(&folder);
    // It has a certificate of another authority, and would tell by its log that it was shown a wrong secret.
    let other = folder.path().join("other");
    write_secret(&other, "another secret than that");
    let args = [
        Service::database_args("db_product", folder.path()),
        identity("unknown"),
        vec![format!("--secret-file={}", other.display())],
    ];
    let mut product = Service::adopt(
        "db_product",
        PROGRAM.command(&["db_product", "--listen=127.0.0.1:0"]).args(args.concat()),
    );
    // It speaks no TLS, and keeps what it is told.
    let listener = TcpListener::bind(ANY_PORT).unwrap();
    let plain = listener.local_addr().unwrap();

    let trust = option("tls-ca", "authority.pem");
    let frontend = |product: SocketAddr| {
        let args = ["--customer=localhost:1".to_owned(), format!("--product=localhost:{}", product.port())];
        let command = &mut PROGRAM.command(&["server_buyer", "--listen=127.0.0.1:0"]);
        Service::adopt("server_buyer", command.args(args).args([&trust, &secret]))
    };
    let mut untrusting = frontend(product.address);
    untrusting.process().wait_for("backend=db_product");
    product.process().wait_for("event=tls_failed");
    untrusting.stop();
    product.stop();
    let (_, log) = product.finish();
    assert!(!log.contains("event=authentication_failed"), "{log}");

    let mut frontend = frontend(plain);
    let (mut stream, _) = listener.accept().unwrap();
    let mut told = vec![0];
    stream.read_exact(&mut told).unwrap();
    stream.write_all(b"{\"type\":\"Response\",\"request_id\":0}\n").unwrap();
    // It may end with a reset.
    let _ = stream.read_to_end(&mut told);
    assert_eq!(told[0], 22, "it begins with a handshake");
    assert!(!told.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));
    let line = frontend.process().wait_for("backend=db_product");
    assert!(line.contains("it does not speak TLS"), "{line}");
}

/// Writes the secret; returns the option that names its file.
fn secret_file(folder: &TempDir) -> String {
    let path = folder.path().join("secret");
    write_secret(&path, SECRET);
    format!("--secret-file={}", path.display())
}

fn write_secret(path: &std::path::Path, secret: &str) {
    fs::write(path, secret).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// The most memory that a process has had.
fn peak_mib(process: &Process) -> u64 {
    let status = fs::read_to_string(process.dir().join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
}
