//! [`Subcommand`]: a word that may follow the program's name. Who needs all of them (help, completion, the manual) is
//! given them by `main`, which has the list.

use std::process::ExitCode;

use crate::usage::Usage;

/// A subcommand, which is described and carried out when somebody asks for that.
pub(crate) struct Subcommand {
    pub(crate) group: Group,
    pub(crate) name: &'static str,
    usage: Box<dyn Fn() -> Usage>,
    run: Box<Run>,
}

/// Carries a subcommand out, with the words after its name.
type Run = dyn Fn(&[String]) -> ExitCode;

/// All subcommands.
pub(crate) type List = fn() -> Vec<Subcommand>;

/// Under which title the program's help lists a subcommand.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Group {
    Start,
    Use,
    Data,
    Measure,
    Explain,
}

impl Group {
    /// All of them, in the order of the help.
    pub(crate) const ALL: [Group; 5] =
        [Group::Start, Group::Use, Group::Data, Group::Measure, Group::Explain];

    /// What its subcommands are for.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Group::Start => "Start the marketplace",
            Group::Use => "Use it",
            Group::Data => "Look after its data",
            Group::Measure => "Measure it",
            Group::Explain => "Learn about it",
        }
    }
}

impl Subcommand {
    /// A subcommand that is described by `usage` and carried out by `run`, which gets the words after its name.
    pub(crate) fn new(
        group: Group,
        name: &'static str,
        usage: impl Fn() -> Usage + 'static,
        run: impl Fn(&[String]) -> ExitCode + 'static,
    ) -> Subcommand {
        Subcommand { group, name, usage: Box::new(usage), run: Box::new(run) }
    }

    /// What it takes.
    pub(crate) fn usage(&self) -> Usage {
        (self.usage)()
    }

    /// Carries it out.
    pub(crate) fn run(&self, args: &[String]) -> ExitCode {
        (self.run)(args)
    }
}
