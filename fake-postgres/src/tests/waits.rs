//! Transactions that meet: who waits for whom, and what they find when they go on.

use super::client::Clients;
use super::{Isolation, LEVELS, accounts};

const ADD: &str = "UPDATE accounts SET balance = balance + 5 WHERE id = 1";
const SPEND: &str = "UPDATE accounts SET balance = balance - 8 WHERE id = 1 AND balance >= 8";
const TAKE: &str = "UPDATE accounts SET balance = balance - 5 WHERE id = 1";
const READ: &str = "SELECT balance FROM accounts WHERE id = 1";

#[test]
fn who_waits_for_a_row_looks_at_it_again_or_is_undone() {
    for level in LEVELS {
        let mut clients = accounts(level);
        clients.run(1, "BEGIN");
        clients.run(1, TAKE);
        clients.run(2, "BEGIN");
        clients.waits(2, SPEND);
        clients.run(1, "COMMIT");
        assert!(!clients.is_waiting(2));
        let told = clients.told(2);
        match level {
            // There were 10 when it began, and are 5 now.
            Isolation::ReadCommitted => assert!(told.contains("UPDATE 0 Z T"), "{told}"),
            _ => assert!(told.contains("E 40001") && told.ends_with("Z E"), "{told}"),
        }
    }
}

#[test]
fn of_two_that_wait_for_each_other_one_is_undone_and_the_other_goes_on() {
    let mut clients = accounts(Isolation::ReadCommitted);
    let add_to_the_other = "UPDATE accounts SET balance = balance + 5 WHERE id = 2";
    for client in [1, 2] {
        clients.run(client, "BEGIN");
    }
    clients.run(1, ADD);
    clients.run(2, add_to_the_other);
    clients.waits(1, add_to_the_other);
    let told = clients.ask(2, ADD);
    let undone = [told, clients.told(1)];
    assert_eq!(undone.iter().filter(|told| told.contains("E 40P01")).count(), 1, "{undone:?}");
    assert_eq!(undone.iter().filter(|told| told.contains("UPDATE 1")).count(), 1, "{undone:?}");
}

#[test]
fn a_transaction_sees_what_was_committed_when_its_snapshot_was_taken() {
    for (level, seen) in LEVELS.into_iter().zip(["(15) SELECT 1", "(10) SELECT 1", "(10) SELECT 1"]) {
        let mut clients = accounts(level);
        clients.run(1, "BEGIN");
        assert_eq!(clients.run(1, READ), "(10) SELECT 1");
        clients.run(2, ADD);
        assert_eq!(clients.run(1, READ), seen, "{level:?}");
    }
}

#[test]
fn what_is_on_its_way_to_disk_is_neither_answered_nor_seen() {
    let mut clients = accounts(Isolation::ReadCommitted);
    clients.is_slow = true;
    assert_eq!(clients.ask(1, ADD), "");
    assert_eq!(clients.run(2, READ), "(10) SELECT 1");
    clients.waits(3, SPEND);
    clients.flush();
    assert!(clients.told(1).contains("UPDATE 1 Z I"));
    assert_eq!(clients.run(2, READ), "(15) SELECT 1");
    clients.flush();
    assert!(clients.told(3).contains("UPDATE 1 Z I"));
    assert_eq!(clients.run(2, READ), "(7) SELECT 1");
}

#[test]
fn who_leaves_takes_what_it_has_not_committed_along() {
    let mut clients = accounts(Isolation::ReadCommitted);
    clients.run(1, "BEGIN");
    clients.run(1, ADD);
    clients.waits(2, "UPDATE accounts SET balance = balance + 1 WHERE id = 1 RETURNING balance");
    let session = clients.session(1);
    clients.engine.close(session);
    clients.settle();
    assert!(clients.told(2).contains("(11) UPDATE 1"));
}

#[test]
fn a_transaction_that_waits_for_its_client_is_told_from_one_that_waits_for_another() {
    let mut clients = accounts(Isolation::ReadCommitted);
    let sessions = [1, 2].map(|client| clients.session(client));
    let idle = |clients: &Clients| sessions.map(|session| clients.engine.is_idle_in_transaction(session));
    assert_eq!(idle(&clients), [false, false]);
    for client in [1, 2] {
        clients.run(client, "BEGIN");
    }
    clients.run(1, TAKE);
    assert_eq!(idle(&clients), [true, true]);
    clients.waits(2, SPEND);
    assert_eq!(idle(&clients), [true, false]);
    clients.run(1, "COMMIT");
    assert_eq!(idle(&clients), [false, true]);
}

#[test]
fn what_must_not_be_is_found_before_the_lock_that_would_allow_it() {
    for level in LEVELS {
        let mut clients = accounts(level);
        clients.run(1, "BEGIN");
        clients.run(1, ADD);
        assert_eq!(clients.fails(2, "UPDATE accounts SET balance = balance - 12 WHERE id = 1"), "23514");
        clients.waits(2, TAKE);
        clients.run(1, "ROLLBACK");
        assert!(clients.told(2).contains("UPDATE 1 Z I"));
    }
}

#[test]
fn who_inserts_nothing_must_see_the_row_as_it_is() {
    let insert = "INSERT INTO accounts (id, owner, balance) VALUES (1, 'eve', 0) ON CONFLICT (id) DO NOTHING";
    for level in LEVELS {
        let mut clients = accounts(level);
        clients.run(1, "BEGIN");
        clients.run(1, "SELECT 1 FROM accounts");
        assert_eq!(clients.run(1, insert), "INSERT 0 0");
        clients.run(2, ADD);
        match level {
            Isolation::ReadCommitted => assert_eq!(clients.run(1, insert), "INSERT 0 0"),
            _ => assert_eq!(clients.fails(1, insert), "40001"),
        }
    }
}

#[test]
fn a_key_that_somebody_may_leave_or_take_is_waited_for() {
    let take = "INSERT INTO accounts (id, owner, balance) VALUES (3, 'ann', 0)";
    for (change, on_commit, on_rollback) in [
        ("DELETE FROM accounts WHERE id = 1", "INSERT 0 1", "E 23505"),
        ("UPDATE accounts SET owner = 'eve' WHERE id = 1", "INSERT 0 1", "E 23505"),
        ("UPDATE accounts SET balance = 1 WHERE id = 1", "E 23505", "E 23505"),
        ("INSERT INTO accounts (id, owner, balance) VALUES (3, 'cat', 0)", "E 23505", "E 23505"),
    ] {
        for (end, expected) in [("COMMIT", on_commit), ("ROLLBACK", on_rollback)] {
            let mut clients = accounts(Isolation::ReadCommitted);
            clients.run(1, "BEGIN");
            clients.run(1, change);
            clients.waits(2, take);
            clients.run(1, end);
            let told = clients.told(2);
            assert!(told.contains(expected), "{change}, {end}: {told}");
        }
    }
}
