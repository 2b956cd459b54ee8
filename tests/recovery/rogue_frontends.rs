//! Whoever reaches a database without being one of its frontends, or with what was taken from one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Client, Service, request};
use tempfile::TempDir;

use super::tls::{identity, option};
use super::{PASSWORD, PROGRAM};

const SECRET: &str = "a secret that nobody guesses";
/// What a database logs of refused connections in a minute.
const WARNINGS_PER_MINUTE_MAX: usize = 10;

/// A database that demands a secret, and its folder.
struct Guarded {
    database: Service,
    folder: TempDir,
}

impl Guarded {
    fn start(name: &'static str, more: &[String]) -> Self {
        let folder = TempDir::new().unwrap();
        write(&folder.path().join("secret"), SECRET);
        let args = [Service::database_args(name, folder.path()), vec![secret_option(&folder, "secret")]];
        let mut command = PROGRAM.command(&[name, "--listen=127.0.0.1:0"]);
        let database = Service::adopt(name, command.args(args.concat()).args(more));
        Self { database, folder }
    }

    /// A client that has shown this secret.
    fn client(&self, secret: &str) -> Client {
        let mut client = Client::connect(self.database.address);
        client.ok("Authenticate", json!({"secret": secret}));
        client
    }

    /// Ends it; returns its log.
    fn log(mut self) -> String {
        self.database.stop();
        self.database.finish().1
    }
}

