//! What a command is: data that says which API it calls, what it takes and how its reply is shown.
//!
//! The tables themselves are in `buyer` and `seller`. Limits of the values are the service's to
//! check; a command knows only their form.

use services::Effect;

use super::view::View;
use crate::client::Data;
use crate::service::Service;

/// The field that makes of a second request the first one again.
pub(crate) const IDEMPOTENCY_FIELD: &str = "idempotency_key";

/// A side of the market, with its shell.
pub(crate) struct Role {
    /// The subcommand: `buyer` or `seller`.
    pub(crate) name: &'static str,
    /// What it calls.
    pub(crate) service: Service,
    pub(crate) commands: &'static [Command],
}

/// One command of a shell.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) api: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) session: SessionUse,
    pub(crate) view: View,
}

/// What a command has to do with the session.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum SessionUse {
    /// The session is not sent.
    Unused,
    /// The session is sent if there is one, which keeps it alive.
    Optional,
    /// The service demands a session.
    Required,
    /// The reply brings a session.
    Starts,
    /// The session ends.
    Ends,
}

/// A value that a command takes, as an option and perhaps also by its position.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    /// The option's name, without dashes.
    pub(crate) flag: &'static str,
    /// The field of the request's `data`.
    pub(crate) field: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) positional: bool,
    pub(crate) help: &'static str,
}

/// The form of a parameter's value.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Text,
    /// A name for the request. Where none is given, the shell makes one up, so that it can be repeated.
    Key,
    /// Text that nobody should see, asked for if it was not given.
    Password,
    /// As `Password`, and on a terminal asked for twice.
    NewPassword,
    /// As `NewPassword`, where the one so far is asked for, too.
    ReplacingPassword,
    Integer,
    /// A decimal number, which is sent with the very digits that were typed.
    Decimal,
    /// Texts: one for each time the option is given, and all that is left of the positional words.
    TextList,
    /// An option without a value, which sends `true`.
    Flag,
}

impl SessionUse {
    /// Whether the request carries the session, if there is one.
    pub(crate) fn is_sent(self) -> bool {
        matches!(self, SessionUse::Optional | SessionUse::Required | SessionUse::Ends)
    }
}

impl Parameter {
    /// A parameter that must be given, as `--flag`.
    pub(crate) const fn required(
        flag: &'static str,
        field: &'static str,
        kind: Kind,
        help: &'static str,
    ) -> Parameter {
        Parameter { flag, field, kind, required: true, positional: false, help }
    }

    /// A parameter that may be left out.
    pub(crate) const fn optional(
        flag: &'static str,
        field: &'static str,
        kind: Kind,
        help: &'static str,
    ) -> Parameter {
        Parameter { flag, field, kind, required: false, positional: false, help }
    }

    /// The same parameter, taken by its position as well.
    pub(crate) const fn positional(self) -> Parameter {
        Parameter { positional: true, ..self }
    }

    /// What stands for the value in a usage line, such as `ITEM`.
    pub(crate) fn placeholder(&self) -> String {
        self.flag.to_uppercase()
    }

    /// Whether nobody should see the value. Usage lines do not propose to give it.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Password | Kind::NewPassword | Kind::ReplacingPassword)
    }
}

impl Command {
    /// Whether carrying it out shows something and changes nothing.
    pub(crate) fn only_reads(&self) -> bool {
        !matches!(self.view, View::Sentence(_) | View::Purchase)
    }

    /// The parameters whose values nobody should see.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().filter(|parameter| parameter.is_secret())
    }

    /// The parameter that names the request.
    pub(crate) fn key(&self) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.kind == Kind::Key)
    }

    /// The usage line without the program's name, such as `price ITEM PRICE [OPTION]…`.
    pub(crate) fn usage_line(&self) -> String {
        let mut line = self.name.to_owned();
        for parameter in self.parameters {
            let placeholder = parameter.placeholder();
            let form = match (parameter.positional, parameter.kind) {
                _ if parameter.is_secret() => continue,
                (true, Kind::TextList) => format!("{placeholder}…"),
                (true, _) => placeholder,
                (false, _) if parameter.required => format!("--{} {placeholder}", parameter.flag),
                _ => continue,
            };
            line.push(' ');
            line.push_str(&if parameter.required { form } else { format!("[{form}]") });
        }
        line + " [OPTION]…"
    }
}

