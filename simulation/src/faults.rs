//! [`Fault`]: mistakes that somebody might make, each of which the simulation must notice, or, where they are made in the
//! fake engine, its tests beside PostgreSQL. They are kept here as data, so that the sources have no hooks for them.

mod in_fake;
mod on_disks;
mod on_engine;

use std::fs;
use std::path::{Path, PathBuf};

/// A mistake, and how it looks in the sources.
pub(crate) struct Fault {
    /// What goes wrong, for people.
    pub(crate) name: &'static str,
    /// The scenario that must notice it. The tests of the fake engine are none.
    pub(crate) scenario: &'static str,
    /// Where the rows must be kept for that: `disks` or `engine`. Tests of the `fake` engine need neither.
    pub(crate) store: &'static str,
    /// All that is to be changed for it.
    edits: &'static [Edit],
}

/// A change of one place in one file.
struct Edit {
    /// From the root of the workspace.
    file: &'static str,
    /// It stands there once.
    text: &'static str,
    replacement: &'static str,
}

/// A file without and with a fault.
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Fault {
    /// What it makes of the files below this folder, or why it cannot be made.
    pub(crate) fn changes(&self, root: &Path) -> Result<Vec<Change>, String> {
        let mut changes: Vec<Change> = Vec::new();
        for &Edit { file, text, replacement } in self.edits {
            let path = root.join(file);
            let place = changes.iter().position(|change| change.path == path);
            let change = match place {
                Some(place) => &mut changes[place],
                None => {
                    let before = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
                    changes.push(Change { path, after: before.clone(), before });
                    changes.last_mut().expect("it was just added")
                }
            };
            let count = change.after.matches(text).count();
            if count != 1 {
                return Err(format!("{file} has {count} times, not once: {text}"));
            }
            change.after = change.after.replace(text, replacement);
        }
        Ok(changes)
    }
}

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace has this crate in a folder")
}

/// A fault that buyers and sellers of the shop must notice.
const fn fault(name: &'static str, edits: &'static [Edit]) -> Fault {
    Fault { name, scenario: "shop", store: "disks", edits }
}

/// A fault that the same must notice where an engine keeps the rows.
const fn fault_on_engine(name: &'static str, edits: &'static [Edit]) -> Fault {
    Fault { store: "engine", ..fault(name, edits) }
}

/// A fault of the fake engine.
const fn fault_in_fake(name: &'static str, edits: &'static [Edit]) -> Fault {
    Fault { name, scenario: "", store: "fake", edits }
}

/// A fault that another scenario must notice.
const fn fault_in(scenario: &'static str, name: &'static str, edits: &'static [Edit]) -> Fault {
    Fault { scenario, ..fault(name, edits) }
}

const fn edit(file: &'static str, text: &'static str, replacement: &'static str) -> Edit {
    Edit { file, text, replacement }
}

/// All that the simulation must notice.
pub(crate) fn faults() -> impl Iterator<Item = &'static Fault> {
    on_disks::FAULTS.iter().chain(on_engine::FAULTS)
}

/// Those of the fake engine.
pub(crate) fn faults_in_fake() -> impl Iterator<Item = &'static Fault> {
    in_fake::FAULTS.iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::SCENARIOS;

    #[test]
    fn each_fault_can_still_be_made() {
        let all = || faults().chain(faults_in_fake());
        for fault in all() {
            let changes =
                fault.changes(workspace()).unwrap_or_else(|wrong| panic!("{}: {wrong}", fault.name));
            assert!(changes.iter().all(|change| change.before != change.after), "{}", fault.name);
        }
        let scenarios = SCENARIOS.map(|scenario| scenario.name);
        assert!(faults().all(|fault| scenarios.contains(&fault.scenario)));
        assert!(faults().all(|fault| ["disks", "engine"].contains(&fault.store)));
        let names: BTreeSet<&str> = all().map(|fault| fault.name).collect();
        assert_eq!(names.len(), all().count(), "each has a name of its own");
    }
}
