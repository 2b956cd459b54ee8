//! `marketplace backup` and `marketplace restore`, beside services that run, are killed, and start again.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::{Value, json};
use support::{Client, Service, request};
use tempfile::TempDir;

use super::databases::SmallDisk;
use super::{PASSWORD, PROGRAM, log_in};

/// Runs a subcommand; returns its exit code and what it says.
fn run(args: &[&str], paths: [&Path; 2]) -> (Option<i32>, String) {
    let output = PROGRAM.command(args).arg("--data").args(paths).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

fn run_backup(data: &Path, destination: &Path) -> (Option<i32>, String) {
    run(&["backup"], [data, destination])
}

fn run_restore(source: &Path, data: &Path) -> (Option<i32>, String) {
    run(&["restore"], [data, source])
}

#[track_caller]
fn must((code, text): (Option<i32>, String)) -> String {
    assert_eq!(code, Some(0), "{text}");
    text
}

#[track_caller]
fn must_fail((code, text): (Option<i32>, String)) -> String {
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("error: ") && !text.contains("panicked"), "{text}");
    text
}

/// Registers items with one write to the connection; the database shares its flushes among them.
fn register(address: SocketAddr, count: usize) {
    let mut connection = Client::connect(address);
    let item = json!({"seller_id": 1, "name": "x".repeat(30), "category": 1, "condition": "new", "price": 1, "quantity": 1});
    let request = request("RegisterItem", item);
    for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
        connection.send_bytes(request.repeat(chunk.len()).as_bytes());
        for _ in chunk {
            assert_eq!(connection.read_json()["ok"], true);
        }
    }
}

/// How many items there are; their numbers must have no gap.
#[track_caller]
fn items(address: SocketAddr) -> u64 {
    let mut client = Client::new(address);
    let total = client.ok("SearchItems", json!({"category": 1, "limit": 1}))["total"].as_u64().unwrap();
    if total > 0 {
        client.ok("GetItem", json!({"item_id": format!("1:{total}")}));
    }
    client.refused("GetItem", json!({"item_id": format!("1:{}", total + 1)}), "NOT_FOUND");
    total
}

/// How many items the database in a folder has, according to a service that is started there.
#[track_caller]
fn items_in(data: &Path) -> u64 {
    let mut service = PROGRAM.database("db_product", data);
    let count = items(service.address);
    service.stop();
    count
}

/// The file that a restore has kept.
#[track_caller]
fn kept(said: &str) -> PathBuf {
    let path = said.lines().find_map(|line| line.strip_prefix("what was there before: "));
    path.unwrap_or_else(|| panic!("nothing was kept: {said}")).into()
}

fn names(directory: &Path) -> Vec<String> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_restore_after_a_crash_brings_back_exactly_the_backup() {
    let root = TempDir::new().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup"));
    let mut database = PROGRAM.database("db_product", &data);
    register(database.address, 500);
    let said = must(run_backup(&data, &backup));
    assert!(said.starts_with(&format!("{}: ", backup.join("product.db").display())), "{said}");
    assert!(said.ends_with(&format!("there is no {}\n", data.join("customer.db").display())), "{said}");
    register(database.address, 5000);
    database.kill();
    assert!(fs::metadata(data.join("product.db-wal")).unwrap().len() > 0);

    let kept = kept(&must(run_restore(&backup, &data)));
    database.restart();
    assert_eq!(items(database.address), 500);
    // What it writes now has a log of its own.
    register(database.address, 10);
    database.restart();
    assert_eq!(items(database.address), 510);
    database.stop();

    // What was there is still a database, and can be put back.
    assert!(kept.with_extension("db-wal").exists());
    must(run_restore(&kept, &data));
    assert_eq!(items_in(&data), 5500);
}

#[test]
fn a_backup_beside_writes_has_all_that_was_acknowledged_before_it_began() {
    let root = TempDir::new().unwrap();
    let data = root.path().join("data");
    let mut database = PROGRAM.database("db_product", &data);
    let address = database.address;
    let (stop, acknowledged, sent) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut bounds = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                sent.fetch_add(100, Ordering::SeqCst);
                register(address, 100);
                acknowledged.fetch_add(100, Ordering::SeqCst);
            }
        });
        for number in 0..3 {
            let before = acknowledged.load(Ordering::SeqCst);
            let backup = root.path().join(number.to_string());
            let said = run_backup(&data, &backup);
            bounds.push((backup, before..=sent.load(Ordering::SeqCst), said));
        }
        stop.store(true, Ordering::SeqCst);
    });
    database.kill();
    for (backup, bounds, said) in bounds {
        must(said);
        assert_eq!(names(&backup), ["product.db"]);
        must(run_restore(&backup, &data));
        let found = items_in(&data);
        assert!(bounds.contains(&found), "{found} are not {bounds:?}");
    }
}

