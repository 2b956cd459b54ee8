//! `marketplace migrate`.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::thread;

use support::{Postgres, assert_code, stderr, stdout};
use tempfile::TempDir;

use super::PROGRAM;

const MADE: &str = "customer: made the tables, version 2\nproduct: made the tables, version 1\n";
const UP_TO_DATE: &str = "customer: up to date, version 2\nproduct: up to date, version 1\n";

fn migrate(url: &str, environment: &[(&str, &str)], more: &[&str]) -> Output {
    let mut command = PROGRAM.command(&["migrate", "--store", url]);
    command.args(more).envs(environment.iter().copied()).output().unwrap()
}

#[track_caller]
fn assert_done(url: &str, said: &str) {
    let output = migrate(url, &[], &[]);
    assert_code(&output, 0);
    assert_eq!((stdout(&output), stderr(&output)), (said, ""));
}

/// What is said of a migration that is not done, in one line.
#[track_caller]
fn refused(code: i32, url: &str, environment: &[(&str, &str)]) -> String {
    let output = migrate(url, environment, &[]);
    assert_code(&output, code);
    let said = stderr(&output).strip_prefix("error: ").unwrap_or_else(|| panic!("{}", stderr(&output)));
    // Behind a mistake in the command line stands how it would be right.
    let (line, rest) = said.split_once('\n').unwrap();
    assert!(rest.is_empty() || code == 2, "{said}");
    line.to_owned()
}

fn certificate(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/certificates");
    folder.join(name).display().to_string()
}

#[test]
fn tables_are_made_once_and_then_left_as_they_are() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let url = server.url("localhost", "");
    assert_done(&url, MADE);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server.sql("shop", tables), "21");
    server.sql("shop", "UPDATE account_numbers SET last = 7");
    assert_done(&url, UP_TO_DATE);
    // As after one that was broken off.
    server.sql("shop", "DELETE FROM market_schema WHERE service = 'customer'; DROP TABLE purchase_keys");
    assert_done(
        &server.url("localhost", "pipeline=off&statements=unnamed"),
        "customer: made the tables, version 2\nproduct: up to date, version 1\n",
    );
    assert_eq!(server.sql("shop", tables), "21");
    assert_eq!(server.sql("shop", "SELECT sum(last) FROM account_numbers"), "14");

    // As they were before sessions were found by their accounts.
    server.sql("shop", "DROP INDEX sessions_by_user; UPDATE market_schema SET version = 1");
    assert_done(&url, "customer: brought the tables from version 1 to 2\nproduct: up to date, version 1\n");
    let index = "SELECT count(*) FROM pg_indexes WHERE indexname = 'sessions_by_user'";
    assert_eq!(server.sql("shop", index), "1");

    server.sql(
        "shop",
        "DROP TABLE purchase_keys; UPDATE market_schema SET version = 9 WHERE service = 'product'",
    );
    let newer = refused(1, &url, &[]);
    assert!(
        newer.contains("the tables of product have version 9, and this program knows versions up to 1"),
        "{newer}"
    );
    assert_eq!(server.sql("shop", tables), "20");
}

#[test]
fn several_migrations_at_a_time_do_no_harm() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let url = server.url("localhost", "");
    for level in ["read committed", "repeatable read", "serializable"] {
        server.sql("postgres", &format!("ALTER DATABASE shop SET default_transaction_isolation = '{level}'"));
        server.sql("shop", "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        thread::scope(|scope| {
            for migration in [0; 6].map(|_| scope.spawn(|| migrate(&url, &[], &[]))) {
                assert_code(&migration.join().unwrap(), 0);
            }
        });
        assert_done(&url, UP_TO_DATE);
    }
}

#[test]
fn a_password_is_asked_for_and_comes_from_the_environment() {
    let Some(server) = Postgres::start("scram-sha-256", &[]) else { return };
    let url = server.url("localhost", "");
    let password = |value| [("MARKETPLACE_STORE_PASSWORD", value)];
    let none = refused(1, &url, &[]);
    assert!(none.contains("the server asks for a password: give it in MARKETPLACE_STORE_PASSWORD"), "{none}");
    let wrong = refused(1, &url, &password("wrong horse"));
    let expected = "the server refuses: password authentication failed for user \"market\" (28P01)";
    assert!(wrong.contains(expected) && !wrong.contains("horse"), "{wrong}");
    let unknown = refused(1, &url.replace("/shop", "/none"), &password(Postgres::PASSWORD));
    assert!(unknown.contains("database \"none\" does not exist (3D000)"), "{unknown}");

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, format!("{}\n", Postgres::PASSWORD)).unwrap();
    let named = [("MARKETPLACE_STORE_PASSWORD_FILE", file.to_str().unwrap())];
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(refused(2, &url, &named).contains("is open to all users"));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let both = [named[0], password(Postgres::PASSWORD)[0]];
    assert!(refused(2, &url, &both).contains("are both set"));
    assert_code(&migrate(&url, &named, &[]), 0);
    assert_code(&migrate(&url, &password(Postgres::PASSWORD), &[]), 0);
}

