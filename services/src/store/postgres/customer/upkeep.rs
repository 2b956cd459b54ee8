//! What `db_customer` does of itself: it writes which sessions were used, finds out which purchases have ended, and forgets
//! what is over: sessions that have timed out long ago, and failed logins that count no more.
//!
//! Nobody is in charge of forgetting. Each service goes through the tables from a place of chance on, some rows a second,
//! so those that run share it by chance.

use std::mem;
use std::time::Duration;

use net::Time;

use super::super::answers::carried_out;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Reply, Statement, Value};
use super::holdings::SESSIONS;
use super::values::time;
use super::{Flow, RemoteCustomer};
use crate::api::Effect;
use crate::api::error::Error;
use crate::customer::rules::REMEMBERED;
use crate::customer::throttle::WINDOW;

/// How often some rows are looked at.
const STEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long nothing is looked at once all rows were.
const PAUSE: Duration = Duration::from_secs(60);
/// How many rows are looked at in one step, which stands in the statements.
const STEP_ROWS: usize = 500;
/// What is about forgetting is carried out in order.
const LANE: u64 = 1;

const LOOK_AT_SESSIONS: Statement = Statement::kept(
    "sweep_sessions",
    "SELECT digest, active_at_ms FROM sessions WHERE digest > $1 ORDER BY digest LIMIT 500",
);
const FORGET_SESSIONS: Statement = Statement::kept(
    "sweep_forget_sessions",
    "DELETE FROM sessions WHERE digest = ANY($1::bytea[]) AND active_at_ms <= $2",
);
const FORGET_CARTS: Statement = Statement::kept(
    "sweep_forget_carts",
    "DELETE FROM cart_lines WHERE cart = ANY($1::bytea[])
        AND cart NOT IN (SELECT digest FROM sessions WHERE digest = ANY($1::bytea[]))",
);
const LOOK_AT_FAILURES: Statement = Statement::kept(
    "sweep_failures",
    "SELECT digest, last_at_ms FROM login_failures WHERE digest > $1 ORDER BY digest LIMIT 500",
);
const FORGET_FAILURES: Statement = Statement::kept(
    "sweep_forget_failures",
    "DELETE FROM login_failures WHERE digest = ANY($1::bytea[]) AND last_at_ms <= $2",
);

/// How far forgetting has come.
#[derive(Debug)]
pub(super) struct Sweeps {
    sessions: Sweep,
    failures: Sweep,
}

/// A way through a table.
#[derive(Debug)]
struct Sweep {
    /// Rows up to this key were looked at.
    at: Vec<u8>,
    /// How many of those stay that were looked at on this way.
    left: u64,
    /// Whether this way began with the first row. The first one does not.
    is_whole: bool,
    next_at: Time,
}

#[derive(Clone, Copy)]
enum Table {
    Sessions,
    Failures,
}

impl Sweeps {
    /// Those that begin at a place of chance.
    pub(super) fn from(random: u128) -> Self {
        let at = random.to_be_bytes();
        let sweep = || Sweep { at: at.to_vec(), left: 0, is_whole: false, next_at: Time::default() };
        Self { sessions: sweep(), failures: sweep() }
    }

    fn of(&mut self, table: Table) -> &mut Sweep {
        match table {
            Table::Sessions => &mut self.sessions,
            Table::Failures => &mut self.failures,
        }
    }
}

impl Sweep {
    /// So many rows were looked at, the last of them with this key, of which so many stay. If there are no more, it begins
    /// anew in a while. Returns how many rows the table has, if that is known now.
    fn advance(&mut self, now: Time, last: Option<Vec<u8>>, rows: usize, left: usize) -> Option<u64> {
        self.left += left as u64;
        if let Some(last) = last.filter(|_| rows >= STEP_ROWS) {
            self.at = last;
            return None;
        }
        let is_whole = mem::replace(&mut self.is_whole, true);
        if is_whole {
            self.next_at = now + PAUSE;
        }
        self.at = Vec::new();
        Some(mem::take(&mut self.left)).filter(|_| is_whole)
    }
}

impl RemoteCustomer {
    /// What it is time for.
    pub(super) fn next_upkeep(&mut self, now: Time) -> Option<Step<Self>> {
        let step = self.write_activity(now).or_else(|| self.look(now));
        let mut tables = [Table::Sessions, Table::Failures].into_iter();
        let step = step.or_else(|| tables.find_map(|table| self.sweep(now, table)));
        step.or_else(|| self.count_backlog(now)).or_else(|| self.count(now))
    }

    pub(super) fn next_upkeep_at(&self) -> Option<Time> {
        let Sweeps { sessions, failures } = &self.sweeps;
        let due = [self.activity.next_at(), self.ended.next_at()];
        let counts = [self.backlog.next_at(), self.count_at];
        due.into_iter().flatten().chain([sessions.next_at, failures.next_at]).chain(counts).min()
    }

    fn write_activity(&mut self, now: Time) -> Option<Step<Self>> {
        let (keys, transaction) = self.activity.write(now)?;
        let step = Step::ask(transaction, move |customer: &mut Self, now, answer| {
            carried_out(answer)?;
            customer.activity.written(now, &keys);
            Ok(Step::Reply(Vec::new()))
        });
        step.ok()
    }

    fn sweep(&mut self, now: Time, table: Table) -> Option<Step<Self>> {
        let sweep = self.sweeps.of(table);
        if sweep.next_at > now {
            return None;
        }
        sweep.next_at = now + STEP_INTERVAL;
        let look = match table {
            Table::Sessions => LOOK_AT_SESSIONS,
            Table::Failures => LOOK_AT_FAILURES,
        };
        let look = Transaction::read(Some(LANE), look.with([Value::Bytes(sweep.at.clone())]));
        Step::ask(look, move |customer: &mut Self, now, answer| {
            customer.forget(now, table, &carried_out(answer)?)
        })
        .ok()
    }

    /// Forgets what is over among the rows that were looked at.
    fn forget(&mut self, now: Time, table: Table, replies: &[Reply]) -> Flow {
        let rows = replies.first().map_or(&[][..], |reply| &reply.rows);
        let over = match table {
            Table::Sessions => now - (self.timeout + REMEMBERED),
            Table::Failures => now - WINDOW,
        };
        let Value::Int(over_ms) = time(over) else { unreachable!("times are numbers") };
        let (mut keys, mut last) = (Vec::new(), None);
        for row in rows {
            let key = row.bytes(0)?.to_vec();
            if row.int(1)? <= over_ms {
                keys.push(key.clone());
            }
            last = Some(key);
        }
        let counted = self.sweeps.of(table).advance(now, last, rows.len(), rows.len() - keys.len());
        if let (Table::Sessions, Some(sessions)) = (table, counted) {
            self.holdings.set(SESSIONS, sessions);
        }
        if keys.is_empty() {
            return Ok(Step::Reply(Vec::new()));
        }
        let keys = Value::BytesArray(keys);
        let calls = match table {
            Table::Sessions => {
                vec![FORGET_SESSIONS.with([keys.clone(), time(over)]), FORGET_CARTS.with([keys])]
            }
            Table::Failures => vec![FORGET_FAILURES.with([keys, time(over)])],
        };
        Step::ask(Transaction::write(LANE, Effect::Repeatable, calls), |_, _, answer| {
            carried_out(answer)?;
            Ok::<_, Error>(Step::Reply(Vec::new()))
        })
    }
}
