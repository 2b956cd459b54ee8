//! Faults that are noticed where an engine keeps the rows.

use super::{Fault, edit, fault_on_engine};

const ENGINE_HOST: &str = "simulation/src/engine/host.rs";
const ENGINE_CLUSTER: &str = "simulation/src/engine/cluster.rs";
const SERVER_ERROR: &str = "services/src/store/postgres/wire/error.rs";
const RUNNING: &str = "services/src/store/postgres/wire/running.rs";
const ENDINGS: &str = "services/src/store/postgres/customer/endings.rs";
const STATEMENTS: &str = "services/src/store/postgres/product/statements.rs";

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault_on_engine(
        "an engine tells a commit before it is flushed",
        &[
            edit(
                ENGINE_HOST,
                "    /// A flush has failed, after",
                "    pub(super) flushed: Option<(Time, Engine)>,\n    /// A flush has failed, after",
            ),
            edit(
                ENGINE_HOST,
                "        let State { engine, weather, rng, .. } = &mut *state.borrow_mut();",
                "        let State { engine, weather, rng, flushed, .. } = &mut *state.borrow_mut();",
            ),
            edit(
                ENGINE_HOST,
                "                self.plan(self.flushed_at, step);\n",
                "                let _ = step;
                if flushed.as_ref().is_none_or(|(until, _)| *until <= now) {
                    *flushed = Some((self.flushed_at, engine.clone()));
                }
                engine.committed(commit);\n",
            ),
            edit(ENGINE_CLUSTER, "rng, has_failed: false,", "rng, has_failed: false, flushed: None,"),
            edit(
                ENGINE_CLUSTER,
                "        let State { engine, has_failed, .. } = &mut *self.state.borrow_mut();",
                "        let State { engine, has_failed, flushed, .. } = &mut *self.state.borrow_mut();
                if let Some((until, before)) = flushed.take() && sim.now() < until {
                    *engine = before;
                }",
            ),
        ],
    ),
    fault_on_engine(
        "a commit of unknown outcome counts as undone",
        &[edit(SERVER_ERROR, "\"40003\" => Class::Unknown,", "\"40003\" => Class::Replay,")],
    ),
    fault_on_engine(
        "a deadlock counts as a refusal",
        &[
            edit(SERVER_ERROR, "\"40001\" | \"40P01\" |", "\"40001\" |"),
            edit(
                SERVER_ERROR,
                "\"23505\" | \"23514\" => Class::Refusal",
                "\"23505\" | \"23514\" | \"40P01\" => Class::Refusal",
            ),
        ],
    ),
    fault_on_engine(
        "what may have been done is carried out again, whatever it is",
        &[edit(
            "services/src/store/postgres/pool/asked.rs",
            "self.transaction.effect != Effect::Once",
            "self.transaction.effect != Effect::Once || self.may_be_done",
        )],
    ),
    fault_on_engine(
        "a connection that is lost behind a commit counts as nothing done",
        &[edit(
            RUNNING,
            "None if has_ended || is_commit_sent => Outcome::Unknown,",
            "None if has_ended && is_commit_sent => Outcome::Unknown,",
        )],
    ),
    fault_on_engine(
        "an error behind the answer to a commit counts as that of the commit",
        &[edit(
            RUNNING,
            "_ if self.is_transaction && call > last => true,",
            "_ if self.is_transaction && call > last => false,",
        )],
    ),
    fault_on_engine(
        "the Sync behind a commit is forgotten",
        &[edit(
            RUNNING,
            "        frontend::sync(out);",
            "        if !self.is_transaction || end < self.calls.len() {
            frontend::sync(out);
        }",
        )],
    ),
    fault_on_engine(
        "of a group that fails, all are told that they are refused",
        &[edit(
            "services/src/store/postgres/pool/outcomes.rs",
            "self.again_alone(lane, asked);\n                    } else {",
            "self.answer(asked.number, asked.deadline, Ok(Err(Refused)));\n                    } else {",
        )],
    ),
    fault_on_engine(
        "no check keeps more from being taken than there is",
        &[edit(
            "services/src/store/postgres/schema.rs",
            "        CONSTRAINT item_quantity CHECK (quantity >= 0 AND quantity <= 1000000000),\n",
            "",
        )],
    ),
    fault_on_engine(
        "a session that was idle for too long may change its cart",
        &[edit(
            "services/src/store/postgres/customer/sessions.rs",
            "AND active_at_ms > $2 AND (role = $4::text",
            "AND active_at_ms > $2 - 1000000000 AND (role = $4::text",
        )],
    ),
    fault_on_engine(
        "what a seller has sold is counted though the purchase has ended",
        &[edit(
            ENDINGS,
            "WHERE seller_id = $2 AND EXISTS (SELECT 1 FROM purchases_begun WHERE purchase_id = $1)",
            "WHERE seller_id = $2 AND $1 = $1",
        )],
    ),
    fault_on_engine(
        "a purchase that is decided takes its stock again",
        &[
            edit(
                STATEMENTS,
                "$1, 'taken'::text, $2, $2, ''::text\"",
                "$1, 'taken'::text, $2, $2, ''::text FROM decision_floor WHERE id = 1
            ON CONFLICT (purchase_id) DO NOTHING\"",
            ),
            edit(
                STATEMENTS,
                "price_cents, name, seller_id FROM items WHERE item_id = $2\"",
                "price_cents, name, seller_id FROM items WHERE item_id = $2
                    ON CONFLICT (purchase_id, item_id) DO NOTHING\"",
            ),
        ],
    ),
    fault_on_engine(
        "a purchase that was refused on an engine keeps its key",
        &[edit(ENDINGS, "if key != Value::Bytes(Vec::new()) {", "if key == Value::Bytes(Vec::new()) {")],
    ),
    fault_on_engine(
        "a cart is changed without its session being held",
        &[edit(
            "services/src/store/postgres/customer/carts.rs",
            "            Self::OfSession(used) => used.hold(),",
            "            Self::OfSession(used) => used.read(),",
        )],
    ),
];
