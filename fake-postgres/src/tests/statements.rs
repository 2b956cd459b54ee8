//! What single statements come to.

use super::{Isolation, accounts};
use crate::tests::client::Clients;

/// Queries, and what they come to.
pub(super) const QUERIES: &[(&str, &str)] = &[
    ("SELECT id, owner FROM accounts ORDER BY id DESC", "(2,bob) (1,ann) SELECT 2"),
    ("SELECT id FROM accounts ORDER BY balance DESC LIMIT 1", "(2) SELECT 1"),
    ("SELECT id FROM accounts ORDER BY CASE WHEN id = 1 THEN NULL ELSE id END", "(2) (1) SELECT 2"),
    ("SELECT id FROM accounts ORDER BY CASE WHEN id = 1 THEN NULL ELSE id END DESC", "(1) (2) SELECT 2"),
    ("SELECT id FROM accounts WHERE NOT id = NULL", "SELECT 0"),
    ("SELECT count(CASE WHEN id = 1 THEN id END) FROM accounts", "(1) SELECT 1"),
    ("SELECT count(*), sum(balance)::bigint, min(id), max(owner) FROM accounts", "(2,30,1,bob) SELECT 1"),
    ("SELECT count(*), sum(balance)::bigint FROM accounts WHERE id > 9", "(0,NULL) SELECT 1"),
    ("SELECT a.id, b.id FROM accounts a JOIN accounts b ON b.id = a.id + 1", "(1,2) SELECT 1"),
    ("SELECT a.id, b.id FROM accounts a, accounts b WHERE b.balance > a.balance", "(1,2) SELECT 1"),
    ("SELECT count(*) FROM (SELECT owner FROM accounts GROUP BY owner) o", "(2) SELECT 1"),
    (
        "WITH rich AS (SELECT id, balance AS b FROM accounts WHERE balance > 15)
            SELECT id, (SELECT count(*) FROM rich) FROM rich WHERE b = 20",
        "(2,1) SELECT 1",
    ),
    (
        "SELECT n FROM ((SELECT id AS n FROM accounts ORDER BY id DESC LIMIT 1)
            UNION ALL (SELECT balance AS n FROM accounts)) u ORDER BY n DESC",
        "(20) (10) (2) SELECT 3",
    ),
    ("SELECT id FROM accounts a WHERE EXISTS (SELECT 1 FROM accounts b WHERE b.id > a.id)", "(1) SELECT 1"),
    ("SELECT id FROM accounts WHERE id IN (SELECT max(id) FROM accounts)", "(2) SELECT 1"),
    (
        "SELECT a.id, (SELECT count(*) FROM accounts b WHERE b.id >= a.id) FROM accounts a
            WHERE (SELECT min(b.id) FROM accounts b WHERE b.id > a.id) > 0",
        "(1,2) SELECT 1",
    ),
    ("SELECT id FROM accounts WHERE id NOT IN (1, 3)", "(2) SELECT 1"),
    ("SELECT id FROM accounts WHERE 1 = 2", "SELECT 0"),
    ("SELECT id FROM accounts WHERE owner >= 'b' AND id <= 2 AND 1 < id", "(2) SELECT 1"),
];

/// Expressions, and what they come to.
pub(super) const EXPRESSIONS: &[(&str, &str)] = &[
    ("1 = NULL", "NULL"),
    ("NULL AND 1 = 2", "f"),
    ("NULL OR 1 = 1", "t"),
    ("NOT (NULL OR 1 = 2)", "NULL"),
    ("2 IN (1, NULL)", "NULL"),
    ("1 IN (1, NULL)", "t"),
    ("NULL IS NULL", "t"),
    ("1 IS NOT NULL", "t"),
    ("COALESCE(NULL, 3)", "3"),
    ("CASE WHEN NULL THEN 1 WHEN 1 = 1 THEN 2 END", "2"),
    ("CASE WHEN 1 = 2 THEN 1 END", "NULL"),
    ("-7 / 2", "-3"),
    ("-7 % 2", "-1"),
    ("2 + 3 * 4 - 1", "13"),
    ("'\\x00ff'::bytea", "\\x00ff"),
    ("'5'::bigint + 1", "6"),
    ("'a' || 5::bigint::text || 'b'", "a5b"),
    ("'a' || NULL", "NULL"),
    ("(SELECT id FROM accounts WHERE id = 9)", "NULL"),
    ("(SELECT id FROM accounts WHERE id = 9) = 1", "NULL"),
];

