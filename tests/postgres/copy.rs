//! `marketplace copy`.

mod refusals;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use services::postgres::{Flight, Statement};
use support::{Client, Postgres, Process, Service, assert_code, own_host, stderr, stdout, wait_until};
use tempfile::TempDir;

use super::PROGRAM;
use super::driver::Driver;

const PASSWORD: &str = "correct horse";
/// A purchase that only `db_product` knows of, later than all others.
const TAKEN: &str = "4611686018427387000";
/// The same, of which nothing was taken.
const REFUSED: &str = "4611686018427387001";

/// The databases, in files or on an engine.
struct Databases {
    customer: Service,
    product: Service,
}

/// What was given out while the databases were in files.
struct Known {
    /// The sessions of a seller and of two buyers.
    seller: String,
    ann: String,
    bob: String,
    /// What `bob` has bought.
    bought: String,
    /// What is under way in `bob`'s session, and in one that has ended.
    begun: [String; 2],
}

impl Databases {
    fn in_files(data: &Path) -> Self {
        let [customer, product] = ["db_customer", "db_product"].map(|name| PROGRAM.database(name, data));
        Self { customer, product }
    }

    fn on(url: &str) -> Self {
        let [customer, product] = ["db_customer", "db_product"].map(|name| {
            Service::adopt(name, command_on(name, url).arg(format!("--listen={}:0", own_host())))
        });
        Self { customer, product }
    }

    fn clients(&self) -> [Client; 2] {
        [Client::new(self.customer.address), Client::new(self.product.address)]
    }

    fn stop(&mut self) {
        self.customer.stop();
        self.product.stop();
    }
}

