//! A seller's tables: importing and exporting them, and imports that are cut off.

mod cut_off;
mod relay;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use support::{Act, Addresses, Client, FakeService, assert_code, log_in, stderr, stdout};

use super::{PROGRAM, User};

const HEADER: &str = "name,category,keywords,condition,price,quantity\n";

/// A seller with a session and a folder for tables.
struct Seller {
    user: User,
    server: String,
    session: String,
    client: Client,
}

impl Seller {
    fn of(addresses: Addresses, name: &str) -> Seller {
        let mut client = Client::new(addresses.seller);
        let session = log_in(&mut client, name);
        Seller { user: User::new(), server: addresses.seller.to_string(), session, client }
    }

    /// A file with this table.
    fn file(&self, table: impl AsRef<[u8]>) -> PathBuf {
        let path = self.user.home.path().join("table.csv");
        fs::write(&path, table).unwrap();
        path
    }

    fn run(&self, words: &[&str]) -> Output {
        let own = ["seller", "--server", &self.server, "--session", &self.session];
        self.user.run(&[&own, words].concat())
    }

    fn import(&self, table: impl AsRef<[u8]>) -> Output {
        self.run(&["import", self.file(table).to_str().unwrap()])
    }

    /// All items, in the order of their IDs.
    fn items(&mut self) -> Vec<Value> {
        let (mut items, mut data) =
            (Vec::new(), json!({"session_id": self.session, "sold_out": true, "limit": 1000}));
        loop {
            let mut page = self.client.insist("DisplayItemsForSale", &data, |_| ());
            items.append(page["items"].as_array_mut().unwrap());
            if page["next_cursor"].is_null() {
                return items;
            }
            data["cursor"] = page["next_cursor"].take();
        }
    }
}

#[test]
fn a_table_becomes_a_shop_and_back_and_nothing_changes() {
    let marketplace = PROGRAM.marketplace(&[]);
    let mut seller = Seller::of(marketplace.addresses(), "sam");
    let table = "\u{feff}quantity,price,condition,keywords,category,name\r\n\
                 5,19.99,NEW,book | cs,1,Intro to DS\r\n\
                 0,3,used,,1,\"=SUM(A1), \"\"quoted\"\"\"\r\n\
                 1,0.5,new,a\\|b,2,Cafe\u{301}\r\n";
    let output = seller.import(table);
    assert_code(&output, 0);
    assert_eq!(
        stdout(&output),
        "Items registered: 3. Prices changed: 0. Units changed: 0. Rows with nothing to do: 0.\n"
    );
    let items = seller.items();
    assert_eq!(items[0]["keywords"], json!(["book", "cs"]));
    assert_eq!(items[2]["name"], "Café");

    let again = seller.import(table);
    assert_code(&again, 0);
    assert!(stdout(&again).ends_with("Rows with nothing to do: 3.\n"), "{}", stdout(&again));

    let output = seller.run(&["export"]);
    assert_code(&output, 0);
    let exported = stdout(&output).to_owned();
    let mut lines: Vec<_> = exported.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(lines[0], "item_id,name,category,keywords,condition,price,quantity");
    assert!(exported.contains("\n'2:1,Café,2,a\\|b,new,0.50,1\n"), "{exported}");
    assert!(exported.contains(",\"'=SUM(A1), \"\"quoted\"\"\",1,,used,3.00,0\n"), "{exported}");
    let output = seller.import(&exported);
    assert_code(&output, 0);
    assert!(
        stdout(&output).ends_with("Units changed: 0. Rows with nothing to do: 3.\n"),
        "{}",
        stdout(&output)
    );
    assert_eq!(seller.items(), items);
}