/// Changes one after another, and what is told of each.
pub(super) const CHANGES: &[(&str, &str)] = &[
    (
        "UPDATE accounts SET balance = balance + id, owner = 'x' WHERE id = 1 RETURNING balance, owner",
        "(11,x) UPDATE 1",
    ),
    (
        "INSERT INTO accounts (id, owner, balance) SELECT id + 2, 'z', balance FROM accounts WHERE id = 1 RETURNING id",
        "(3) INSERT 0 1",
    ),
    (
        "INSERT INTO accounts (id, owner, balance) VALUES (3, 'y', 0), (4, 'w', 0) ON CONFLICT (id) DO NOTHING RETURNING id",
        "(4) INSERT 0 1",
    ),
    ("DELETE FROM accounts WHERE balance < 12 RETURNING id", "(1) (3) (4) DELETE 3"),
    ("DELETE FROM accounts WHERE id = 1", "DELETE 0"),
    ("UPDATE accounts SET balance = (SELECT count(*) FROM accounts a WHERE a.id <= accounts.id)", "UPDATE 1"),
    ("SELECT id, owner, balance FROM accounts", "(2,bob,1) SELECT 1"),
];

/// Statements that cannot be carried out, each with the code of its error.
pub(super) const FAILURES: &[(&str, &str)] = &[
    ("SELECT 9223372036854775807 + 1", "22003"),
    ("SELECT 1 / 0", "22012"),
    ("SELECT 1 || 2", "42883"),
    ("SELECT (SELECT id FROM accounts)", "21000"),
    ("UPDATE accounts SET balance = balance - 11 WHERE id = 1", "23514"),
    ("INSERT INTO accounts (id, owner, balance) VALUES (1, 'eve', 0)", "23505"),
    ("INSERT INTO accounts (id, owner, balance) VALUES (3, 'ann', 0)", "23505"),
    ("INSERT INTO accounts (id, owner) VALUES (3, 'eve')", "23502"),
    ("SELECT id FROM nowhere", "42P01"),
    ("SELECT nothing FROM accounts", "42703"),
    ("SELECT id FROM accounts a, accounts b", "42702"),
    ("SELECT (", "42601"),
    ("SHOW nothing", "42704"),
];

/// Statements that another server may carry out, or refuse by other codes.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("SELECT 'a' = 1", "42883"),
    ("INSERT INTO accounts (id, owner, balance) VALUES (3, 4, 5)", "42804"),
    ("SELECT id FROM accounts FOR UPDATE", "0A000"),
    ("SELECT DISTINCT owner FROM accounts", "0A000"),
    ("SELECT a.id FROM accounts a LEFT JOIN accounts b ON a.id = b.id", "0A000"),
    ("SELECT lower(owner) FROM accounts", "0A000"),
    ("SELECT id FROM accounts ORDER BY id OFFSET 1", "0A000"),
    (
        "INSERT INTO accounts (id, owner, balance) VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET id = 1",
        "0A000",
    ),
];

fn told(sql: &str) -> String {
    accounts(Isolation::ReadCommitted).run(1, sql)
}

#[test]
fn queries_join_group_order_and_limit() {
    for (sql, expected) in QUERIES {
        assert_eq!(told(sql), *expected, "{sql}");
    }
}

#[test]
fn expressions_are_calculated_in_three_valued_logic() {
    for (expression, expected) in EXPRESSIONS {
        assert_eq!(told(&format!("SELECT {expression}")), format!("({expected}) SELECT 1"), "{expression}");
    }
}

#[test]
fn what_cannot_be_has_its_code() {
    for (sql, code) in FAILURES.iter().chain(UNSUPPORTED) {
        assert_eq!(accounts(Isolation::ReadCommitted).fails(1, sql), *code, "{sql}");
    }
}

#[test]
fn changes_tell_what_they_have_changed() {
    let mut clients = accounts(Isolation::ReadCommitted);
    for (sql, expected) in CHANGES {
        assert_eq!(clients.run(1, sql), *expected, "{sql}");
    }
}

#[test]
fn a_key_that_changes_is_found_as_it_is() {
    let mut clients = accounts(Isolation::ReadCommitted);
    clients.run(1, "UPDATE accounts SET id = id + 5");
    assert_eq!(clients.run(1, "SELECT id FROM accounts WHERE id > 0"), "(6) (7) SELECT 2");
    assert_eq!(clients.run(1, "SELECT owner FROM accounts WHERE id = 1"), "SELECT 0");
    clients.run(1, "INSERT INTO accounts (id, owner, balance) VALUES (1, 'cat', 0)");
    assert_eq!(clients.run(1, "SELECT id FROM accounts ORDER BY owner"), "(6) (7) (1) SELECT 3");
}

#[test]
fn tables_and_indexes_are_made_once() {
    let mut clients: Clients = accounts(Isolation::ReadCommitted);
    clients.run(1, "CREATE TABLE IF NOT EXISTS accounts (other text NOT NULL, PRIMARY KEY (other))");
    clients.run(1, "CREATE INDEX IF NOT EXISTS accounts_by_owner ON accounts (balance)");
    clients.run(1, "UPDATE accounts SET balance = 5");
    assert_eq!(clients.fails(1, "CREATE UNIQUE INDEX IF NOT EXISTS b ON accounts (balance)"), "23505");
    clients.run(1, "CREATE INDEX IF NOT EXISTS b ON accounts (balance, id)");
    assert_eq!(clients.run(1, "SELECT id FROM accounts WHERE balance = 5 AND id < 2"), "(1) SELECT 1");
}
