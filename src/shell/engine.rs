//! Carries out commands: parses the words, calls the service, shows the reply and looks after the
//! session. The same for both roles, and for one command as for many.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::arguments::{self, Arguments};
use super::call::Caller;
use super::cart;
use super::command::{BUILT_IN, Command, Kind, Role, SessionUse};
use super::failure::Failure;
use super::input::Input;
use super::kept::NewFile;
use super::line::ReadError;
use super::output::Output;
use super::own;
use super::purchase_key::{PurchaseKey, PurchaseKeyFile};
use super::reply::{session_id, string_at};
use super::rows::Target;
use super::session::{Session, SessionFile};
use super::view::{self, View};
use crate::client::{CallError, Client, Data, raw};
use crate::command_line::{report, write_out};
use crate::narrow::fit_terminal;
use crate::suggestion::did_you_mean;
use crate::text::{self, escape};
use crate::usage::row;

/// A role's commands, a connection and a session.
pub(crate) struct Engine {
    pub(crate) role: &'static Role,
    pub(crate) caller: Caller,
    /// Where passwords come from, and lines if there are many.
    pub(crate) input: Input,
    pub(crate) session: Option<Session>,
    /// Where a login is kept. `None` where the environment names no place for it.
    pub(crate) session_file: Option<SessionFile>,
    /// Where the key of a purchase is kept until it is answered. `None` likewise.
    pub(crate) purchase_key_file: Option<PurchaseKeyFile>,
    /// How replies are shown.
    pub(crate) output: Output,
    /// Say how long the service took to answer.
    pub(crate) says_times: bool,
    /// How long it took at the command at hand, if it was asked anything.
    pub(crate) waited: Option<Duration>,
    /// There is one command only, so a login is of use only if it is kept.
    pub(crate) is_single: bool,
}

/// Gives the session that a run uses, unless an option does.
pub(crate) const SESSION_VARIABLE: &str = "MARKETPLACE_SESSION";
const PASSWORD_VARIABLE: &str = "MARKETPLACE_PASSWORD";
const NEW_PASSWORD_VARIABLE: &str = "MARKETPLACE_NEW_PASSWORD";
pub(crate) const HINT_LOGIN: &str = "Log in first: login USER";
const HINT_KEY_KEPT: &str = "The same command again asks for this very purchase: it is made once at most.";
const HINT_UNKNOWN_OUTCOME: &str = "It may have been carried out all the same. Look before you try again.";

/// The session that the environment gives.
pub(crate) fn given_session() -> Option<String> {
    from_environment(SESSION_VARIABLE)
}

/// The password that the environment gives.
pub(crate) fn given_password() -> Option<String> {
    from_environment(PASSWORD_VARIABLE)
}

impl Engine {
    /// Carries out one command and returns its exit code, 0 if all went well. Whatever there is to
    /// say about it is printed already.
    pub(crate) fn run(&mut self, words: &[String]) -> u8 {
        let Some((name, rest)) = words.split_first() else {
            return 0;
        };
        self.waited = None;
        let result = match name.as_str() {
            "help" | "--help" | "-h" => self.help(rest),
            name => self.command(name).and_then(|command| self.run_command(command, rest)),
        };
        if let Some(waited) = self.waited.filter(|_| self.says_times) {
            report(&format!("Time: {:.3} ms", waited.as_secs_f64() * 1000.0));
        }
        match result {
            Ok(()) => 0,
            Err(failure) => failure.explain(),
        }
    }

