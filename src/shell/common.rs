//! Commands and parameters that are the same for buyers and sellers.

use super::command::{Command, Kind, Parameter, SessionUse};
use super::view::View;

/// The item that a command is about.
pub(crate) const ITEM: Parameter =
    Parameter::required("item", "item_id", Kind::Text, "the item's ID, such as 1:42").positional();
/// The length of a page.
pub(crate) const LIMIT: Parameter =
    Parameter::optional("limit", "limit", Kind::Integer, "how many to list at most");
/// The start of a page.
pub(crate) const CURSOR: Parameter =
    Parameter::optional("cursor", "cursor", Kind::Text, "where to go on, as the page before said");

const PASSWORD_HELP: &str = "the password, for scripts of no consequence: others can see it in the list of processes. \
                             Left out, it is MARKETPLACE_PASSWORD of the environment, or asked for";

const NEW_PASSWORD_HELP: &str =
    "the new one, likewise. Left out, it is MARKETPLACE_NEW_PASSWORD of the environment, or asked for";

/// Brings a session.
pub(crate) const LOGIN: Command = Command {
    name: "login",
    api: "Login",
    summary: "log in, and stay so for later commands",
    parameters: &[
        Parameter::required("user", "username", Kind::Text, "the user name").positional(),
        Parameter::required("password", "password", Kind::Password, PASSWORD_HELP).positional(),
    ],
    session: SessionUse::Starts,
    view: View::Sentence("Logged in as {role} {user_id}."),
};
/// Ends the session.
pub(crate) const LOGOUT: Command = Command {
    name: "logout",
    api: "Logout",
    summary: "end the session",
    parameters: &[],
    session: SessionUse::Ends,
    view: View::Sentence("Logged out."),
};
/// Ends all other sessions of the user.
pub(crate) const PASSWORD: Command = Command {
    name: "password",
    api: "ChangePassword",
    summary: "change the password, and end all your other sessions",
    parameters: &[
        Parameter::required("password", "password", Kind::Password, PASSWORD_HELP),
        Parameter::required("new-password", "new_password", Kind::ReplacingPassword, NEW_PASSWORD_HELP),
    ],
    session: SessionUse::Required,
    view: View::Sentence("Password changed."),
};
/// Needs no session.
pub(crate) const PING: Command = Command {
    name: "ping",
    api: "Ping",
    summary: "ask whether the service answers",
    parameters: &[],
    session: SessionUse::Unused,
    view: View::Sentence("{service} answers."),
};
/// What a new account takes.
pub(crate) const ACCOUNT: &[Parameter] = &[
    Parameter::required("name", "name", Kind::Text, "the name that others see").positional(),
    Parameter::optional("username", "username", Kind::Text, "the name to log in with, if another"),
    Parameter::required("password", "password", Kind::NewPassword, PASSWORD_HELP),
];
