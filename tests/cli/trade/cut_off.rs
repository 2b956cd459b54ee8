//! Imports that are cut off, and run again: each row is done once.

use std::fs;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;
use support::{Act, Addresses, FakeService, Process, assert_code, stderr, stdout};

use super::relay::Relay;
use super::{HEADER, PROGRAM, Seller, User};

const ROWS: usize = 1000;
/// What an import asks before it sends its first row.
const QUESTIONS: usize = 2;
/// So many rows it sends before the first is answered.
const IN_FLIGHT: usize = 64;

/// A table in which each description is there twice, every other time with the same number of units.
fn table() -> String {
    let row = |n: usize| {
        let (pair, quantity) = (n / 2, if n % 4 < 2 { n } else { n / 2 });
        format!("item {pair},{},a|b,new,{pair}.50,{quantity}\n", pair % 3)
    };
    format!("{HEADER}{}", (0..ROWS).map(row).collect::<String>())
}

/// Runs the same again, which completes what was cut off.
fn go_on(seller: &mut Seller) {
    let output = seller.import(table());
    assert_code(&output, 0);
    assert!(stderr(&output).starts_with("An earlier import was cut off; waiting "), "{}", stderr(&output));
    expect_all(seller);
    let again = seller.import(table());
    assert_code(&again, 0);
    assert!(stdout(&again).ends_with(&format!("Rows with nothing to do: {ROWS}.\n")), "{}", stdout(&again));
    assert_eq!(stderr(&again), "");
    expect_all(seller);
}

/// The shop has what the table says, each row once.
fn expect_all(seller: &mut Seller) {
    let row = |item: &serde_json::Value| {
        let price = item["price"].as_f64().unwrap();
        format!(
            "{},{},a|b,new,{price:.2},{}",
            item["name"].as_str().unwrap(),
            item["category"],
            item["quantity"]
        )
    };
    let mut found: Vec<_> = seller.items().iter().map(row).collect();
    let mut expected: Vec<_> = table().lines().skip(1).map(str::to_owned).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
}

fn start(seller: &Seller) -> Process {
    let path = seller.file(table());
    let args = [
        "seller",
        "--server",
        &seller.server,
        "--session",
        &seller.session,
        "import",
        path.to_str().unwrap(),
    ];
    Process::start(seller.user.command(&args).stdout(Stdio::null()))
}

/// A seller whose way to the service ends after so many rows.
fn seller_behind_relay(addresses: Addresses, name: &str, rows: usize) -> (Seller, Relay) {
    let relay = Relay::start(addresses.seller, QUESTIONS + rows);
    let seller = Seller::of(addresses, name);
    (Seller { server: relay.address.to_string(), ..seller }, relay)
}

#[test]
fn an_import_that_is_killed_is_completed_by_the_next_one() {
    let marketplace = PROGRAM.marketplace(&[]);
    let addresses = marketplace.addresses();
    thread::scope(|scope| {
        for rows in [1, 60, 500, ROWS - 1] {
            scope.spawn(move || {
                let (mut seller, relay) = seller_behind_relay(addresses, &format!("s{rows}"), rows);
                let mut import = start(&seller);
                relay.wait_for_end();
                import.kill();
                // At once, while the services may still be at what was sent.
                relay.open();
                go_on(&mut seller);
            });
        }
    });
}

#[test]
fn an_import_whose_frontend_is_killed_is_completed_by_the_next_one() {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let (mut seller, relay) = seller_behind_relay(marketplace.addresses(), "sam", 300);
    let import = start(&seller);
    relay.wait_for_end();
    marketplace.server_seller.kill();
    let (code, log) = import.finish();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("the connection broke") && log.contains("Run the same again to go on"), "{log}");
    marketplace.server_seller.restart();
    relay.open();
    go_on(&mut seller);
}

/// A service that knows a seller without items, and leaves it to the test to register any.
fn silent_service() -> FakeService {
    FakeService::serve(support::ANY_PORT, || {
        |line| match serde_json::from_str::<serde_json::Value>(line).unwrap()["api"].as_str().unwrap() {
            "GetSellerRating" => Act::Reply(r#"{"seller_id":7}"#),
            "DisplayItemsForSale" => Act::Reply(r#"{"items":[],"next_cursor":null}"#),
            _ => Act::Ignore,
        }
    })
}

/// A user with a table.
fn user_with_table() -> (User, String) {
    let user = User::new();
    let path = user.home.path().join("t.csv");
    fs::write(&path, table()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (user, path)
}

#[test]
fn two_imports_into_one_shop_do_not_run_at_once() {
    let (server, (user, path)) = (silent_service(), user_with_table());
    let address = server.address.to_string();
    let args = ["seller", "--server", &address, "--session", "s", "import", &path];
    let _first = Process::start(user.command(&args).stdout(Stdio::null()));
    server.wait_for_requests(QUESTIONS + 1);
    let output = user.run(&args);
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "error: another import into this shop is under way\n");
}

#[test]
fn an_import_that_is_interrupted_waits_for_what_it_has_sent() {
    let (server, (user, path)) = (silent_service(), user_with_table());
    let address = server.address.to_string();
    let args = ["seller", "--server", &address, "--session", "s", "import", &path];
    let mut import = Process::start(user.command(&args).stdout(Stdio::null()));
    server.wait_for_requests(QUESTIONS + IN_FLIGHT);
    import.signal(Signal::INT);
    import.wait_for("Stopping");
    (0..IN_FLIGHT).for_each(|_| server.next_call().answer(r#"{"item_id":"1:1"}"#));
    let (code, log) = import.finish();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.ends_with("Run the same again to go on: it looks first what is in the shop.\n"), "{log}");
    assert_eq!(server.lines().len(), QUESTIONS + IN_FLIGHT);
}