    fn command(&self, name: &str) -> Result<&'static Command, Failure> {
        self.role.command(name).ok_or_else(|| {
            let shown: String = name.chars().take(40).collect();
            let meant = did_you_mean(name, self.role.names());
            Failure::Usage(format!("no command {shown:?}{meant}; `help` lists them all"))
        })
    }

    fn help(&self, words: &[String]) -> Result<(), Failure> {
        let help = match words.first().map(String::as_str) {
            Some("help" | "-h" | "--help") => arguments::help_usage(self.role, &self.prefix()).help(),
            None if self.is_single => self.role.overview(),
            None => self.role.overview() + &own::row(),
            Some(name) => match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
                Some((name, summary)) => row(name, summary),
                None => arguments::usage(self.command(name)?, &self.prefix()).help(),
            },
        };
        write_out(&fit_terminal(&help)).map_err(Failure::Output)
    }

    /// What stands before a command where it is typed.
    fn prefix(&self) -> String {
        if self.is_single { format!("marketplace {} ", self.role.name) } else { String::new() }
    }

    fn run_command(&mut self, command: &'static Command, words: &[String]) -> Result<(), Failure> {
        let usage = |message| Failure::Usage(format!("{message}; `{} -h` explains", command.name));
        let (mut data, output) = match arguments::parse(command, words).map_err(usage)? {
            Arguments::Help => return self.help(&[command.name.to_owned()]),
            Arguments::Call { data, json, header } => (data, self.output.with(json, header)),
        };
        let json = output.json;
        // Whoever cannot keep a login should know before there is one.
        let kept = (command.session == SessionUse::Starts).then(|| self.new_session_file());
        if let Some(Err(why)) = &kept
            && self.is_lost_if_not_kept(json)
        {
            return Err(Failure::NotKept(why.clone()));
        }
        for parameter in command.secrets() {
            if !data.contains_key(parameter.field) {
                let password = self.password(command, parameter.kind)?;
                data.insert(parameter.field, raw(&password));
            }
        }
        let key = self.purchase_key(command, &mut data);
        let reply = self.call(command, &mut data);
        let key_file = self.purchase_key_file.as_ref();
        let open = key.filter(|key| !key.answered(key_file, &reply));
        let reply = reply.map_err(|error| {
            let hint = match open {
                Some(PurchaseKey { is_kept: true, .. }) => Some(HINT_KEY_KEPT),
                Some(_) => Some(HINT_UNKNOWN_OUTCOME),
                None => self.hint(command, &data, &error),
            };
            Failure::Call { error, json, hint }
        })?;
        if let Some(kept) = kept {
            self.begin_session(&data, &reply, kept, json)?;
        }
        if command.session == SessionUse::Ends {
            self.forget_session();
        }
        self.show(command, &reply, output).map_err(Failure::Output)
    }

    /// A password from the environment, or else from the input. A person is asked for a new one twice.
    fn password(&mut self, command: &Command, kind: Kind) -> Result<String, Failure> {
        let (variable, question) = match kind {
            Kind::ReplacingPassword => (NEW_PASSWORD_VARIABLE, "New password: "),
            _ => (PASSWORD_VARIABLE, "Password: "),
        };
        if let Some(password) = from_environment(variable) {
            return Ok(password);
        }
        let usage = |why: &str| Failure::Usage(format!("{why}; `{} -h` explains", command.name));
        let asks_a_person = self.input.is_terminal();
        let mut ask = |question| {
            self.input.secret(question).map_err(|error| match error {
                ReadError::Interrupted => Failure::Interrupted,
                ReadError::End => usage("no password was given"),
                ReadError::Refused(what) => usage(&what),
                ReadError::Failed(what) => usage(&format!("cannot read the password: {what}")),
            })
        };
        let password = ask(question)?;
        if kind != Kind::Password && asks_a_person && ask("The same again: ")? != password {
            return Err(usage("the two passwords differ"));
        }
        Ok(password)
    }

    /// Names a purchase that the user has not named. Without a session there is none.
    fn purchase_key(&self, command: &Command, data: &mut Data) -> Option<PurchaseKey> {
        let parameter = command.key().filter(|parameter| !data.contains_key(parameter.field))?;
        let key = PurchaseKey::next(self.purchase_key_file.as_ref(), self.session.as_ref()?, |why| {
            let why = escape(&why.to_string());
            report(&format!("Later commands will not know of this purchase: its key cannot be kept: {why}"));
        });
        if key.is_repeated {
            report("An earlier command got no answer; this one asks for the same purchase again.");
        }
        data.insert(parameter.field, raw(&key.key));
        Some(key)
    }

    fn call(&mut self, command: &Command, data: &mut Data) -> Result<Box<RawValue>, CallError> {
        let repeatable = self.role.may_repeat(command.api, data);
        let sends_session = command.session.is_sent();
        if sends_session && let Some(session) = &self.session {
            data.insert("session_id", raw(&session.session_id));
        }
        let result = self.send(command, data, repeatable);
        if !sends_session || !result.as_ref().is_err_and(CallError::says_not_logged_in) {
            return result;
        }
        let was_kept = self.forget_session();
        if !was_kept || command.session != SessionUse::Optional {
            return result;
        }
        // Browsing needs no login, so one from long ago is no reason to refuse it.
        report("Your session has ended; going on without one.");
        data.remove("session_id");
        self.send(command, data, repeatable)
    }

    fn send(&mut self, command: &Command, data: &Data, repeatable: bool) -> Result<Box<RawValue>, CallError> {
        let (api, data) = (command.api, data.clone());
        self.ask(move |client| client.call(api, &data, repeatable))
    }

    /// Calls the service, and counts how long that takes.
    fn ask<T: Send + 'static>(
        &mut self,
        calls: impl FnOnce(&mut Client) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let result = self.caller.call(self.input.terminal(), calls);
        self.waited = Some(self.waited.unwrap_or_default() + begun.elapsed());
        result
    }

    /// Drops the session, here and in its file. Returns whether it was the login kept there, and
    /// not one that the user gave for this run.
    fn forget_session(&mut self) -> bool {
        match (self.session.take(), &self.session_file) {
            (Some(session), Some(file)) => file.remove(&session),
            _ => false,
        }
    }

    /// The file for the session to come. An `Err` says why there is none.
    fn new_session_file(&self) -> Result<NewFile, String> {
        match &self.session_file {
            Some(file) => file.replace().map_err(|error| self.explain_not_kept(&error)),
            None => Err("the login cannot be kept: neither HOME nor XDG_STATE_HOME is set".to_owned()),
        }
    }

    fn explain_not_kept(&self, error: &io::Error) -> String {
        let dir = self.session_file.as_ref().and_then(|file| file.path().parent());
        format!("the login cannot be kept in {}: {error}", dir.unwrap_or(Path::new(".")).display())
    }

    /// Whether nobody would have the session of a login that is not kept.
    fn is_lost_if_not_kept(&self, json: bool) -> bool {
        self.is_single && !json
    }

    /// Uses the session that a login brought, and keeps it if it can.
    fn begin_session(
        &mut self,
        data: &Data,
        reply: &RawValue,
        kept: Result<NewFile, String>,
        json: bool,
    ) -> Result<(), Failure> {
        let session_id = session_id(reply).map_err(|error| Failure::Call { error, json, hint: None })?;
        let username = data.get("username").and_then(|name| serde_json::from_str(name.get()).ok());
        let session = Session { session_id, username };
        let kept = kept.and_then(|file| file.keep(&session).map_err(|error| self.explain_not_kept(&error)));
        match kept {
            Err(why) if self.is_lost_if_not_kept(json) => {
                let logout = Data::from([("session_id", raw(&session.session_id))]);
                let repeatable = self.role.may_repeat("Logout", &logout);
                // A session that stays is of no use to anybody, and times out.
                let _ = self.caller.client().call("Logout", &logout, repeatable);
                return Err(Failure::NotKept(why));
            }
            Err(why) => report(&format!("Later commands will not know of this login: {}", escape(&why))),
            Ok(()) if self.is_single && given_session().is_some() => {
                report(&format!(
                    "Later commands use the session in {SESSION_VARIABLE}, as long as it is set."
                ));
            }
            Ok(()) => {}
        }
        self.session = Some(session);
        Ok(())
    }

    /// Shows a reply, and of a cart also what the service says about its items.
    fn show(&mut self, command: &Command, reply: &RawValue, output: Output) -> io::Result<()> {
        if output.json {
            return write_out(&text::json_line(reply.get()));
        }
        let shown = match (&command.view, output.target()) {
            (View::Cart, target @ Target::Terminal(_)) => {
                let item_ids = cart::item_ids(reply);
                let items = self.ask(move |client| cart::fetch(client, item_ids)).unwrap_or_else(|error| {
                    report(&format!("What is in the cart is not known: {}", escape(&error.to_string())));
                    cart::Items::new()
                });
                cart::render(reply, &items, target)
            }
            (view, target) => view::render(view, reply, target),
        };
        output.show(&shown)?;
        if let Some(cursor) = string_at(reply, "next_cursor") {
            let word = shlex::try_quote(&cursor).map_or_else(|_| cursor.clone(), |word| word.into_owned());
            report(&format!("There is more: repeat the command with --cursor {}", escape(&word)));
        }
        Ok(())
    }

    fn hint(&self, command: &Command, data: &Data, error: &CallError) -> Option<&'static str> {
        match error {
            CallError::Refused(_) => error.says_not_logged_in().then_some(HINT_LOGIN),
            CallError::GivenUp => (!self.role.only_reads(command)).then_some(HINT_UNKNOWN_OUTCOME),
            CallError::Broken(_) | CallError::TimedOut(_) | CallError::Malformed(_) => {
                (!self.role.may_repeat(command.api, data)).then_some(HINT_UNKNOWN_OUTCOME)
            }
            CallError::CannotConnect(_) => None,
        }
    }
}

fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
