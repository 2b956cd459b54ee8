//! The commands of buyers.

use super::command::{Command, IDEMPOTENCY_FIELD, Kind, Parameter, Role, SessionUse};
use super::common::{ACCOUNT, CURSOR, ITEM, LIMIT, LOGIN, LOGOUT, PASSWORD, PING};
use super::view::{ITEM_COLUMNS, RATING_COLUMNS, View};
use crate::service::Service;

/// The buyer's shell.
pub(crate) static BUYER: Role = Role { name: "buyer", service: Service::ServerBuyer, commands: COMMANDS };

const QUANTITY: Parameter =
    Parameter::required("quantity", "quantity", Kind::Integer, "how many units").positional();

const COMMANDS: &[Command] = &[
    Command {
        name: "create-account",
        api: "CreateAccount",
        summary: "open a buyer's account",
        parameters: ACCOUNT,
        session: SessionUse::Unused,
        view: View::Sentence("Account opened: buyer {buyer_id}."),
    },
    LOGIN,
    LOGOUT,
    PASSWORD,
    Command {
        name: "browse",
        api: "ListCategories",
        summary: "list the categories that have items in stock",
        parameters: &[LIMIT, CURSOR],
        session: SessionUse::Optional,
        view: View::Categories,
    },
    Command {
        name: "search",
        api: "SearchItemsForSale",
        summary: "find items in stock, by keywords, category or both",
        parameters: &[
            Parameter::optional("keyword", "keywords", Kind::TextList, "a word to look for; may be repeated")
                .positional(),
            Parameter::optional("category", "category", Kind::Integer, "only this category"),
            LIMIT,
            CURSOR,
        ],
        session: SessionUse::Optional,
        view: View::Items { footer: "{total} found." },
    },
    Command {
        name: "item",
        api: "GetItem",
        summary: "show an item",
        parameters: &[ITEM],
        session: SessionUse::Optional,
        view: View::Record { object: "item", columns: ITEM_COLUMNS },
    },
    Command {
        name: "add",
        api: "AddItemToCart",
        summary: "put units of an item into the cart",
        parameters: &[ITEM, QUANTITY],
        session: SessionUse::Required,
        view: View::Sentence("Item {item_id}: {quantity} in the cart."),
    },
    Command {
        name: "remove",
        api: "RemoveItemFromCart",
        summary: "take units of an item out of the cart",
        parameters: &[ITEM, QUANTITY],
        session: SessionUse::Required,
        view: View::Sentence("Item {item_id}: {quantity} in the cart."),
    },
    Command {
        name: "save",
        api: "SaveCart",
        summary: "keep the cart for later sessions",
        parameters: &[],
        session: SessionUse::Required,
        view: View::Sentence("Cart saved."),
    },
    Command {
        name: "clear",
        api: "ClearCart",
        summary: "empty the cart",
        parameters: &[],
        session: SessionUse::Required,
        view: View::Sentence("Cart emptied."),
    },
    Command {
        name: "cart",
        api: "DisplayCart",
        summary: "show the cart",
        parameters: &[],
        session: SessionUse::Required,
        view: View::Cart,
    },
    Command {
        name: "buy",
        api: "MakePurchase",
        summary: "buy all that is in the cart, or nothing",
        parameters: &[Parameter::optional(
            "key",
            IDEMPOTENCY_FIELD,
            Kind::Key,
            "your own name for this purchase: asked for again by it, it is bought once. Without, the shell remembers a \
             name until the service has answered",
        )],
        session: SessionUse::Required,
        view: View::Purchase,
    },
    Command {
        name: "vote",
        api: "ProvideFeedback",
        summary: "vote an item and its seller up or down",
        parameters: &[ITEM, Parameter::required("vote", "vote", Kind::Text, "up or down").positional()],
        session: SessionUse::Required,
        view: View::Sentence("Item {item_id}: {feedback.up} up, {feedback.down} down."),
    },
    Command {
        name: "rating",
        api: "GetSellerRating",
        summary: "show how a seller is rated",
        parameters: &[
            Parameter::required("seller", "seller_id", Kind::Integer, "the seller's ID").positional()
        ],
        session: SessionUse::Required,
        view: View::Record { object: "", columns: RATING_COLUMNS },
    },
    Command {
        name: "purchases",
        api: "GetBuyerPurchases",
        summary: "list what you have bought",
        parameters: &[LIMIT, CURSOR],
        session: SessionUse::Required,
        view: View::Purchases,
    },
    PING,
];
