//! What an import says in the end, or would do.

use serde::Serialize;

use super::carry_out::{Answer, Outcome, Stop};
use super::complaints::{Complaints, quoted};
use super::plan::{Change, Plan, Task};
use crate::client::CallError;
use crate::shell::money::of_cents;
use crate::text::escape;

/// How many rows and calls came to what.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    registered: usize,
    prices_changed: usize,
    units_changed: usize,
    /// Rows that needed nothing.
    unchanged: usize,
    /// Calls that were refused.
    refused: usize,
    /// Calls that may have been carried out.
    unknown: usize,
    /// Calls that were not made.
    not_done: usize,
}

impl Summary {
    /// What the plan would do.
    pub(crate) fn of_plan(plan: &Plan) -> Summary {
        let mut summary = Summary { unchanged: plan.done + plan.changed.len(), ..Summary::default() };
        plan.tasks.iter().for_each(|task| summary.count(task));
        summary
    }

    /// What came of the plan.
    pub(crate) fn of_outcome(plan: &Plan, outcome: &Outcome) -> Summary {
        let mut summary = Summary { unchanged: plan.done + plan.changed.len(), ..Summary::default() };
        for (task, answer) in plan.tasks.iter().zip(&outcome.answers) {
            match answer {
                Answer::Done => summary.count(task),
                Answer::Refused(_) => summary.refused += 1,
                Answer::Unknown => summary.unknown += 1,
                Answer::NotDone => summary.not_done += 1,
            }
        }
        summary
    }

    /// Whether all is as the table says.
    pub(crate) fn is_complete(&self) -> bool {
        self.refused + self.unknown + self.not_done == 0
    }

    /// Whether another run could do more.
    pub(crate) fn may_go_on(&self) -> bool {
        self.unknown + self.not_done > 0
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers can be written as JSON") + "\n"
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let all = [
            ("Items registered", self.registered),
            ("Prices changed", self.prices_changed),
            ("Units changed", self.units_changed),
            ("Rows with nothing to do", self.unchanged),
            ("Refused", self.refused),
            ("Not known", self.unknown),
            ("Not done", self.not_done),
        ];
        // What went wrong is said where something did.
        let told = all.iter().enumerate().filter(|(place, (_, count))| *place < 4 || *count > 0);
        told.map(|(_, (what, count))| format!("{what}: {count}.")).collect::<Vec<_>>().join(" ") + "\n"
    }

    fn count(&mut self, task: &Task) {
        match task.change {
            Change::Register(_) => self.registered += 1,
            Change::Price { .. } => self.prices_changed += 1,
            Change::Units { .. } => self.units_changed += 1,
        }
    }
}

/// A line for each call that the plan would make.
pub(crate) fn calls(plan: &Plan) -> String {
    let call = |task: &Task| {
        let what = match &task.change {
            Change::Register(row) => {
                let (name, category) = (quoted(&row.description.name), row.description.category);
                let price = of_cents(row.listing.price_cents);
                format!("register {name} in category {category}: {price}, {} units", row.listing.quantity)
            }
            Change::Price { item_id, before_cents, cents } => {
                format!(
                    "change the price of {item_id} from {} to {}",
                    of_cents(*before_cents),
                    of_cents(*cents)
                )
            }
            Change::Units { item_id, before, quantity } => {
                format!("change the units of {item_id} from {before} to {quantity}")
            }
        };
        format!("line {}: {what}\n", task.line)
    };
    plan.tasks.iter().map(call).collect()
}

/// What is to be known about rows that are left as they are.
pub(crate) fn notes(plan: &Plan) -> Option<String> {
    let mut notes = Complaints::default();
    for (line, item_id) in &plan.changed {
        notes.add(format!(
            "line {line}: this is {}, with another price or other units by now; an item_id would change them",
            escape(item_id)
        ));
    }
    (notes.count() > 0).then(|| notes.text())
}

/// The calls that were refused.
pub(crate) fn refusals(plan: &Plan, outcome: &Outcome) -> Option<String> {
    let mut refusals = Complaints::default();
    for (task, answer) in plan.tasks.iter().zip(&outcome.answers) {
        if let Answer::Refused(refusal) = answer {
            refusals.add(format!(
                "error: line {}: {}: {}",
                task.line,
                escape(&refusal.code),
                escape(&refusal.message)
            ));
        }
    }
    (refusals.count() > 0).then(|| refusals.text())
}

/// What kept calls from being made.
pub(crate) fn reason(outcome: &Outcome) -> Option<&CallError> {
    match outcome.stop.as_ref()? {
        Stop::Session(error) | Stop::Failed(error) => Some(error),
    }
}
