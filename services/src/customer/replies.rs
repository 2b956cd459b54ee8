//! What the APIs of `db_customer` return as `data`.

use serde::Serialize;

use super::accounts::Purchase;
use super::cart::Cart;
use crate::api::values::{Feedback, ItemId, Role, SessionId};

#[derive(Serialize)]
pub(super) struct BuyerCreated {
    pub(super) buyer_id: u32,
}

#[derive(Serialize)]
pub(super) struct SellerCreated {
    pub(super) seller_id: u32,
}

#[derive(Serialize)]
pub(super) struct LoggedIn {
    pub(super) session_id: SessionId,
    pub(super) user_id: u32,
    pub(super) role: Role,
}

#[derive(Serialize)]
pub(super) struct LoggedOut {
    pub(super) logged_out: bool,
}

#[derive(Serialize)]
pub(super) struct Validated {
    pub(super) role: Role,
    pub(super) user_id: u32,
}

#[derive(Serialize)]
pub(super) struct Rating<'a> {
    pub(super) seller_id: u32,
    pub(super) name: &'a str,
    pub(super) feedback: Feedback,
    pub(super) items_sold: u64,
}

#[derive(Serialize)]
pub(super) struct Rated {
    pub(super) rated: bool,
}

#[derive(Serialize)]
pub(super) struct Purchases<'a> {
    pub(super) buyer_id: u32,
    pub(super) purchases_count: usize,
    pub(super) purchases: &'a [Purchase],
    pub(super) next_cursor: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Carried<'a> {
    pub(super) cart: &'a Cart,
}

#[derive(Serialize)]
pub(super) struct Counted {
    pub(super) item_id: ItemId,
    pub(super) quantity: u32,
}

#[derive(Serialize)]
pub(super) struct Cleared {
    pub(super) cleared: bool,
}

#[derive(Serialize)]
pub(super) struct Saved {
    pub(super) saved: bool,
}
