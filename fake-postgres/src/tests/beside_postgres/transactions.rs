//! Transactions that meet: who waits for whom, what they find when they go on, and what is left of those that end.

use support::wait_until;

use super::{Both, NAMES, postgres};
use crate::tests::{Isolation, LEVELS};

/// What clients say in turn: the number of a client and a statement in each line. Nobody is left waiting.
const SCRIPTS: [&str; 12] = [
    // A row is locked up to the end of the transaction that has changed it, and looked at again then.
    "1 BEGIN
     1 UPDATE accounts SET balance = balance - 5 WHERE id = 1
     2 UPDATE accounts SET balance = balance - 8 WHERE id = 1 AND balance >= 8
     1 COMMIT",
    "1 BEGIN
     1 UPDATE accounts SET balance = balance - 5 WHERE id = 1
     2 UPDATE accounts SET balance = balance - 8 WHERE id = 1 AND balance >= 8
     1 ROLLBACK",
    "1 BEGIN
     1 DELETE FROM accounts WHERE id = 1
     2 UPDATE accounts SET balance = 0 WHERE id = 1
     1 COMMIT",
    // What a statement sees, and what a transaction may change of what others have changed since.
    "1 BEGIN
     1 SELECT balance FROM accounts ORDER BY id
     2 UPDATE accounts SET balance = balance + 5 WHERE id = 1
     1 SELECT balance FROM accounts ORDER BY id
     1 UPDATE accounts SET balance = balance + 1 WHERE id = 1
     1 COMMIT",
    "1 BEGIN
     1 SELECT count(*) FROM accounts
     2 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)
     1 SELECT count(*) FROM accounts
     1 UPDATE accounts SET balance = 7
     1 COMMIT",
    "1 BEGIN
     1 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)
     1 SELECT count(*) FROM accounts
     2 SELECT count(*) FROM accounts
     1 COMMIT
     2 SELECT count(*) FROM accounts",
    // Two that wait for each other.
    "1 BEGIN
     2 BEGIN
     1 UPDATE accounts SET balance = balance + 1 WHERE id = 1
     2 UPDATE accounts SET balance = balance + 1 WHERE id = 2
     1 UPDATE accounts SET balance = balance + 1 WHERE id = 2
     2 UPDATE accounts SET balance = balance + 1 WHERE id = 1
     2 COMMIT
     1 COMMIT",
    // Keys that somebody may take or leave.
    "1 BEGIN
     1 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)
     2 INSERT INTO accounts (id, owner, balance) VALUES (3, 'dan', 0)
     1 COMMIT",
    "1 BEGIN
     1 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)
     2 INSERT INTO accounts (id, owner, balance) VALUES (4, 'cat', 0)
     1 ROLLBACK",
    "1 BEGIN
     1 DELETE FROM accounts WHERE id = 1
     2 INSERT INTO accounts (id, owner, balance) VALUES (1, 'eve', 0)
     1 COMMIT",
    "1 BEGIN
     1 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)
     2 INSERT INTO accounts (id, owner, balance) VALUES (3, 'dan', 0) ON CONFLICT (id) DO NOTHING
     1 COMMIT",
    // What is undone leaves nothing.
    "1 BEGIN
     1 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)
     1 UPDATE accounts SET balance = balance + 5 WHERE id = 1
     1 DELETE FROM accounts WHERE id = 2
     1 ROLLBACK
     1 INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)",
];
const ROWS: &str = "SELECT id, owner, balance FROM accounts ORDER BY id";

#[test]
fn transactions_that_meet_find_the_same() {
    let Some(server) = postgres() else { return };
    let mut met = String::new();
    for (level, name) in LEVELS.into_iter().zip(NAMES) {
        for script in SCRIPTS {
            let mut both = Both::start(&server, level);
            for line in script.lines() {
                let (client, sql) = line.trim().split_once(' ').expect("a number comes first");
                let told = both.ask(client.parse().expect("it is one"), sql);
                met += &format!("{name} {told}\n");
            }
            assert!(both.waiting.is_empty(), "{script}");
            both.ask(3, ROWS);
        }
    }
    let is_met =
        |name: &str, what: &str| met.lines().any(|line| line.starts_with(name) && line.contains(what));
    for name in NAMES {
        assert!(["waits", "E 40P01", "E 23505"].iter().all(|what| is_met(name, what)), "{name}: {met}");
        assert_eq!(is_met(name, "E 40001"), name != "READ COMMITTED", "{name}: {met}");
    }
}

#[test]
fn what_is_on_its_way_to_disk_is_not_seen() {
    let Some(server) = postgres() else { return };
    let mut both = Both::start(&server, Isolation::ReadCommitted);
    // There, a commit is over once a standby has it that does not exist.
    both.real(1).run("SET synchronous_commit = on");
    both.fake.is_slow = true;
    let add = "UPDATE accounts SET balance = balance + 5 WHERE id = 1";
    both.send_commit(1, add);
    assert_eq!(both.ask(2, ROWS), "1 2 (1,ann,10) (2,bob,20) SELECT 2 Z I");
    assert_eq!(both.ask(2, add), "waits");
    both.fake.is_slow = false;
    both.finish_commit(1);
    assert_eq!(both.hear(1).as_deref(), Some("1 2 UPDATE 1 Z I"));
    assert_eq!(both.settle(), ["1 2 UPDATE 1 Z I"]);
    assert_eq!(both.ask(3, ROWS), "1 2 (1,ann,20) (2,bob,20) SELECT 2 Z I");
}

impl Both {
    /// Has a client carry out a change whose commit takes its time on both.
    fn send_commit(&mut self, client: usize, sql: &str) {
        assert_eq!(self.fake.ask(client, sql), "");
        let real = self.real(client);
        real.ask(sql);
        let waits = format!("SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = {}", real.pid);
        wait_until("PostgreSQL waits for a standby", || self.admin.run(&waits).starts_with("(t)"));
    }

    /// Has it come to its end.
    fn finish_commit(&mut self, client: usize) {
        self.fake.flush();
        let pid = self.real(client).pid;
        self.admin.run(&format!("SELECT pg_cancel_backend({pid})"));
    }
}
