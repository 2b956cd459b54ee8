//! Databases that demand a secret, and frontends and probes that have it or do not.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::process::Signal;
use serde_json::json;
use support::{Client, Process, Service};
use tempfile::TempDir;

use super::PROGRAM;

/// A folder for two databases and their secret.
fn folder(secret: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    write(&path, secret);
    (folder, path)
}

fn write(path: &Path, secret: &str) {
    fs::write(path, secret).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn option(secret: &Path) -> String {
    format!("--secret-file={}", secret.display())
}

fn database(name: &'static str, data: &Path, secret: &Path) -> Service {
    let mut args = Service::database_args(name, data);
    args.push(option(secret));
    Service::adopt(name, PROGRAM.command(&[name, "--listen=127.0.0.1:0"]).args(args))
}

/// The exit code of `ping`, and what it says.
fn ping(address: SocketAddr, secret: Option<&Path>) -> (Option<i32>, String) {
    let address = address.to_string();
    let output = PROGRAM.command(&["ping", &address]).args(secret.map(option)).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn can_sell(frontend: &Service) -> Result<(), String> {
    let account = json!({"name": "sam", "password": "s"});
    let called = Client::connect(frontend.address).call("CreateAccount", account);
    called.map(drop).map_err(|failure| failure.to_string())
}

#[test]
fn only_who_has_the_secret_is_served() {
    let (folder, secret) = folder("a secret that nobody guesses\n");
    let customer = database("db_customer", folder.path(), &secret);
    let product = database("db_product", folder.path(), &secret);
    for database in [&customer, &product] {
        let (code, said) = ping(database.address, None);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("PERMISSION_DENIED: this database demands a secret"), "{said}");
        let (code, said) = ping(database.address, Some(&secret));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(database.name), "{said}");
    }

    let with = PROGRAM.frontend("server_seller", customer.address, product.address, &[&option(&secret)]);
    assert_eq!(can_sell(&with), Ok(()));

    let wrong = folder.path().join("wrong");
    write(&wrong, "another that nobody guesses");
    assert_eq!(ping(product.address, Some(&wrong)).0, Some(1));
    for (options, reason) in [
        (vec![], "it says: this database demands a secret"),
        (vec![option(&wrong)], "it says: the secret is wrong"),
    ] {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut without = PROGRAM.frontend("server_seller", customer.address, product.address, &options);
        without.process().wait_for(reason);
        let error = can_sell(&without).unwrap_err();
        assert!(error.contains("db_customer cannot be reached; nothing was changed"), "{error}");
    }
}

#[test]
fn a_secret_is_replaced_without_a_pause() {
    let (folder, secret) = folder("the old one is the first");
    let mut customer = database("db_customer", folder.path(), &secret);
    let mut product = database("db_product", folder.path(), &secret);
    let mut seller =
        PROGRAM.frontend("server_seller", customer.address, product.address, &[&option(&secret)]);
    let mut client = Client::connect(seller.address);
    client.ok("CreateAccount", json!({"name": "sam", "password": "s"}));
    let session = client.ok("Login", json!({"username": "sam", "password": "s"}));
    let rating = json!({"session_id": session["session_id"]});

    let old = folder.path().join("old");
    write(&old, "the old one is the first");
    for secrets in ["the old one is the first\nand this is the new one", "and this is the new one"] {
        write(&secret, secrets);
        for service in [&mut customer, &mut product, &mut seller] {
            service.process().signal(Signal::HUP);
            service.process().wait_for("event=reloaded what=secret");
            client.ok("GetSellerRating", rating.clone());
        }
        assert_eq!(ping(customer.address, Some(&secret)).0, Some(0));
    }
    assert_eq!(ping(customer.address, Some(&old)).0, Some(1));

    // What is wrong is said, and changes nothing.
    write(&secret, "");
    customer.process().signal(Signal::HUP);
    customer.process().wait_for("event=reload_failed what=secret");
    write(&secret, "and this is the new one");
    assert_eq!(ping(customer.address, Some(&secret)).0, Some(0));
}

#[test]
fn a_secret_that_is_replaced_while_the_service_reads_it_is_read_again() {
    let (folder, new) = folder("the new one is read later");
    let secret = folder.path().join("pipe");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&secret).status().unwrap().success());
    let (pipe, replacement) = (secret.clone(), new.clone());
    let writer = thread::spawn(move || {
        // The service has opened it as soon as this returns.
        let mut read = File::options().write(true).open(&pipe).unwrap();
        fs::rename(replacement, pipe).unwrap();
        read.write_all(b"the old one is read first").unwrap();
    });
    let mut product = database("db_product", folder.path(), &secret);
    writer.join().unwrap();
    product.process().wait_for("event=reloaded what=secret");
    assert_eq!(ping(product.address, Some(&secret)).0, Some(0));

    // What could not be read is tried again when it has changed once more.
    write(&secret, "");
    product.process().wait_for("event=reload_failed what=secret");
    write(&secret, "the third one is right again");
    product.process().wait_for("event=reloaded what=secret");
    assert_eq!(ping(product.address, Some(&secret)).0, Some(0));
}

#[test]
fn a_secret_that_all_may_read_is_refused() {
    let (folder, secret) = folder("hush");
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let data = format!("--data={}", folder.path().display());
    let (code, log) = Process::run(&mut PROGRAM.command(&["db_product", &data, &option(&secret)]));
    assert_eq!(code, Some(2), "{log}");
    assert!(
        log.contains("secret is open to all users (mode 644): chmod o-rwx") && !log.contains("hush"),
        "{log}"
    );
    let (code, said) = ping("127.0.0.1:1".parse().unwrap(), Some(&secret));
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn a_short_secret_is_warned_of() {
    let (folder, secret) = folder("hush");
    let mut product = database("db_product", folder.path(), &secret);
    product.process().signal(Signal::TERM);
    let (_, log) = product.finish();
    assert!(log.contains("event=weak_secret path="), "{log}");
}
