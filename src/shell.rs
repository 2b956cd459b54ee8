//! The buyer's and the seller's shell: one command from the command line, or many from a terminal
//! or a script.
//!
//! Each command is a row of a table (`buyer`, `seller`); the rest is the same for both sides.

mod arguments;
mod buyer;
mod call;
mod cart;
mod command;
mod common;
mod editor;
mod engine;
pub(crate) mod failure;
mod history;
mod input;
mod interactive;
mod kept;
mod line;
mod moment;
mod money;
mod output;
mod own;
mod pager;
mod purchase_key;
pub(crate) mod reply;
mod rows;
mod screen;
mod seller;
mod session;
mod table;
mod terminal;
pub(crate) mod trade;
mod view;
mod watch;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use buyer::BUYER;
use call::Caller;
pub(crate) use command::Role;
use editor::Editor;
use engine::{Engine, SESSION_VARIABLE, given_session};
use input::{Input, Plain};
use kept::{create_private_dir, state_dir};
use line::ReadError;
use output::Output;
use purchase_key::PurchaseKeyFile;
use screen::Expanded;
pub(crate) use seller::SELLER;
use session::{Session, SessionFile};

use crate::client::{CallError, check_address};
use crate::command_line::{self, report, write_out};
use crate::options::Options;
use crate::subcommand::{Group, Subcommand};
use crate::text;
use crate::tls::{self, ClientFiles};
use crate::usage::Usage;

/// Longer than a frontend waits for its databases, so that its own answer comes first.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(15);

/// The subcommand that is the shell of `role`.
pub(crate) fn subcommand(role: &'static Role) -> Subcommand {
    Subcommand::new(Group::Use, role.name, move || usage(role), move |args| run(role, args))
}

fn usage(role: &'static Role) -> Usage {
    let path = format!("marketplace {}", role.name);
    let summary = format!("{}'s shell, or one command of it", role.name);
    let usage = Usage::new(&path, &summary, &brief(role), options(role));
    let commands = role.commands.iter().map(|command| arguments::usage(command, &format!("{path} ")));
    let help = arguments::help_usage(role, &format!("{path} "));
    Usage { commands: commands.chain(trade::usages(role)).chain([help]).collect(), ..usage }
}

fn options(role: &Role) -> Options {
    let mut options = Options::new();
    options.stop_at_first_word();
    let default_server = role.service.default_address();
    options.value("server", &format!("the service to use ({default_server})"), "HOST:PORT");
    options.value(
        "session",
        &format!("the session to use, rather than {SESSION_VARIABLE} or the login kept"),
        "ID",
    );
    tls::add_client_option(&mut options);
    options.flag("json", "print each reply's data, or error, as one line of JSON");
    options.flag("header", "begin tab-separated values with a line of their names");
    options
}

fn run(role: &'static Role, args: &[String]) -> ExitCode {
    let usage = usage(role);
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let server = matches.opt_str("server").unwrap_or_else(|| role.service.default_address());
    if let Err(message) = check_address(&server) {
        return usage.error(&message);
    }
    let tls = match ClientFiles::given(&matches) {
        Ok(files) => files.map(|files| files.tls),
        Err(message) => return usage.error(&message),
    };
    let state_dir = state_dir();
    let session_file = state_dir.as_deref().map(|dir| SessionFile::new(dir, role.name, &server));
    let purchase_key_file = state_dir.as_deref().map(|dir| PurchaseKeyFile::new(dir, role.name, &server));
    let session = match matches.opt_str("session").or_else(given_session) {
        Some(session_id) => Some(Session { session_id, username: None }),
        None => session_file.as_ref().and_then(load_session),
    };
    let mut engine = Engine {
        role,
        caller: Caller::new(&server, tls, REPLY_TIMEOUT),
        input: Input::for_command(),
        session,
        session_file,
        purchase_key_file,
        output: Output {
            json: matches.opt_present("json"),
            header: matches.opt_present("header"),
            expanded: Expanded::Auto,
            is_paged: io::stdin().is_terminal(),
        },
        says_times: false,
        waited: None,
        is_single: !matches.free.is_empty(),
    };
    if engine.is_single {
        if let Some(code) = trade::run(&mut engine, &matches.free) {
            return code;
        }
        return ExitCode::from(engine.run(&matches.free));
    }
    if engine.input.is_terminal() {
        if let Err(code) = greet(&mut engine) {
            return code;
        }
        match open_terminal(role, state_dir.as_deref()) {
            Ok(input) => engine.input = input,
            Err(message) => {
                report(&format!("error: cannot use the terminal: {message}"));
                return ExitCode::from(command_line::FAILED);
            }
        }
    }
    ExitCode::from(interactive::run(&mut engine))
}

fn load_session(file: &SessionFile) -> Option<Session> {
    file.load().unwrap_or_else(|error| {
        let path = text::escape(&file.path().to_string_lossy());
        report(&format!("The login kept in {path} cannot be read: {error}"));
        None
    })
}

/// The terminal as a source of many lines.
fn open_terminal(role: &'static Role, state_dir: Option<&Path>) -> Result<Input, String> {
    if !Editor::is_supported() {
        return Plain::open().map(Input::Plain).map_err(|error| error.to_string());
    }
    // A history that cannot be kept is no reason not to work.
    let dir = state_dir.filter(|dir| create_private_dir(dir).is_ok());
    let history: Option<PathBuf> = dir.map(|dir| dir.join(format!("history-{}", role.name)));
    match Editor::open(role, history) {
        Ok(editor) => Ok(Input::Editor(Box::new(editor))),
        Err(ReadError::Failed(message)) => Err(message),
        Err(_) => Err("it was interrupted".to_owned()),
    }
}

/// Connects first: whoever opens a shell wants to know at once that the service is not there.
fn greet(engine: &mut Engine) -> Result<(), ExitCode> {
    if let Err(CallError::CannotConnect(message)) = engine.caller.client().connect() {
        report(&format!("error: {}", text::escape(&message)));
        return Err(ExitCode::from(command_line::CANNOT_CONNECT));
    }
    let server = text::escape(engine.caller.client().server());
    write_out(&format!("Connected to {server}. `help` lists the commands, Ctrl-D leaves.\n")).map_err(
        |error| {
            command_line::report_output_error(&error);
            ExitCode::from(command_line::FAILED)
        },
    )
}

fn brief(role: &Role) -> String {
    format!(
        "Usage: marketplace {name} [OPTION]… [COMMAND [ARGUMENT]…]

Carries out one command. Without a command, opens a shell on a terminal; elsewhere it runs
the lines of standard input as commands, up to the first that fails.

Results are tables on a terminal and tab-separated values elsewhere, with a header if --header asks
for one. With --json, an error of the service is printed to standard output, as {{\"error\":{{…}}}}.
What is taller than the terminal is shown by the pager in $PAGER, or else by less, unless that is empty
or cat. Colours are not used where NO_COLOR is set. In a shell, \\? lists commands about such things.
A login is kept in $XDG_STATE_HOME/marketplace (or ~/.local/state/marketplace). Where it cannot
be, login fails, unless --json prints the session.
A password is taken from MARKETPLACE_PASSWORD in the environment, or else asked for; in a pipe
it is the next line.

Exit status: 0 done, 1 the service answered with an error or its answer was lost, 2 usage,
3 cannot connect.",
        name = role.name,
    )
}
