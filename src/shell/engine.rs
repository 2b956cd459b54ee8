//! Carries out commands: parses the words, calls the service, shows the reply and looks after the
//! session. The same for both roles, and for one command as for many.

use std::io::{self, IsTerminal};

use serde_json::value::RawValue;

use super::arguments::{self, Arguments, raw};
use super::command::{Command, Kind, Repeat, Role, SessionUse};
use super::password;
use super::reply::string_at;
use super::session::{Session, SessionFile};
use super::view::{self, Target};
use crate::client::{CallError, Client, Data};
use crate::command_line::{CANNOT_CONNECT, FAILED, USAGE, report, report_output_error, write_out};
use crate::text::{self, escape};

/// A role's commands, a connection and a session.
pub(crate) struct Engine {
    pub(crate) role: &'static Role,
    pub(crate) client: Client,
    pub(crate) session: Option<Session>,
    /// Where a login is kept. `None` where the environment names no place for it.
    pub(crate) session_file: Option<SessionFile>,
    /// Print each reply as JSON.
    pub(crate) json: bool,
    /// What stands before a command in its usage line: nothing within a shell.
    pub(crate) usage_prefix: String,
}

/// Why a command did not do what it should.
enum Failure {
    Usage(String),
    Call { error: CallError, json: bool, hint: Option<&'static str> },
    Output(io::Error),
}

const HINT_LOGIN: &str = "Log in first: login USER";
const HINT_UNKNOWN_OUTCOME: &str = "It may have been carried out all the same. Look before you try again.";

impl Engine {
    /// Carries out one command and returns its exit code, 0 if all went well. Whatever there is to
    /// say about it is printed already.
    pub(crate) fn run(&mut self, words: &[String]) -> u8 {
        let Some((name, rest)) = words.split_first() else {
            return 0;
        };
        let result = match name.as_str() {
            "help" => self.help(rest),
            name => self.command(name).and_then(|command| self.run_command(command, rest)),
        };
        match result {
            Ok(()) => 0,
            Err(failure) => failure.explain(),
        }
    }

    fn command(&self, name: &str) -> Result<&'static Command, Failure> {
        let unknown = || Failure::Usage(format!("no command {name:?}; `help` lists them all"));
        self.role.command(name).ok_or_else(unknown)
    }

    fn help(&self, words: &[String]) -> Result<(), Failure> {
        let help = match words.first() {
            None => self.role.overview(),
            Some(name) => arguments::help(self.command(name)?, &self.usage_prefix),
        };
        write_out(&help).map_err(Failure::Output)
    }

    fn run_command(&mut self, command: &'static Command, words: &[String]) -> Result<(), Failure> {
        let usage = |message| Failure::Usage(format!("{message}; `{} -h` explains", command.name));
        let (mut data, json) = match arguments::parse(command, words).map_err(usage)? {
            Arguments::Help => return self.help(&[command.name.to_owned()]),
            Arguments::Call { data, json } => (data, json || self.json),
        };
        for parameter in command.parameters.iter().filter(|parameter| parameter.is_secret()) {
            if !data.contains_key(parameter.field) {
                let password = password::ask(parameter.kind == Kind::NewPassword).map_err(usage)?;
                data.insert(parameter.field, raw(&password));
            }
        }
        let reply = self.call(command, &mut data).map_err(|error| {
            let hint = Self::hint(command, &data, &error);
            Failure::Call { error, json, hint }
        })?;
        self.follow_session(command, &data, &reply);
        show(command, &reply, json).map_err(Failure::Output)
    }

    fn call(&mut self, command: &Command, data: &mut Data) -> Result<Box<RawValue>, CallError> {
        let repeatable = is_repeatable(command, data);
        let sends_session = command.session.is_sent();
        if sends_session && let Some(session) = &self.session {
            data.insert("session_id", raw(&session.session_id));
        }
        let result = self.client.call(command.api, data, repeatable);
        if !sends_session || !result.as_ref().is_err_and(says_not_logged_in) {
            return result;
        }
        let was_kept = self.forget_session();
        if !was_kept || command.session != SessionUse::Optional {
            return result;
        }
        // Browsing needs no login, so one from long ago is no reason to refuse it.
        report("Your session has ended; going on without one.");
        data.remove("session_id");
        self.client.call(command.api, data, repeatable)
    }

