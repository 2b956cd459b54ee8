//! What a lost reply leaves open, by API: the part of a client that is easily got wrong. `services/README.md` has the reasons,
//! below "When the outcome is not known".

use serde_json::Value;

/// APIs that may be called again, whatever others do meanwhile.
pub(crate) const REPEATABLE: [&str; 10] = [
    "DisplayCart",
    "DisplayItemsForSale",
    "GetBuyerPurchases",
    "GetItem",
    "GetSellerRating",
    "ListCategories",
    "Login",
    "Logout",
    "Ping",
    "SearchItemsForSale",
];
/// APIs that leave the same behind when they are called twice, unless somebody else changes the same thing in between.
pub(crate) const REPEATABLE_ALONE: [&str; 4] =
    ["ChangeItemPrice", "ClearCart", "ProvideFeedback", "SaveCart"];
/// APIs about the cart of a session: in a new session it is another one.
const OF_THE_CART: [&str; 6] =
    ["AddItemToCart", "ClearCart", "DisplayCart", "MakePurchase", "RemoveItemFromCart", "SaveCart"];

/// Whether a call whose reply was lost may be made again. `is_alone` says that nobody else changes the same things.
pub(crate) fn may_repeat(api: &str, data: &Value, is_alone: bool) -> bool {
    REPEATABLE.contains(&api)
        || REPEATABLE_ALONE.contains(&api) && is_alone
        || api == "MakePurchase" && data.get("idempotency_key").is_some()
}

/// Whether a call that is made twice and fails the second time may have changed something the first time.
pub(crate) fn leaves_something(api: &str) -> bool {
    !REPEATABLE.contains(&api)
}

/// Whether a call means another cart in another session.
pub(crate) fn is_of_the_cart(api: &str) -> bool {
    OF_THE_CART.contains(&api)
}