/// A database on an engine, but for its address.
fn command_on(name: &str, url: &str) -> Command {
    let mut command = PROGRAM.command(&[name, "--store", url]);
    if name == "db_customer" {
        command.args(["--hash-memory-kib=8", "--hash-passes=1"]);
    }
    command
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn log_in(client: &mut Client, name: &str) -> String {
    text(&client.ok("Login", json!({"name": name, "password": PASSWORD}))["session_id"])
}

/// Makes some of everything that there can be. The databases are left stopped.
fn fill(data: &Path) -> Known {
    let mut databases = Databases::in_files(data);
    let (customer, product) = (databases.customer.address, databases.product.address);
    let [mut server_buyer, mut server_seller] =
        ["server_buyer", "server_seller"].map(|name| PROGRAM.frontend(name, customer, product, &[]));
    let (mut buyers, mut sellers) = (Client::new(server_buyer.address), Client::new(server_seller.address));
    for name in ["ann", "bob"] {
        buyers.ok("CreateAccount", json!({"name": name, "password": PASSWORD}));
        sellers.ok("CreateAccount", json!({"name": name, "password": PASSWORD}));
    }
    let [seller, other] = ["ann", "bob"].map(|name| log_in(&mut sellers, name));
    for (session, category, name, quantity) in [
        (&seller, 1, "Red Straße (pen)", 5),
        (&seller, 1, "blue pen", 0),
        (&other, 1, "desk", 1),
        (&seller, 7, "lamp", 1_000_000_000),
        (&other, 7, "pen of pens", 9),
    ] {
        let keywords = json!(["pen", "É"]);
        let item = json!({"session_id": session, "name": name, "category": category, "keywords": keywords,
            "condition": "used", "price": 19.99, "quantity": quantity});
        sellers.ok("RegisterItemForSale", item);
    }
    sellers.ok("ChangeItemPrice", json!({"session_id": seller, "item_id": "1:1", "price": 0.1}));
    let [ann, bob] = ["ann", "bob"].map(|name| log_in(&mut buyers, name));
    let add = |session: &str, item: &str, quantity| json!({"session_id": session, "item_id": item, "quantity": quantity});
    for (session, item, quantity) in [(&ann, "1:1", 2), (&ann, "7:1", 7), (&bob, "1:3", 1), (&bob, "7:2", 2)]
    {
        buyers.ok("AddItemToCart", add(session, item, quantity));
    }
    buyers.ok("SaveCart", json!({"session_id": ann}));
    buyers.ok("RemoveItemFromCart", add(&ann, "7:1", 3));
    let purchase = json!({"session_id": bob, "idempotency_key": "a\u{0}é"});
    let bought = text(&buyers.ok("MakePurchase", purchase)["purchase_id"]);
    for (session, item, vote) in
        [(&ann, "1:1", "down"), (&ann, "1:1", "up"), (&bob, "1:1", "down"), (&bob, "7:2", "up")]
    {
        buyers.ok("ProvideFeedback", json!({"session_id": session, "item_id": item, "vote": vote}));
    }
    let gone = log_in(&mut buyers, "ann");
    buyers.ok("AddItemToCart", add(&bob, "7:1", 4));
    server_buyer.stop();
    server_seller.stop();

    let [mut customer, mut product] = databases.clients();
    let begun = [(&bob, "b"), (&gone, "c")].map(|(session, key)| {
        let begin = json!({"session_id": session, "idempotency_key": key});
        text(&customer.ok("BeginPurchase", begin)["unfinished"]["purchase_id"])
    });
    customer.ok("Logout", json!({"session_id": gone}));
    for id in [TAKEN, REFUSED] {
        product.ok("TakeStock", json!({"purchase_id": id, "lines": {"7:2": 4}, "ended_before": "0"}));
    }
    databases.stop();
    Known { seller, ann, bob, bought, begun }
}

impl Known {
    /// What the databases say that does not change by being asked for.
    fn answers(&self, databases: &Databases) -> Vec<String> {
        let [mut customer, mut product] = databases.clients();
        let Self { seller, ann, bob, .. } = self;
        let of_customer = [
            ("ValidateSession", json!({"session_id": ann})),
            ("ValidateSession", json!({"session_id": seller, "role": "seller"})),
            ("GetCart", json!({"session_id": ann})),
            ("GetCart", json!({"session_id": bob})),
            ("GetCart", json!({"buyer_id": 1})),
            ("GetCart", json!({"buyer_id": 2})),
            ("GetSellerRating", json!({"seller_id": 1})),
            ("GetSellerRating", json!({"session_id": seller, "seller_id": 2})),
            ("GetBuyerPurchases", json!({"buyer_id": 1})),
            ("GetBuyerPurchases", json!({"session_id": bob})),
            ("BeginPurchase", json!({"session_id": bob, "idempotency_key": "a\u{0}é"})),
        ];
        let take = |id: &str| json!({"purchase_id": id, "lines": {"7:2": 4}, "ended_before": "0"});
        let mut of_product = vec![
            ("SearchItems", json!({"category": 1})),
            ("SearchItems", json!({"keywords": ["PEN", "strasse"]})),
            ("SearchItems", json!({"keywords": ["pen"], "limit": 1})),
            ("SearchItems", json!({"keywords": ["é"], "category": 7})),
            ("SearchItems", json!({"keywords": ["blue"]})),
            ("DisplayItemsForSale", json!({"seller_id": 1})),
            ("DisplayItemsForSale", json!({"seller_id": 1, "sold_out": true, "limit": 2})),
            ("DisplayItemsForSale", json!({"seller_id": 2})),
            ("TakeStock", take(TAKEN)),
            ("TakeStock", take(REFUSED)),
        ];
        let items = ["1:1", "1:2", "1:3", "7:1", "7:2"];
        of_product.extend(items.map(|id| ("GetItem", json!({"item_id": id}))));
        let mut answers: Vec<_> = of_customer.map(|(api, data)| customer.ok_text(api, data)).into();
        answers.extend(of_product.into_iter().map(|(api, data)| product.ok_text(api, data)));
        let wrong = json!({"name": "ann", "password": "wrong", "role": "buyer"});
        answers.push(customer.refused("Login", wrong, "AUTH_FAILED"));
        answers.push(product.refused("GetItem", json!({"item_id": "1:4"}), "NOT_FOUND"));
        answers
    }
}

fn copy(url: &str, data: &Path) -> Output {
    copying(url, data).output().unwrap()
}

fn copying(url: &str, data: &Path) -> Command {
    let mut command = PROGRAM.command(&["copy", "--store", url, "--data"]);
    command.arg(data);
    command
}

/// What is said of a copy that is not made, in one line.
#[track_caller]
fn refused(url: &str, data: &Path) -> String {
    let output = copy(url, data);
    assert_code(&output, 1);
    assert_eq!(stdout(&output), "");
    let said = stderr(&output).strip_prefix("error: ").unwrap_or_else(|| panic!("{}", stderr(&output)));
    said.strip_suffix('\n').filter(|said| !said.contains('\n')).expect("one line").to_owned()
}

fn migrate(url: &str) {
    assert_code(&PROGRAM.command(&["migrate", "--store", url]).output().unwrap(), 0);
}

/// A server whose tables are made.
fn server() -> Option<(Postgres, String)> {
    let server = Postgres::start("trust", &[])?;
    let url = server.url("localhost", "");
    migrate(&url);
    Some((server, url))
}

/// Databases must not start.
#[track_caller]
fn assert_unusable(url: &str) {
    for name in ["db_customer", "db_product"] {
        let (code, log) = Process::run(command_on(name, url).arg(format!("--listen={}:0", own_host())));
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("has not come to its end: run `marketplace copy` again"), "{log}");
    }
    let output = PROGRAM.command(&["migrate", "--store", url]).output().unwrap();
    assert_code(&output, 1);
    assert!(stderr(&output).contains("`marketplace copy` again"), "{}", stderr(&output));
}