    /// Drops the session, here and in its file. Returns whether it was the login kept there, and
    /// not one that the user gave for this run.
    fn forget_session(&mut self) -> bool {
        match (self.session.take(), &self.session_file) {
            (Some(session), Some(file)) => file.remove(&session),
            _ => false,
        }
    }

    /// Keeps the session that a login brought, and drops the one that a logout ended.
    fn follow_session(&mut self, command: &Command, data: &Data, reply: &RawValue) {
        match command.session {
            SessionUse::Starts => {
                let Some(session_id) = string_at(reply, "session_id") else {
                    return report("The service sent no session ID.");
                };
                let username = data.get("username").and_then(|name| serde_json::from_str(name.get()).ok());
                let session = Session { session_id, username };
                match self.session_file.as_ref().map(|file| file.store(&session)) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => {
                        report(&format!("The login cannot be kept for later commands: {error}"))
                    }
                    None => report("The login cannot be kept for later commands: HOME is not set."),
                }
                self.session = Some(session);
            }
            SessionUse::Ends => {
                self.forget_session();
            }
            SessionUse::Unused | SessionUse::Optional | SessionUse::Required => {}
        }
    }

    fn hint(command: &Command, data: &Data, error: &CallError) -> Option<&'static str> {
        match error {
            CallError::Refused(_) => says_not_logged_in(error).then_some(HINT_LOGIN),
            CallError::Broken(_) | CallError::TimedOut(_) | CallError::Malformed(_) => {
                (!is_repeatable(command, data)).then_some(HINT_UNKNOWN_OUTCOME)
            }
            CallError::CannotConnect(_) => None,
        }
    }
}

impl Failure {
    /// Prints what happened and returns the exit code.
    fn explain(&self) -> u8 {
        match self {
            Failure::Usage(message) => {
                report(&format!("error: {}", escape(message)));
                USAGE
            }
            Failure::Output(error) => {
                report_output_error(error);
                FAILED
            }
            Failure::Call { error, json, hint } => {
                explain_call(error, *json);
                if let Some(hint) = hint {
                    report(hint);
                }
                if matches!(error, CallError::CannotConnect(_)) { CANNOT_CONNECT } else { FAILED }
            }
        }
    }
}

fn explain_call(error: &CallError, json: bool) {
    match error {
        CallError::Refused(refusal) if json => {
            if let Err(error) = write_out(&text::json_line(&format!("{{\"error\":{}}}", refusal.json))) {
                report_output_error(&error);
            }
        }
        CallError::Refused(refusal) => {
            report(&format!("error: {}: {}", escape(&refusal.code), escape(&refusal.message)));
        }
        CallError::CannotConnect(message)
        | CallError::Broken(message)
        | CallError::TimedOut(message)
        | CallError::Malformed(message) => report(&format!("error: {}", escape(message))),
    }
}

fn show(command: &Command, reply: &RawValue, json: bool) -> io::Result<()> {
    if json {
        return write_out(&text::json_line(reply.get()));
    }
    write_out(&view::render(&command.view, reply, target()))?;
    if let Some(cursor) = string_at(reply, "next_cursor") {
        let word = shlex::try_quote(&cursor).map_or_else(|_| cursor.clone(), |word| word.into_owned());
        report(&format!("There is more: repeat the command with --cursor {}", escape(&word)));
    }
    Ok(())
}

fn target() -> Target {
    let out = io::stdout();
    if !out.is_terminal() {
        return Target::Plain;
    }
    let width = rustix::termios::tcgetwinsize(&out).ok().map(|size| size.ws_col).filter(|&width| width > 0);
    Target::Terminal { width }
}

fn is_repeatable(command: &Command, data: &Data) -> bool {
    match command.repeat {
        Repeat::Always => true,
        Repeat::Never => false,
        Repeat::With(field) => data.contains_key(field),
    }
}

fn says_not_logged_in(error: &CallError) -> bool {
    matches!(error, CallError::Refused(refusal) if matches!(refusal.code.as_str(), "NOT_LOGGED_IN" | "SESSION_TIMEOUT"))
}