#[test]
fn both_databases_are_copied_while_they_run_and_restored_when_they_do_not() {
    let root = TempDir::new().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("deep/backup"));
    let mut databases = ["db_customer", "db_product"].map(|name| PROGRAM.database(name, &data));
    let account = json!({"name": "ann", "password": PASSWORD});
    Client::new(databases[0].address).ok("CreateBuyer", account.clone());
    register(databases[1].address, 1);
    let files = names(&data);
    must(run_backup(&data, &backup));
    assert_eq!(names(&data), files);
    assert_eq!(names(&backup), ["customer.db", "product.db"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&backup), 0o700);
    assert_eq!(mode(&backup.join("customer.db")), 0o600);

    assert!(must_fail(run_restore(&backup, &data)).contains("is in use"));
    databases[1].stop();
    let refused = must_fail(run_restore(&backup, &data));
    assert!(refused.contains("customer.db is in use"), "{refused}");
    assert!(!names(&data).iter().any(|name| name.contains("-re")), "{:?}", names(&data));
    databases[0].stop();
    let said = must(run_restore(&backup, &data));
    assert_eq!(said.matches("what was there before: ").count(), 2, "{said}");
    databases.iter_mut().for_each(Service::restart);
    Client::new(databases[0].address).refused("CreateBuyer", account, "ALREADY_EXISTS");
    assert_eq!(items(databases[1].address), 1);
}

