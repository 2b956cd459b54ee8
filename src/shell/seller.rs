//! The commands of sellers.

use super::command::{Command, Kind, Parameter, Role, SessionUse};
use super::common::{ACCOUNT, CURSOR, ITEM, LIMIT, LOGIN, LOGOUT, PASSWORD, PING};
use super::view::{RATING_COLUMNS, View};
use crate::service::Service;

/// The seller's shell.
pub(crate) static SELLER: Role = Role { name: "seller", service: Service::ServerSeller, commands: COMMANDS };

const COMMANDS: &[Command] = &[
    Command {
        name: "create-account",
        api: "CreateAccount",
        summary: "open a seller's account",
        parameters: ACCOUNT,
        session: SessionUse::Unused,
        view: View::Sentence("Account opened: seller {seller_id}."),
    },
    LOGIN,
    LOGOUT,
    PASSWORD,
    Command {
        name: "rating",
        api: "GetSellerRating",
        summary: "show how you are rated",
        parameters: &[],
        session: SessionUse::Required,
        view: View::Record { object: "", columns: RATING_COLUMNS },
    },
    Command {
        name: "register",
        api: "RegisterItemForSale",
        summary: "put an item up for sale",
        parameters: &[
            Parameter::required("name", "name", Kind::Text, "what it is called"),
            Parameter::required("category", "category", Kind::Integer, "the number of its category"),
            Parameter::optional(
                "keyword",
                "keywords",
                Kind::TextList,
                "a word to find it by; may be repeated",
            ),
            Parameter::required("condition", "condition", Kind::Text, "new or used"),
            Parameter::required("price", "price", Kind::Decimal, "the price of one unit, such as 19.99"),
            Parameter::required("quantity", "quantity", Kind::Integer, "how many units are for sale"),
        ],
        session: SessionUse::Required,
        view: View::Sentence("Item {item_id} is for sale."),
    },
    Command {
        name: "price",
        api: "ChangeItemPrice",
        summary: "change the price of an item",
        parameters: &[
            ITEM,
            Parameter::required("price", "price", Kind::Decimal, "the new price of one unit").positional(),
        ],
        session: SessionUse::Required,
        view: View::Sentence("Item {item_id}: priced at {$price}."),
    },
    Command {
        name: "units",
        api: "UpdateUnitsForSale",
        summary: "add units of an item, or remove some with a negative number",
        parameters: &[
            ITEM,
            Parameter::required(
                "delta",
                "quantity_delta",
                Kind::Integer,
                "how many to add; -3 removes three",
            )
            .positional(),
        ],
        session: SessionUse::Required,
        view: View::Sentence("Item {item_id}: {quantity} for sale."),
    },
    Command {
        name: "items",
        api: "DisplayItemsForSale",
        summary: "list what you have for sale",
        parameters: &[
            Parameter::optional("sold-out", "sold_out", Kind::Flag, "list items without stock as well"),
            LIMIT,
            CURSOR,
        ],
        session: SessionUse::Required,
        view: View::Items { footer: "" },
    },
    PING,
];