fn write(path: &Path, secret: &str) {
    fs::write(path, secret).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn secret_option(folder: &TempDir, name: &str) -> String {
    format!("--secret-file={}", folder.path().join(name).display())
}

fn wrong(number: usize) -> String {
    request("Authenticate", json!({"secret": format!("guess {number}")}))
}

#[test]
fn who_does_not_show_the_secret_first_is_told_so_and_nothing_is_carried_out() {
    let product = Guarded::start("db_product", &[]);
    let item =
        json!({"seller_id": 1, "name": "pen", "category": 1, "condition": "new", "price": 1, "quantity": 1});
    let register = request("RegisterItem", item);
    let right = request("Authenticate", json!({"secret": SECRET}));
    let long = request("Authenticate", json!({"secret": "x".repeat(100_000)}));
    let half = right.replace(" nobody guesses", "");
    for sent in [
        [&*register, &right, &register].concat(),
        [&*wrong(1), &right, &register].concat(),
        [&*half, &register].concat(),
        [&*long, &right, &register].concat(),
        ["nonsense\n", &right, &register].concat(),
        [&*request("Ping", "{}"), &register].concat(),
    ] {
        let mut rogue = Client::connect(product.database.address);
        rogue.send_bytes(sent.as_bytes());
        let refused = rogue.read_json();
        assert_eq!(refused["error"]["code"], "PERMISSION_DENIED", "{sent:.100}: {refused}");
        assert!(!refused.to_string().contains(SECRET), "{refused}");
        rogue.assert_closed();
    }
    let own = product.client(SECRET).ok("DisplayItemsForSale", json!({"seller_id": 1, "sold_out": true}));
    assert_eq!(own["items"], json!([]));
    let log = product.log();
    assert!(log.contains("event=authentication_failed") && !log.contains(SECRET), "{log}");
}

#[test]
fn a_flood_of_wrong_secrets_keeps_no_frontend_out_and_fills_no_log() {
    let product = Guarded::start("db_product", &[]);
    let mut frontend = product.client(SECRET);
    for number in 0..500 {
        let mut rogue = Client::connect(product.database.address);
        rogue.send_bytes(wrong(number).as_bytes());
        assert_eq!(rogue.read_json()["error"]["message"], "the secret is wrong");
        rogue.assert_closed();
        frontend.ok("SearchItems", json!({"category": 1}));
    }
    product.client(SECRET).assert_usable();
    let log = product.log();
    let failures = log.matches("event=authentication_failed").count();
    // The minute may have ended meanwhile.
    assert!((1..=2 * WARNINGS_PER_MINUTE_MAX).contains(&failures), "{log}");
    assert!(!log.contains("guess"), "{log}");
}

#[test]
fn neither_a_certificate_nor_the_secret_stands_for_the_other() {
    let ca = option("tls-client-ca", "authority.pem");
    let product = Guarded::start("db_product", &[identity("server"), vec![ca]].concat());
    let secret = [secret_option(&product.folder, "secret")];
    write(&product.folder.path().join("wrong"), "another secret than that");
    let wrong = [secret_option(&product.folder, "wrong")];
    let ping = |options: &[&[String]]| {
        let address = format!("localhost:{}", product.database.address.port());
        let mut command = PROGRAM.command(&["ping", &address, &option("tls-ca", "authority.pem")]);
        let output = command.args(options.concat()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let [known, unknown] = ["client", "unknown"].map(identity);
    for (options, reason) in [
        (vec![&secret[..]], "CertificateRequired"),
        (vec![&secret[..], &unknown], "UnknownCA"),
        (vec![&known[..]], "PERMISSION_DENIED: this database demands a secret"),
        (vec![&wrong[..], &known], "PERMISSION_DENIED: the secret is wrong"),
    ] {
        let (code, said) = ping(&options);
        assert_ne!(code, Some(0), "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
    }
    let (code, said) = ping(&[&secret[..], &known]);
    assert_eq!(code, Some(0), "{said}");
    let log = product.log();
    assert!(!log.contains(SECRET) && !log.contains("another secret"), "{log}");
}

/// Whoever has the secret may do what frontends may, in the name of any buyer; but log in as nobody.
#[test]
fn a_captured_secret_tells_neither_passwords_nor_sessions() {
    let customer = Guarded::start("db_customer", &[]);
    let mut frontend = customer.client(SECRET);
    frontend.ok("CreateBuyer", json!({"name": "ann", "password": PASSWORD}));
    let account = json!({"username": "ann", "password": PASSWORD, "role": "buyer"});
    let session: String = frontend.ok("Login", account)["session_id"].as_str().unwrap().into();
    let line = json!({"session_id": session, "item_id": "1:1", "quantity_delta": 2});
    frontend.ok("UpdateCart", line);
    frontend.ok("SaveCart", json!({"session_id": session}));
    frontend.ok("BeginPurchase", json!({"session_id": session}));

    let mut rogue = customer.client(SECRET);
    let buyer = json!({"buyer_id": 1});
    assert_eq!(rogue.ok("GetCart", &buyer)["cart"], json!({"1:1": 2}), "it may look into carts");
    let told: Vec<String> = [
        ("GetCart", buyer.clone()),
        ("GetBuyerPurchases", buyer),
        ("ClaimPurchases", json!({})),
        ("Ping", json!({})),
        ("GetSellerRating", json!({"seller_id": 1})),
        ("ValidateSession", json!({"session_id": format!("{}{}", &session[..16], "0".repeat(32))})),
        ("Login", json!({"username": "ann", "password": "", "role": "buyer"})),
    ]
    .into_iter()
    .map(|(api, data)| rogue.exchange(request(api, data).trim_end()))
    .collect();
    let proof = &session[16..];
    for reply in &told {
        assert!(!reply.contains(proof) && !reply.contains("argon2"), "{reply}");
    }
    // Nor does who reads the files find a session; of passwords there are hashes.
    for name in ["customer.db", "customer.db-wal"] {
        let bytes = fs::read(customer.folder.path().join(name)).unwrap();
        let raw: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&proof[2 * at..][..2], 16).unwrap()).collect();
        let mut reversed = raw.clone();
        reversed.reverse();
        for hidden in [proof.as_bytes(), &raw, &reversed, PASSWORD.as_bytes()] {
            assert!(!bytes.windows(hidden.len()).any(|part| part == hidden), "{name}");
        }
    }
}

#[test]
fn a_secret_that_was_replaced_lets_nobody_in_again() {
    let mut product = Guarded::start("db_product", &[]);
    let mut before = product.client(SECRET);
    write(&product.folder.path().join("secret"), "the new one");
    product.database.process().signal(Signal::HUP);
    product.database.process().wait_for("event=reloaded what=secret");
    let shown: Value = json!({"secret": SECRET});
    let mut late = Client::connect(product.database.address);
    late.refused("Authenticate", &shown, "PERMISSION_DENIED");
    late.assert_closed();
    product.client("the new one").assert_usable();
    // Connections that stand are not asked again, so that a secret can be replaced without a pause; a restart ends them.
    before.assert_usable();
    product.database.stop();
    before.assert_closed();
}
