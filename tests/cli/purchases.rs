//! Buying, and the key that keeps a repeated command from buying twice.

use std::fs;
use std::process::Output;

use support::{Act, FakeService, assert_code, stderr, stdout};

use super::User;
use super::terminal::{Terminal, buyer};

const RECEIPT: &str = r#"{"purchase_id":"1886417008722083840","items":[{"item_id":"1:42","name":"pen","quantity":2,"price":0.5}],"total":1.0}"#;
const BOUGHT: Act = Act::Reply(RECEIPT);
const HINT: &str = "The same command again asks for this very purchase: it is made once at most.\n";
const AGAIN: &str = "An earlier command got no answer; this one asks for the same purchase again.\n";

/// The keys under which purchases were asked for.
fn keys(server: &FakeService) -> Vec<String> {
    let requests = server.requests();
    let purchases = requests.iter().filter(|request| request["api"] == "MakePurchase");
    let key = |data: &serde_json::Value| data["idempotency_key"].as_str().map(str::to_owned);
    purchases.map(|request| key(&request["data"]).expect("it has a key")).collect()
}

fn buy(user: &User, server: &FakeService) -> Output {
    user.buyer(server, "--session s buy")
}

fn kept_keys(user: &User) -> usize {
    let files = fs::read_dir(user.home.path().join(".local/state/marketplace")).unwrap();
    files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("purchase-")).count()
}

#[test]
fn each_purchase_has_a_key_of_its_own() {
    let server = FakeService::start(&[BOUGHT, BOUGHT]);
    let user = User::new();
    for _ in 0..2 {
        let output = buy(&user, &server);
        assert_code(&output, 0);
        assert_eq!(stdout(&output), "1886417008722083840\t-\t1.0\t1:42\tpen\t2\t0.5\n");
        assert_eq!(stderr(&output), "");
        assert_eq!(kept_keys(&user), 0);
    }
    let keys = keys(&server);
    assert!(keys[0] != keys[1] && keys[0].len() == 32, "{keys:?}");
}

/// The purchase is asked for again, under the same key, and answered.
fn expect_again(user: &User, server: &FakeService) {
    assert_eq!(kept_keys(user), 1);
    let output = buy(user, server);
    assert_code(&output, 0);
    assert_eq!(stderr(&output), AGAIN);
    let keys = keys(server);
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(kept_keys(user), 0, "it has its answer");
}

#[test]
fn a_purchase_whose_answer_is_lost_is_the_one_that_the_next_command_asks_for() {
    for lost in [Act::Error("UNAVAILABLE"), Act::Error("INTERNAL"), Act::Line("nonsense")] {
        let server = FakeService::start(&[lost, BOUGHT]);
        let user = User::new();
        let output = buy(&user, &server);
        assert_code(&output, 1);
        assert!(stderr(&output).ends_with(HINT), "{}", stderr(&output));
        expect_again(&user, &server);
    }
}

#[test]
fn a_shell_that_is_killed_in_the_middle_leaves_the_key_behind() {
    let server = FakeService::start(&[Act::Ignore, BOUGHT]);
    let user = User::new();
    let address = server.address.to_string();
    let mut shell = user.command(&["buyer", "--server", &address, "--session", "s", "buy"]).spawn().unwrap();
    server.wait_for_requests(1);
    shell.kill().unwrap();
    shell.wait().unwrap();
    expect_again(&user, &server);
}

#[test]
fn a_purchase_that_is_refused_has_its_answer() {
    for code in ["OUT_OF_STOCK", "FAILED_PRECONDITION", "SESSION_TIMEOUT", "RESOURCE_EXHAUSTED"] {
        let server = FakeService::start(&[Act::Error(code), BOUGHT]);
        let user = User::new();
        let output = buy(&user, &server);
        assert_code(&output, 1);
        assert!(!stderr(&output).contains(HINT), "{}", stderr(&output));
        let output = buy(&user, &server);
        assert_code(&output, 0);
        assert_eq!(stderr(&output), "");
        let keys = keys(&server);
        assert_ne!(keys[0], keys[1], "{code}");
    }
}

#[test]
fn a_connection_that_breaks_in_the_middle_of_a_purchase_does_no_harm() {
    let server = FakeService::start(&[Act::Close, BOUGHT]);
    let output = buy(&User::new(), &server);
    assert_code(&output, 0);
    let keys = keys(&server);
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_key_of_ones_own_is_sent_as_it_is_and_not_kept() {
    let server = FakeService::start(&[Act::Error("UNAVAILABLE"), BOUGHT]);
    let user = User::new();
    assert_code(&user.buyer(&server, "--session s buy --key 'my key'"), 1);
    let output = buy(&user, &server);
    assert_code(&output, 0);
    assert_eq!(stderr(&output), "");
    assert_eq!(keys(&server)[0], "my key");
}

#[test]
fn a_key_that_cannot_be_kept_is_said_to_be_lost() {
    let server = FakeService::start(&[Act::Error("UNAVAILABLE")]);
    let address = server.address.to_string();
    let mut command = User::new().command(&["buyer", "--server", &address, "--session", "s", "buy"]);
    let output = command.env("XDG_STATE_HOME", "/dev/null/state").output().unwrap();
    assert_code(&output, 1);
    let message = stderr(&output);
    assert!(message.starts_with("Later commands will not know of this purchase: its key cannot be kept: "));
    assert!(message.ends_with("Look before you try again.\n"), "{message}");
}

#[test]
fn without_a_session_nothing_is_bought() {
    let server = FakeService::start(&[Act::Error("NOT_LOGGED_IN")]);
    let output = User::new().buyer(&server, "buy");
    assert_code(&output, 1);
    assert!(stderr(&output).ends_with("Log in first: login USER\n"), "{}", stderr(&output));
    assert_eq!(server.requests()[0]["data"], serde_json::json!({}));
}

#[test]
fn a_receipt_is_a_table_with_a_total_and_programs_get_the_reply() {
    let server = FakeService::start(&[BOUGHT, BOUGHT]);
    let mut terminal = Terminal::start(buyer(&User::new(), &server, &["--session", "s", "buy"]), 80);
    terminal.ends_with(0);
    assert_eq!(
        terminal.shown().replace("\r\n", "\n"),
        "┌──────┬──────┬───────┬──────────┬──────┐\n\
         │ Item ┆ Name ┆ Price ┆ Quantity ┆  Sum │\n\
         ╞══════╪══════╪═══════╪══════════╪══════╡\n\
         │ 1:42 ┆ pen  ┆  0.50 ┆        2 ┆ 1.00 │\n\
         └──────┴──────┴───────┴──────────┴──────┘\n\
         Total: 1.00.\n\
         Purchase 1886417008722083840 is made.\n"
    );
    let output = User::new().buyer(&server, "--session s --json buy");
    assert_code(&output, 0);
    assert_eq!(stdout(&output), format!("{RECEIPT}\n"));
}