#[test]
fn rows_with_an_id_bring_price_and_units() {
    let marketplace = PROGRAM.marketplace(&[]);
    let mut seller = Seller::of(marketplace.addresses(), "sam");
    assert_code(&seller.import(format!("{HEADER}pen,1,,new,1.20,5\nink,1,,new,4,0\n")), 0);
    let path = seller.user.home.path().join("shop.csv");
    let output = seller.run(&["export", path.to_str().unwrap()]);
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "Items written: 2.\n");
    let exported = fs::read_to_string(&path).unwrap();
    assert!(exported.starts_with("\u{feff}item_id,"), "a spreadsheet is told that it is UTF-8");
    let changed = exported.replace("1.20,5", "1.10,3").replace("4.00,0", "4.00,20");
    let plan = seller.run(&["import", "--dry-run", seller.file(&changed).to_str().unwrap()]);
    assert_code(&plan, 0);
    let lines: Vec<_> = stdout(&plan).lines().map(|line| line.split_once(": ").unwrap().1).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("change the price of 1:")), "{lines:?}");
    assert!(seller.items().iter().any(|item| item["price"] == json!(1.2)), "nothing is done");

    let output = seller.import(&changed);
    assert_code(&output, 0);
    assert_eq!(
        stdout(&output),
        "Items registered: 0. Prices changed: 1. Units changed: 2. Rows with nothing to do: 0.\n"
    );
    for (name, price, quantity) in [("pen", 1.1, 3), ("ink", 4.0, 20)] {
        let items = seller.items();
        let item = items.iter().find(|item| item["name"] == name).unwrap();
        assert_eq!((&item["price"], &item["quantity"]), (&json!(price), &json!(quantity)));
    }
}

#[test]
fn rows_that_do_not_fit_the_shop_are_refused_before_anything_is_done() {
    let marketplace = PROGRAM.marketplace(&[]);
    let mut seller = Seller::of(marketplace.addresses(), "sam");
    assert_code(&seller.import(format!("{HEADER}pen,1,,new,1,5\n")), 0);
    let table = format!("item_id,{HEADER},ink,1,,new,1,1\n1:9,cap,1,,new,1,1\n1:1,pencil,1,,new,1,1\n");
    let output = seller.import(table);
    assert_code(&output, 1);
    let said: Vec<_> = stderr(&output).lines().skip(1).collect();
    assert_eq!(
        said,
        ["line 3: you have no item 1:9", "line 4: name is not that of item 1:1, and cannot be changed"]
    );
    assert_eq!(seller.items().len(), 1);
}

#[test]
fn a_table_with_mistakes_is_not_sent() {
    let server = FakeService::start(&[]);
    let user = User::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad\u{1b}.csv");
    for (table, expected) in [
        (&b""[..], "it is empty"),
        (b"name,price\npen,1\n", "are missing"),
        (b"name,colour\n", "there is no column \"colour\""),
        (b"\xff\xfen\0", "UTF-16"),
        (b"name\ncaf\xe9\n", "line 2: it is not in UTF-8"),
        (b"name,category,keywords,condition,price,quantity\npen,1,,new,1.005,5\n", "price \"1.005\""),
    ] {
        fs::write(&path, table).unwrap();
        let output = user.seller(&server, &format!("--session s import '{}'", path.display()));
        assert_code(&output, 2);
        let said = stderr(&output);
        assert!(said.starts_with("error: ") && said.contains(expected), "{said}");
        assert!(!said.contains('\u{1b}'));
    }
    for words in ["import", "import a b", "import --bogus a", "import /nowhere.csv", "export a b"] {
        assert_code(&user.seller(&server, &format!("--session s {words}")), 2);
    }
    assert_code(&user.seller(&server, "--session s export /nowhere/at/all.csv"), 1);
    assert!(server.lines().is_empty());
    for words in ["import -h", "export -h"] {
        let output = user.seller(&server, words);
        assert_code(&output, 0);
        assert!(stdout(&output).starts_with("Usage: marketplace seller "));
    }
}