impl Role {
    /// Whether a call whose outcome is not known may be made again, which follows from what its API changes. One that
    /// the services do not know is made once, unless its data says otherwise.
    pub(crate) fn may_repeat(&self, api: &str, data: &Data) -> bool {
        let effect = services::effect(self.service.name(), api);
        effect.is_some_and(|effect| effect != Effect::Once) || data.contains_key(IDEMPOTENCY_FIELD)
    }

    /// The command of that name.
    pub(crate) fn command(&self, name: &str) -> Option<&'static Command> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// The list of all commands.
    pub(crate) fn overview(&self) -> String {
        let commands = self.commands.iter().map(|command| (command.name, command.summary));
        let built_in = [
            ("help", "this list, or all about the command named after it"),
            ("exit", "leave the shell; so do quit and Ctrl-D"),
        ];
        commands.chain(built_in).map(|(name, summary)| format!("  {name:15} {summary}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::client::raw;
    use crate::shell::{BUYER, SELLER};

    fn apis(role: &Role) -> BTreeSet<&'static str> {
        role.commands.iter().map(|command| command.api).collect()
    }

    #[test]
    fn every_api_has_a_command() {
        let seller = "Ping CreateAccount Login Logout ChangePassword GetSellerRating RegisterItemForSale ChangeItemPrice \
                      UpdateUnitsForSale DisplayItemsForSale";
        let buyer = "Ping CreateAccount Login Logout ChangePassword ListCategories SearchItemsForSale GetItem \
                     AddItemToCart RemoveItemFromCart SaveCart ClearCart DisplayCart MakePurchase ProvideFeedback \
                     GetSellerRating GetBuyerPurchases";
        assert_eq!(apis(&SELLER), seller.split_whitespace().collect());
        assert_eq!(apis(&BUYER), buyer.split_whitespace().collect());
    }

    #[test]
    fn a_call_is_repeated_only_where_that_undoes_nothing() {
        let (bare, mut with_key) = (Data::new(), Data::new());
        with_key.insert(IDEMPOTENCY_FIELD, raw("k"));
        for (role, api) in [(&BUYER, "SearchItemsForSale"), (&BUYER, "Login"), (&SELLER, "Ping")] {
            assert!(role.may_repeat(api, &bare), "{api}");
        }
        let once = [
            (&BUYER, "AddItemToCart"),
            (&SELLER, "ChangeItemPrice"),
            (&BUYER, "MakePurchase"),
            (&SELLER, "ChangePassword"),
        ];
        for (role, api) in once {
            assert!(!role.may_repeat(api, &bare), "{api}");
        }
        assert!(BUYER.may_repeat("MakePurchase", &with_key));
    }

    #[test]
    fn names_are_unique_and_optional_positions_come_last() {
        for role in [&BUYER, &SELLER] {
            let names: BTreeSet<_> = role.commands.iter().map(|command| command.name).collect();
            assert_eq!(names.len(), role.commands.len());
            for command in role.commands {
                let flags: BTreeSet<_> = command.parameters.iter().map(|parameter| parameter.flag).collect();
                assert_eq!(flags.len(), command.parameters.len(), "{}", command.name);
                let required: Vec<_> =
                    command.parameters.iter().filter(|p| p.positional).map(|p| p.required).collect();
                assert!(required.is_sorted_by(|a, b| a >= b), "{}", command.name);
            }
        }
    }

    #[test]
    fn usage_lines_show_what_must_be_given() {
        let usage = |role: &Role, name| role.command(name).unwrap().usage_line();
        assert_eq!(usage(&SELLER, "price"), "price ITEM PRICE [OPTION]…");
        assert_eq!(usage(&BUYER, "search"), "search [KEYWORD…] [OPTION]…");
        assert_eq!(usage(&BUYER, "login"), "login USER [OPTION]…");
        assert!(
            usage(&SELLER, "register").starts_with("register --name NAME --category CATEGORY --condition")
        );
    }
}
