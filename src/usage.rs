//! [`Usage`]: what may follow a word of the command line, for people and for programs: help is printed from it, and so are
//! completion scripts and the manual. Nothing is carried out here.

use std::process::ExitCode;

use getopts::Matches;

use crate::command_line::usage_error;
use crate::narrow::print_help;
use crate::options::Options;

/// What a subcommand takes, or a command of one.
pub(crate) struct Usage {
    /// All words up to its own, such as `marketplace bench growth`.
    pub(crate) path: String,
    /// What it does, in a few words.
    pub(crate) summary: String,
    /// How it is called, in lines up to the first empty one, and then in paragraphs what there is to know.
    pub(crate) brief: String,
    pub(crate) options: Options,
    /// What its words are that are neither options nor commands.
    pub(crate) operands: Words,
    /// Words that may follow it, with what may follow those.
    pub(crate) commands: Vec<Usage>,
}

/// What a word may be that is chosen freely, as far as it can be completed.
#[derive(Clone)]
pub(crate) enum Words {
    Unknown,
    Files,
    Folders,
    OneOf(Vec<String>),
}

impl Usage {
    /// A usage without commands, of whose operands nothing is known.
    pub(crate) fn new(path: &str, summary: &str, brief: &str, options: Options) -> Usage {
        Usage {
            path: path.to_owned(),
            summary: summary.to_owned(),
            brief: brief.to_owned(),
            options,
            operands: Words::Unknown,
            commands: Vec::new(),
        }
    }

    /// The last word of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit(' ').next().unwrap_or_default()
    }

    /// Parses the words that follow.
    ///
    /// An `Err` ends the program: the help or the usage error is already printed.
    pub(crate) fn parse(&self, args: &[String]) -> Result<Matches, ExitCode> {
        match self.options.parse(args) {
            Ok(matches) if matches.opt_present("help") => Err(print_help(&self.help())),
            Ok(matches) => Ok(matches),
            Err(message) => Err(self.error(&message)),
        }
    }

    /// All that there is to say to somebody who asks.
    pub(crate) fn help(&self) -> String {
        if self.commands.is_empty() {
            return self.options.help(&self.brief);
        }
        let rows = self.commands.iter().map(|command| row(command.name(), &command.summary));
        let (brief, commands, path) = (&self.brief, rows.collect::<String>(), &self.path);
        let below = format!("`{path} COMMAND -h` explains a command.");
        self.options.help(&format!("{brief}\n\nCommands:\n{commands}\n{below}"))
    }

    /// Reports a mistake in the command line, with the usage that would have been right.
    pub(crate) fn error(&self, message: &str) -> ExitCode {
        usage_error(message, &self.brief)
    }
}

/// The line of a list in which names and what they stand for are beside each other.
pub(crate) fn row(name: &str, summary: &str) -> String {
    format!("  {name:15} {summary}\n")
}