/// A service at which a session ends after some rows; a login begins another, which does not.
fn forgetful_service() -> FakeService {
    FakeService::serve(support::ANY_PORT, || {
        let mut registered = 0;
        move |line| {
            let request: Value = serde_json::from_str(line).unwrap();
            let is_old = request["data"]["session_id"] == "old";
            match request["api"].as_str().unwrap() {
                "GetSellerRating" => Act::Reply(r#"{"seller_id":7}"#),
                "DisplayItemsForSale" => Act::Reply(r#"{"items":[],"next_cursor":null}"#),
                "Login" if request["data"]["password"] == "first" => Act::Reply(r#"{"session_id":"old"}"#),
                "Login" => Act::Reply(r#"{"session_id":"new"}"#),
                _ if is_old && registered == 3 => Act::Error("SESSION_TIMEOUT"),
                _ => {
                    registered += 1;
                    Act::Reply(r#"{"item_id":"1:1"}"#)
                }
            }
        }
    })
}

#[test]
fn a_session_that_ends_is_begun_again_where_the_password_is_known() {
    let rows: String = (0..40).map(|n| format!("item {n},1,,new,1,1\n")).collect();
    for known in [true, false] {
        let server = forgetful_service();
        let user = User::new();
        assert_code(&user.seller(&server, "login sam --password first"), 0);
        let path = user.home.path().join("t.csv");
        fs::write(&path, format!("{HEADER}{rows}")).unwrap();
        let address = server.address.to_string();
        let mut command = user.command(&["seller", "--server", &address, "import", path.to_str().unwrap()]);
        if known {
            command.env("MARKETPLACE_PASSWORD", "second");
        }
        let output = command.output().unwrap();
        if known {
            assert_code(&output, 0);
            assert!(stdout(&output).starts_with("Items registered: 40. "), "{}", stdout(&output));
            assert_eq!(stderr(&output), "The session had ended; logged in again.\n");
        } else {
            assert_code(&output, 1);
            assert!(stderr(&output).contains("SESSION_TIMEOUT"), "{}", stderr(&output));
            assert!(stderr(&output).contains("Log in first: login USER\n"), "{}", stderr(&output));
            assert!(stderr(&output).contains("Run the same again to go on"), "{}", stderr(&output));
        }
    }
}

#[test]
fn what_one_row_is_refused_keeps_no_other_from_being_sent() {
    let server = FakeService::serve(support::ANY_PORT, || {
        |line| match serde_json::from_str::<Value>(line).unwrap()["api"].as_str().unwrap() {
            "GetSellerRating" => Act::Reply(r#"{"seller_id":7}"#),
            "DisplayItemsForSale" => Act::Reply(r#"{"items":[],"next_cursor":null}"#),
            _ if line.contains("\"ink\"") => Act::Error("INVALID_ARGUMENT"),
            _ => Act::Reply(r#"{"item_id":"1:1"}"#),
        }
    });
    let user = User::new();
    let path = user.home.path().join("t.csv");
    fs::write(&path, format!("{HEADER}ink,1,,new,1,1\npen,1,,new,1,1\n")).unwrap();
    let output = user.seller(&server, &format!("--session s --json import '{}'", path.display()));
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "error: line 2: INVALID_ARGUMENT: a \\u{1b}[31mmessage\n");
    let summary: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&summary["registered"], &summary["refused"]), (&json!(1), &json!(1)));
}

/// Whoever cannot be asked now is not asked for the rest, and each row whose answer says nothing counts as not known.
#[test]
fn a_service_that_has_lost_its_database_gets_no_more_rows() {
    let server = FakeService::serve(support::ANY_PORT, || {
        |line| match serde_json::from_str::<Value>(line).unwrap()["api"].as_str().unwrap() {
            "GetSellerRating" => Act::Reply(r#"{"seller_id":7}"#),
            "DisplayItemsForSale" => Act::Reply(r#"{"items":[],"next_cursor":null}"#),
            _ => Act::Error("UNAVAILABLE"),
        }
    });
    let user = User::new();
    let path = user.home.path().join("t.csv");
    let rows: String = (0..1000).map(|n| format!("item {n},1,,new,1,1\n")).collect();
    fs::write(&path, format!("{HEADER}{rows}")).unwrap();
    let output = user.seller(&server, &format!("--session s import '{}'", path.display()));
    assert_code(&output, 1);
    let said = stderr(&output);
    assert!(said.starts_with("error: UNAVAILABLE: ") && said.contains("Run the same again"), "{said}");
    let sent = server.apis().iter().filter(|api| *api == "RegisterItemForSale").count();
    assert!(sent < 1000);
    let expected = format!("Not known: {sent}. Not done: {}.\n", 1000 - sent);
    assert!(stdout(&output).ends_with(&expected), "{}", stdout(&output));
}
