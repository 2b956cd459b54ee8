//! Databases whose data directory is taken, impossible, damaged or full: they say so and end, and what was
//! acknowledged is still there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use support::{Client, Process, Service};

use super::PROGRAM;

const DATABASES: [&str; 2] = ["db_customer", "db_product"];

/// Starts a database that must refuse; returns what it says.
#[track_caller]
fn refusal(name: &str, data: &Path) -> String {
    let args = Service::database_args(name, data);
    let (code, log) = Process::run(PROGRAM.command(&[name, "--listen=127.0.0.1:0"]).args(args));
    assert_eq!(code, Some(1), "{log}");
    assert!(!log.contains("listening on") && !log.contains("panicked"), "{log}");
    log
}

fn file_of(name: &str, data: &Path) -> std::path::PathBuf {
    data.join(format!("{}.db", name.trim_start_matches("db_")))
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_the_first_unharmed() {
    for name in DATABASES {
        let data = tempfile::tempdir().unwrap();
        let mut database = PROGRAM.database(name, data.path());
        let mut client = Client::new(database.address);
        write(&mut client, name, 1);
        assert!(refusal(name, data.path()).contains("is in use by another process"));
        write(&mut client, name, 2);
        // The lock goes with its process, however that ends.
        database.restart();
        assert_eq!(written(&mut Client::new(database.address), name), 2);
    }
}

#[test]
fn a_database_behind_a_symbolic_link_goes_on_and_comes_back() {
    for name in DATABASES {
        let (disk, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        PROGRAM.database(name, disk.path()).stop();
        symlink(file_of(name, disk.path()), file_of(name, data.path())).unwrap();
        let mut database = PROGRAM.database(name, data.path());
        for number in 1..=3 {
            write(&mut Client::new(database.address), name, number);
            write(&mut Client::new(database.address), name, number + 3);
            // What was written is in the log only, which is beside the file that the link leads to.
            database.restart();
        }
        assert_eq!(written(&mut Client::new(database.address), name), 6);
        assert!(refusal(name, disk.path()).contains("is in use by another process"));
    }
}

#[test]
fn a_database_whose_file_goes_away_ends_while_it_has_nothing_to_do() {
    for (name, gone) in [("db_customer", "customer.db"), ("db_product", "product.db-wal")] {
        let data = tempfile::tempdir().unwrap();
        let database = PROGRAM.database(name, data.path());
        fs::remove_file(data.path().join(gone)).unwrap();
        let (code, log) = database.finish();
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("event=maintenance_failed") && log.contains("was deleted or replaced"), "{log}");
    }
}

#[test]
fn a_database_that_can_open_nothing_more_goes_on() {
    for name in DATABASES {
        let data = tempfile::tempdir().unwrap();
        let mut database = PROGRAM.database(name, data.path());
        let mut client = Client::new(database.address);
        write(&mut client, name, 1);
        let pid = database.process().pid();
        let taken =
            |number: &u64| fs::symlink_metadata(format!("/proc/{}/fd/{number}", pid.as_raw_nonzero()));
        let free = (0..).find(|number| taken(number).is_err());
        prlimit(Some(pid), Resource::Nofile, Rlimit { current: free, maximum: free }).unwrap();
        // Enough to make the log longer, and to bring it into the file.
        for number in 2..=1200 {
            write(&mut client, name, number);
        }
        assert!(database.process().is_running());
    }
}

#[test]
fn a_database_that_is_killed_while_it_starts_can_start_again() {
    let mut rng = Rng::with_seed(1);
    for name in DATABASES {
        for _ in 0..10 {
            let data = tempfile::tempdir().unwrap();
            let args = Service::database_args(name, data.path());
            let mut process = Process::start(PROGRAM.command(&[name, "--listen=127.0.0.1:0"]).args(args));
            thread::sleep(Duration::from_micros(rng.u64(..20_000)));
            process.kill();
            let database = PROGRAM.database(name, data.path());
            write(&mut Client::new(database.address), name, 1);
        }
    }
}

#[test]
fn both_databases_share_a_directory_that_only_the_user_can_read() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("deep/data");
    let _databases = DATABASES.map(|name| PROGRAM.database(name, &data));
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o077, 0);
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn an_impossible_directory_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "precious").unwrap();
    for name in DATABASES {
        for data in [&file, &file.join("below")] {
            assert!(refusal(name, data).contains(&*data.to_string_lossy()));
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let data = tempfile::tempdir().unwrap();
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(data.path().join("probe"), "").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    for name in DATABASES {
        assert!(refusal(name, data.path()).contains("Permission denied"));
    }
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    for name in DATABASES {
        let data = tempfile::tempdir().unwrap();
        let mut database = PROGRAM.database(name, data.path());
        write(&mut Client::new(database.address), name, 1);
        // An orderly end leaves everything in the one file.
        database.stop();
        let file = file_of(name, data.path());
        let sound = fs::read(&file).unwrap();
        let header = [&[0xa5; 100], &sound[100..]].concat();
        let pages: Vec<u8> =
            sound.iter().enumerate().map(|(at, byte)| if at < 4096 { *byte } else { 0xa5 }).collect();
        for damaged in [header, pages, sound[..sound.len() / 2].to_vec()] {
            fs::write(&file, &damaged).unwrap();
            let log = refusal(name, data.path());
            assert!(log.contains("is damaged"), "{log}");
            assert!(fs::read(&file).unwrap() == damaged, "the damaged file was changed");
        }
        fs::write(&file, &sound).unwrap();
        database.restart();
        assert_eq!(written(&mut Client::new(database.address), name), 1);
    }
}

#[test]
fn a_database_that_has_lost_acknowledged_writes_says_so_until_that_is_accepted() {
    for name in DATABASES {
        let data = tempfile::tempdir().unwrap();
        let mut database = PROGRAM.database(name, data.path());
        (1..=20).for_each(|number| write(&mut Client::new(database.address), name, number));
        database.kill();
        let [file, log, mark] = ["", "-wal", "-commits"].map(|suffix| {
            let file = file_of(name, data.path());
            data.path().join(format!("{}{suffix}", file.file_name().unwrap().display()))
        });
        let sound = fs::read(&log).unwrap();
        // Each page has a header of 24 bytes there, and what follows the last one is room.
        let middle = 10 * (4096 + 24);
        let mut flipped = sound.clone();
        flipped[middle] ^= 0x10;
        for bytes in [&flipped[..], &sound[..middle], &[]] {
            fs::write(&log, bytes).unwrap();
            let said = refusal(name, data.path());
            assert!(said.contains("does not hold all that was acknowledged (it has "), "{said}");
            assert!(fs::read(&log).unwrap() == bytes, "the log was changed");
        }
        fs::write(&log, &sound).unwrap();
        database.restart();
        assert_eq!(written(&mut Client::new(database.address), name), 20);
        database.stop();

        fs::remove_file(&file).unwrap();
        let said = refusal(name, data.path());
        assert!(said.contains("(it is not there)") && said.contains(&*mark.to_string_lossy()), "{said}");
        fs::remove_file(&mark).unwrap();
        let mut database = PROGRAM.database(name, data.path());
        assert_eq!(written(&mut Client::new(database.address), name), 0);
        database.process().signal(Signal::TERM);
        let (_, said) = database.finish();
        assert!(said.contains("WARN") && said.contains("event=database_created path="), "{said}");
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    let data = tempfile::tempdir().unwrap();
    for name in DATABASES {
        PROGRAM.database(name, data.path()).stop();
    }
    let [customer, product] = DATABASES.map(|name| file_of(name, data.path()));
    fs::copy(&customer, &product).unwrap();
    assert!(refusal("db_product", data.path()).contains("is not a file of this database"));
}

/// A limit on the size of files stands in for a full disk where no file system can be mounted.
#[test]
fn a_file_that_cannot_grow_ends_the_process_and_loses_nothing() {
    // The signal that comes with the limit is ignored, so that the write fails as it would on a full disk.
    let script = r#"trap '' XFSZ; ulimit -f 400; exec "$0" "$@""#;
    for name in DATABASES {
        let data = tempfile::tempdir().unwrap();
        run_out_of_space(name, data.path(), PROGRAM.script(script, &[]), || ());
    }
}

#[test]
fn a_full_disk_ends_the_process_and_loses_nothing() {
    for name in DATABASES {
        let parent = tempfile::tempdir().unwrap();
        let Some(disk) = SmallDisk::mount(parent.path()) else {
            println!("skipped: this user cannot mount a file system");
            return;
        };
        run_out_of_space(name, disk.0, PROGRAM.command(&[]), || disk.grow());
    }
}

/// Runs a database by `program` until it has no more space, makes space, and checks what is there.
fn run_out_of_space(name: &'static str, data: &Path, mut program: Command, make_space: impl FnOnce()) {
    let args = Service::database_args(name, data);
    let database = Service::adopt(name, program.args([name, "--listen=127.0.0.1:0"]).args(&args));
    let mut client = Client::new(database.address);
    let mut acknowledged = 0;
    while try_write(&mut client, name, acknowledged + 1) {
        acknowledged += 1;
    }
    let (code, log) = database.finish();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("event=commit_failed") && !log.contains("panicked"), "{log}");
    assert!(acknowledged > 0, "there was some space: {log}");

    make_space();
    let database = PROGRAM.database(name, data);
    let found = written(&mut Client::new(database.address), name);
    // The last write was not acknowledged, and may or may not be there.
    assert!((acknowledged..=acknowledged + 1).contains(&found), "{found} in place of {acknowledged}");
    write(&mut Client::new(database.address), name, found + 1);
}

/// A file system of half a megabyte.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None`: this user may not.
    pub(crate) fn mount(place: &'a Path) -> Option<Self> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(place).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(place))
    }

    pub(crate) fn grow(&self) {
        let mount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(self.0).status();
        assert!(mount.expect("it was there before").success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A process that is just being killed may still use it, so it goes when that has ended.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[track_caller]
fn write(client: &mut Client, name: &str, number: u64) {
    assert!(try_write(client, name, number));
}

/// Writes something new, the `number`th of its kind; returns whether that was acknowledged.
fn try_write(client: &mut Client, name: &str, number: u64) -> bool {
    let filler = "x".repeat(20);
    let (api, data): (&str, Value) = match name {
        "db_customer" => {
            ("CreateBuyer", json!({"name": filler, "username": number.to_string(), "password": "p"}))
        }
        _ => (
            "RegisterItem",
            json!({
                "seller_id": 1, "name": filler, "category": 1, "condition": "new", "price": 1, "quantity": 1,
            }),
        ),
    };
    client.call(api, &data).is_ok()
}

/// How many there are of what [`try_write`] writes.
fn written(client: &mut Client, name: &str) -> u64 {
    match name {
        "db_customer" => {
            // Account numbers are given in order.
            let exists = |buyer: &u64| client.call("GetCart", json!({"buyer_id": buyer})).is_ok();
            (1..).take_while(exists).last().unwrap_or(0)
        }
        _ => client.ok("SearchItems", json!({"category": 1, "limit": 1}))["total"].as_u64().unwrap(),
    }
}