const COPIED: &str = "\
sellers: 2
buyers: 2
sessions: 4
cart_lines: 5
seller_votes: 3
purchases: 1
purchase_keys: 3
purchases_begun: 2
purchase_lines: 3
items: 5
item_terms: 18
item_votes: 3
decisions: 3
decision_lines: 3
categories: 2
shelves: 2
";

#[test]
fn what_is_copied_is_answered_as_before() {
    let Some((server, url)) = server() else { return };
    let data = TempDir::new().unwrap();
    let known = fill(data.path());
    let mut databases = Databases::in_files(data.path());
    let before = known.answers(&databases);
    databases.stop();
    let output = copy(&url, data.path());
    assert_code(&output, 0);
    assert_eq!((stdout(&output), stderr(&output)), (COPIED, ""));
    let again = refused(&url, data.path());
    assert!(
        again.ends_with("the table sellers has rows already: a copy goes into tables without any"),
        "{again}"
    );

    let databases = Databases::on(&url);
    assert_eq!(known.answers(&databases), before);
    let [mut customer, mut product] = databases.clients();
    for (role, name, id) in [("buyer", "bob", 2), ("seller", "ann", 1)] {
        let login = json!({"name": name, "password": PASSWORD, "role": role});
        assert_eq!(customer.ok("Login", login)["user_id"], id);
    }
    // What was under way comes to its end.
    let begin = json!({"session_id": known.bob, "idempotency_key": "b"});
    assert_eq!(customer.ok("BeginPurchase", begin)["unfinished"]["purchase_id"], known.begun[0]);
    let claimed = customer.ok("ClaimPurchases", json!({"limit": 10}));
    let ids: Vec<String> =
        claimed["purchases"].as_array().unwrap().iter().map(|one| text(&one["purchase_id"])).collect();
    assert_eq!(ids, known.begun);
    for id in &known.begun {
        customer.ok("FinishPurchase", json!({"purchase_id": id}));
    }
    // Nothing is given out twice.
    let account = json!({"name": "tom", "password": PASSWORD});
    assert_eq!(customer.ok_text("CreateSeller", &account), r#"{"seller_id":3}"#);
    assert_eq!(customer.ok_text("CreateBuyer", &account), r#"{"buyer_id":3}"#);
    let item =
        json!({"seller_id": 2, "name": "bed", "category": 1, "condition": "new", "price": 1, "quantity": 1});
    assert_eq!(product.ok_text("RegisterItem", item), r#"{"item_id":"1:4"}"#);
    let begun = customer.ok("BeginPurchase", json!({"session_id": known.ann}));
    let number = |id: &str| id.parse::<u64>().unwrap();
    let last = known.begun.iter().chain([&known.bought]).map(|id| number(id)).max().unwrap();
    assert!(number(&text(&begun["unfinished"]["purchase_id"])) > last);
    // A vote that was cast before is replaced.
    let vote = json!({"item_id": "1:1", "vote": "down", "buyer_id": 1});
    let voted = product.ok_text("ProvideFeedback", vote);
    assert!(
        voted.contains(r#""feedback":{"up":0,"down":2}"#) && voted.contains(r#""revision":3"#),
        "{voted}"
    );
    // Two items have the same words in another order, and one is sold out.
    product.ok("UpdateUnitsForSale", json!({"item_id": "7:2", "quantity_delta": -3}));
    let found = product.ok("SearchItems", json!({"keywords": ["pens"]}));
    assert_eq!((&found["total"], &found["items"]), (&json!(0), &json!([])));
    assert_eq!(server.sql("shop", "SELECT count(*) FROM item_terms WHERE item_id = 7 * 4294967296 + 2"), "0");
}

#[test]
fn numbers_follow_those_that_were_given_whatever_the_clock_says() {
    let Some((server, url)) = server() else { return };
    let data = TempDir::new().unwrap();
    let known = fill(data.path());
    assert_code(&copy(&url, data.path()), 0);
    let last = "SELECT min(last), max(last), (SELECT max(last) FROM account_numbers) FROM purchase_numbers";
    let numbers = server.sql("shop", last);
    let [min, max, accounts] = numbers.split('|').collect::<Vec<_>>()[..] else { panic!("{numbers}") };
    assert_eq!((min, accounts), (max, "2"));
    let greatest = known.begun[1].parse::<u64>().unwrap();
    assert!(min.parse::<u64>().unwrap() >= greatest / 16, "{min} {greatest}");
}

const SLEEPERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";

#[test]
fn a_copy_that_is_broken_off_is_continued_and_nothing_uses_it_before() {
    let Some((server, url)) = server() else { return };
    let data = TempDir::new().unwrap();
    let known = fill(data.path());
    // Some way in, somebody else keeps a table from being written to.
    let calls = ["LOCK TABLE decisions IN SHARE MODE", "SELECT pg_sleep(60)"];
    let mut other = Driver::connect(&url);
    other.send(Flight::transaction(calls.map(|sql| Statement::once(sql).with([])).into()));
    wait_until("the lock", || server.sql("shop", SLEEPERS) == "1");
    let mut broken_off =
        copying(&url, data.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    wait_until("the middle of the copy", || server.sql("shop", waiting) == "1");
    broken_off.kill().unwrap();
    broken_off.wait().unwrap();
    server.sql("shop", &SLEEPERS.replace("count(*)", "pg_terminate_backend(pid)"));
    assert_eq!(server.sql("shop", "SELECT count(*) FROM sellers"), "2");
    assert_unusable(&url);

    // Other data does not get mixed with it.
    let other = TempDir::new().unwrap();
    Databases::in_files(other.path()).stop();
    let error = refused(&url, other.path());
    assert!(error.contains("the tables of customer have a part of other data"), "{error}");

    let output = copy(&url, data.path());
    assert_code(&output, 0);
    assert_eq!(stdout(&output), COPIED);
    let mut in_files = Databases::in_files(data.path());
    let before = known.answers(&in_files);
    in_files.stop();
    assert_eq!(known.answers(&Databases::on(&url)), before);
}

#[test]
fn data_that_has_changed_does_not_go_on_with_a_copy_of_what_it_was() {
    let Some((server, url)) = server() else { return };
    let data = TempDir::new().unwrap();
    fill(data.path());
    server.sql("shop", "ALTER TABLE shelves ADD CONSTRAINT full_up CHECK (seller_id < 2)");
    let error = refused(&url, data.path());
    assert!(error.contains("the server refuses a statement") && error.contains("full_up"), "{error}");
    assert_unusable(&url);
    let mut databases = Databases::in_files(data.path());
    let [_, mut product] = databases.clients();
    product.ok("ChangeItemPrice", json!({"item_id": "1:1", "price": 3}));
    databases.stop();
    server.sql("shop", "ALTER TABLE shelves DROP CONSTRAINT full_up");
    let error = refused(&url, data.path());
    assert!(error.contains("or of these before they were changed: make a new database"), "{error}");
}

#[test]
fn whoever_writes_to_the_tables_meanwhile_is_found_out() {
    let Some((server, url)) = server() else { return };
    let data = TempDir::new().unwrap();
    fill(data.path());
    // A service that has run since before the copy. It may have written at any time.
    server.sql(
        "shop",
        "CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO shelves VALUES (99, 1) ON CONFLICT DO NOTHING; RETURN NULL; END'",
    );
    server.sql("shop", "CREATE TRIGGER writing AFTER INSERT ON categories EXECUTE FUNCTION write()");
    let error = refused(&url, data.path());
    assert!(error.contains("product: shelves has 3 rows in place of 2"), "{error}");
    assert_unusable(&url);
}
