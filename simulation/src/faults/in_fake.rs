//! Faults of the fake engine, which its tests beside PostgreSQL notice. What it asserts of itself is taken away with some of
//! them, so that they show.

use super::{Fault, edit, fault_in_fake};

const CHANGE: &str = "fake-postgres/src/change.rs";
const CONNECTION: &str = "fake-postgres/src/connection.rs";
const CORE: &str = "fake-postgres/src/core.rs";
const EVALUATE: &str = "fake-postgres/src/sql/evaluate.rs";
const EXECUTION: &str = "fake-postgres/src/connection/execution.rs";
const LOCKS: &str = "fake-postgres/src/locks.rs";
const READER: &str = "fake-postgres/src/sql/reader.rs";
const STORE: &str = "fake-postgres/src/store.rs";
const TRANSACTION: &str = "fake-postgres/src/connection/transaction.rs";
const VERSIONS: &str = "fake-postgres/src/storage/versions.rs";

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault_in_fake(
        "a row that is locked is changed",
        &[
            edit(
                CHANGE,
                "            Some(writer) => return Ok(Current::Locked(writer)),\n",
                "            Some(_) => return Ok(Current::Row(seen)),\n",
            ),
            edit(VERSIONS, "self.writer().is_none_or(|writer| writer == by)", "true"),
        ],
    ),
    fault_in_fake(
        "at READ COMMITTED a transaction keeps its first snapshot",
        &[edit(
            STORE,
            "            self.transaction(own).sees = None;\n",
            "            self.transaction(own);\n",
        )],
    ),
    fault_in_fake(
        "above READ COMMITTED a row is changed that others have changed since",
        &[edit(
            CHANGE,
            "            _ if !is_as_seen && store.isolation != Isolation::ReadCommitted => {",
            "            _ if false => {",
        )],
    ),
    fault_in_fake(
        "a commit is seen before it is on disk",
        &[edit(
            CORE,
            "        self.commits.insert(commit, own);\n",
            "        self.commits.insert(commit, own);\n        self.store.publish(own);\n",
        )],
    ),
    fault_in_fake(
        "those who wait in a circle wait for ever",
        &[
            edit(EXECUTION, "if core.waits.would_deadlock(own, on) {", "if false {"),
            edit(
                LOCKS,
                "        assert!(!self.would_deadlock(waiter, on), \"who waits in a circle waits for ever\");\n",
                "",
            ),
        ],
    ),
    fault_in_fake("a key is given twice", &[edit(CHANGE, "if is_new && index.is_unique {", "if false {")]),
    fault_in_fake(
        "rows are never in descending order",
        &[edit(READER, "if order.is_descending { ordering.reverse() } else { ordering }", "ordering")],
    ),
    fault_in_fake(
        "what is compared with NULL is false",
        &[edit(
            EVALUATE,
            "        (Value::Null, _) | (_, Value::Null) => return Ok(None),",
            "        (Value::Null, _) | (_, Value::Null) => return Ok(Some(false)),",
        )],
    ),
    fault_in_fake(
        "what is undone stays",
        &[edit(
            STORE,
            "            self.database.undo(place);\n",
            "            self.database.publish(place, self.last_commit, 0);\n",
        )],
    ),
    fault_in_fake(
        "after an error nothing is skipped",
        &[edit(CONNECTION, "if self.is_skipping && !frame.ends_skipping() {", "if false {")],
    ),
    fault_in_fake(
        "a transaction that has failed is said to be open",
        &[edit(
            CONNECTION,
            "            Block::Failed => Status::Failed,",
            "            Block::Failed => Status::Open,",
        )],
    ),
    fault_in_fake(
        "a transaction goes on after an error",
        &[edit(TRANSACTION, "            (Block::Failed, _) => Err(SqlError::failed_transaction()),\n", "")],
    ),
];