#[test]
fn a_single_database_goes_through_a_pipe() {
    let root = TempDir::new().unwrap();
    let (data, file) = (root.path().join("data"), root.path().join("file"));
    let mut database = PROGRAM.database("db_product", &data);
    register(database.address, 500);
    let files = names(&data);
    let pipe = |subcommand: &str, data: &Path| {
        let mut command = PROGRAM.command(&[subcommand, "-", "--data"]);
        command.arg(data);
        command
    };
    let output = pipe("backup", &data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(&file, &output.stdout).unwrap();
    assert_eq!(names(&data), files, "what was there on the way is gone");
    let restore_to = |data: &Path, file: &Path| {
        let output = pipe("restore", data).stdin(File::open(file).unwrap()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let restore = |file: &Path| restore_to(&data, file);
    let new = root.path().join("new/data");
    must(restore_to(&new, &file));
    assert_eq!((names(&new), items_in(&new)), (vec!["product.db".to_owned()], 500));
    assert!(must_fail(restore(&file)).contains("is in use"));
    register(database.address, 10);
    database.stop();
    must(restore(&file));
    assert_eq!(items_in(&data), 500);
    fs::write(&file, &output.stdout[..output.stdout.len() / 2]).unwrap();
    assert!(must_fail(restore(&file)).contains("standard-input-"));
    assert_eq!(items_in(&data), 500);

    PROGRAM.database("db_customer", &data).stop();
    let output = pipe("backup", &data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("name a folder"));
    assert!(output.stdout.is_empty());
}

/// Whoever closes a database last removes its log, by its name, which is that of the new database's log as well.
#[test]
fn a_database_that_another_program_has_open_is_not_replaced() {
    let root = TempDir::new().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup"));
    PROGRAM.database("db_product", &data).stop();
    must(run_backup(&data, &backup));
    let reader = File::open(data.join("product.db")).unwrap();
    fcntl_lock(&reader, FlockOperation::LockShared).unwrap();
    assert!(must_fail(run_restore(&backup, &data)).contains("is in use"));
    drop(reader);
    must(run_restore(&backup, &data));
}

#[test]
fn what_cannot_be_copied_leaves_no_backup() {
    let root = TempDir::new().unwrap();
    let data = root.path().join("data");
    let backup = root.path().join("backup");
    assert!(must_fail(run_backup(&data, &backup)).contains("there is no product.db or customer.db in it"));
    let mut database = PROGRAM.database("db_product", &data);
    register(database.address, 2000);
    let file = root.path().join("file");
    fs::write(&file, "precious").unwrap();
    for destination in [&file, &file.join("below"), Path::new("/proc/self/backup")] {
        must_fail(run_backup(&data, destination));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(must_fail(run_backup(&data, &data)).contains("name another folder"));

    database.stop();
    let sound = fs::read(data.join("product.db")).unwrap();
    let mut damaged = sound.clone();
    damaged[sound.len() / 2..][..4096].fill(0x5a);
    for damaged in [&damaged[..], &sound[..sound.len() / 2], b"What is this?"] {
        fs::write(data.join("product.db"), damaged).unwrap();
        let said = must_fail(run_backup(&data, &backup));
        assert!(said.contains("data/product.db is damaged ("), "{said}");
        assert!(!backup.exists());
    }
}

#[test]
fn a_full_disk_leaves_no_backup_and_no_half_of_a_restore() {
    let root = TempDir::new().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup"));
    let mut database = PROGRAM.database("db_product", &data);
    register(database.address, 10_000);
    database.stop();
    must(run_backup(&data, &backup));
    let small = root.path().join("small");
    fs::create_dir(&small).unwrap();
    let Some(disk) = SmallDisk::mount(&small) else {
        println!("skipped: this user cannot mount a file system");
        return;
    };
    let said = must_fail(run_backup(&data, &small));
    assert!(said.contains("full"), "{said}");
    assert_eq!(names(&small), Vec::<String>::new());
    assert!(must_fail(run_restore(&backup, &small)).contains("No space left"));
    assert_eq!(names(&small), Vec::<String>::new());
    disk.grow();
    must(run_backup(&data, &small));
}

#[test]
fn links_to_folders_and_files_are_followed() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name);
    let mut database = PROGRAM.database("db_product", &path("disk"));
    register(database.address, 3);
    database.stop();
    fs::create_dir(path("data")).unwrap();
    symlink(path("disk/product.db"), path("data/product.db")).unwrap();
    symlink(path("data"), path("link")).unwrap();
    must(run_backup(&path("link"), &path("link/backup")));
    assert_eq!(names(&path("data/backup")), ["product.db"]);
    register(PROGRAM.database("db_product", &path("disk")).address, 1);
    symlink(path("data/backup"), path("source")).unwrap();
    must(run_restore(&path("source"), &path("link")));
    assert!(path("data/product.db").is_symlink());
    assert_eq!(items_in(&path("disk")), 3);
}

/// The databases are restored to different moments: the services answer, and tell what they have.
#[test]
fn services_cope_with_databases_of_different_moments() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name);
    let data = path("data");
    let mut databases = ["db_customer", "db_product"].map(|name| PROGRAM.database(name, &data));
    let [customer, product] = [databases[0].address, databases[1].address];
    let buyer_service = PROGRAM.frontend("server_buyer", customer, product, &[]);
    let seller_service = PROGRAM.frontend("server_seller", customer, product, &[]);
    let (mut buyer, mut seller) = (Client::new(buyer_service.address), Client::new(seller_service.address));
    must(run_backup(&data, &path("empty")));

    let session = log_in(&mut seller, "sam");
    let item = |session: &str| json!({"session_id": session, "name": "Book", "category": 1, "condition": "new", "price": 1, "quantity": 5});
    seller.ok("RegisterItemForSale", item(&session));
    let shopper = log_in(&mut buyer, "ann");
    let with = |data: Value| {
        let Value::Object(mut fields) = data else { panic!("it is an object") };
        fields.insert("session_id".into(), json!(shopper));
        Value::Object(fields)
    };
    let one = || with(json!({"item_id": "1:1", "quantity": 1}));
    buyer.ok("AddItemToCart", one());
    buyer.ok("ProvideFeedback", with(json!({"item_id": "1:1", "vote": "up"})));
    must(run_backup(&data, &path("full")));

    // An empty catalogue beside the accounts: there is a cart with an item that nobody sells.
    databases.iter_mut().for_each(Service::stop);
    must(run_restore(&path("empty/product.db"), &data));
    databases.iter_mut().for_each(Service::restart);
    let never = |_: &_| ();
    assert_eq!(buyer.insist("DisplayCart", with(json!({})), never)["cart"], json!({"1:1": 1}));
    assert_eq!(buyer.insist("SearchItemsForSale", json!({"category": 1}), never)["total"], 0);
    buyer.refused("AddItemToCart", one(), "NOT_FOUND");
    buyer.refused("ProvideFeedback", with(json!({"item_id": "1:1", "vote": "up"})), "NOT_FOUND");
    // The number is given again, and the vote of before counts for the seller already.
    assert_eq!(seller.insist("RegisterItemForSale", item(&session), never)["item_id"], "1:1");
    buyer.ok("ProvideFeedback", with(json!({"item_id": "1:1", "vote": "up"})));
    assert_eq!(seller.ok("GetSellerRating", json!({"session_id": session}))["feedback"]["up"], 1);
    buyer.ok("RemoveItemFromCart", one());

    // The catalogue without its accounts: there is an item whose seller nobody is.
    databases.iter_mut().for_each(Service::stop);
    must(run_restore(&path("empty/customer.db"), &data));
    must(run_restore(&path("full/product.db"), &data));
    databases.iter_mut().for_each(Service::restart);
    assert_eq!(buyer.insist("SearchItemsForSale", json!({"category": 1}), never)["total"], 1);
    buyer.refused("GetSellerRating", with(json!({"seller_id": 1})), "NOT_LOGGED_IN");
    let shopper = log_in(&mut buyer, "bob");
    let vote = json!({"session_id": shopper, "item_id": "1:1", "vote": "down"});
    assert_eq!(buyer.ok("ProvideFeedback", vote)["feedback"], json!({"up": 0, "down": 1}));
    buyer.refused("GetSellerRating", json!({"session_id": shopper, "seller_id": 1}), "NOT_FOUND");

    databases.iter_mut().for_each(Service::stop);
    must(run_restore(&path("full"), &data));
    databases.iter_mut().for_each(Service::restart);
    assert_eq!(seller.insist("GetSellerRating", json!({"session_id": session}), never)["feedback"]["up"], 1);
}