#[test]
fn a_password_in_clear_text_goes_only_to_this_machine_or_over_tls() {
    let Some(server) = Postgres::start("password", &["ssl=on"]) else { return };
    let password = [("MARKETPLACE_STORE_PASSWORD", Postgres::PASSWORD)];
    assert_code(&migrate(&server.url("localhost", ""), &password, &[]), 0);
    assert_code(&migrate(&server.url("localhost", "sslmode=require"), &password, &[]), 0);
}

#[test]
fn a_server_proves_over_tls_who_it_is() {
    let Some(server) = Postgres::start("trust", &["ssl=on"]) else { return };
    let verified = |host, authority| {
        let file = certificate(authority);
        server.url(host, &format!("sslmode=verify-full&sslrootcert={file}"))
    };
    assert_done(&verified("localhost", "authority.pem"), MADE);
    let stranger = refused(3, &verified("localhost", "stranger.pem"), &[]);
    assert!(stranger.contains("invalid peer certificate: UnknownIssuer"), "{stranger}");
    let name = refused(3, &verified("127.0.0.2", "authority.pem"), &[]);
    assert!(name.contains("certificate not valid for name \"127.0.0.2\""), "{name}");
    assert_done(&server.url("127.0.0.2", "sslmode=require"), UP_TO_DATE);
    let no_file = refused(2, &verified("localhost", "nothing.pem"), &[]);
    assert!(no_file.contains("--store: sslrootcert: cannot read "), "{no_file}");
}

#[test]
fn a_server_that_is_not_fit_is_refused_and_the_next_one_is_asked() {
    let Some(server) = Postgres::start("trust", &["fsync=off"]) else { return };
    let url = server.url("localhost", "");
    let unflushed = refused(1, &url, &[]);
    assert!(
        unflushed.contains("the server has fsync=off, so it would lose what it has acknowledged"),
        "{unflushed}"
    );
    let unencrypted = refused(1, &server.url("localhost", "sslmode=require"), &[]);
    assert!(unencrypted.contains("does not speak TLS, which sslmode asks for"), "{unencrypted}");

    server.sql("postgres", "ALTER DATABASE shop SET default_transaction_read_only = on");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hosts = format!("@{closed},localhost:");
    let read_only = refused(1, &url.replace("@localhost:", &hosts), &[]);
    let [first, second] = read_only.split("; ").collect::<Vec<_>>()[..] else { panic!("{read_only}") };
    assert!(first.starts_with(&format!("{closed}: cannot connect: Connection refused")), "{first}");
    assert!(second.ends_with("the server is read-only"), "{second}");

    server.sql("postgres", "ALTER DATABASE shop RESET default_transaction_read_only");
    let output = migrate(&url.replace("@localhost:", &hosts), &[], &["--unsafe-no-flush"]);
    assert_code(&output, 0);
    assert_eq!(stdout(&output), MADE);
}

#[test]
fn a_store_that_cannot_be_reached_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(3, &format!("postgres://u@{closed}/d"), &[]);
    assert!(error.starts_with(&format!("{closed}: cannot connect: Connection refused")), "{error}");
    let error = refused(3, "postgres://u@nowhere.invalid/d?sslmode=disable", &[]);
    assert!(error.starts_with("nowhere.invalid:5432: cannot connect: failed to lookup address"), "{error}");
}

#[test]
fn what_is_no_engine_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/d", listener.local_addr().unwrap());
    for (answer, code, said) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", 1, "the server does not keep to PostgreSQL's protocol"),
        ("", 3, "the server has closed the connection"),
    ] {
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                // All of what it says is read, so that closing does not look like a reset.
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let error = refused(code, &url, &[]);
            assert!(error.contains(said), "{error}");
        });
    }
}

#[test]
fn a_mistake_in_the_command_line_is_explained() {
    assert!(
        refused(2, "postgres://u:hush@h/d", &[])
            .starts_with("--store: a password does not belong in the URL")
    );
    assert!(refused(2, "postgres://u@db/d", &[]).contains("needs sslrootcert=FILE"));
    let empty = [("MARKETPLACE_STORE_PASSWORD", "")];
    assert!(refused(2, "postgres://u@localhost/d", &empty).contains("the password is empty"));
    let output = PROGRAM.command(&["migrate"]).output().unwrap();
    assert_code(&output, 2);
    assert!(stderr(&output).starts_with("error: --store is missing"));
}
