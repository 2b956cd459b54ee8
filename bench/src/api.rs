//! [`Api`]: the APIs that a benchmark can call, and through which databases each of them goes.

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A client of `server_buyer`.
    Buyer,
    /// A client of `server_seller`.
    Seller,
}

/// An API of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Api {
    Ping,
    CreateAccount,
    Login,
    Logout,
    GetSellerRating,
    RegisterItemForSale,
    ChangeItemPrice,
    UpdateUnitsForSale,
    DisplayItemsForSale,
    SearchItemsForSale,
    GetItem,
    AddItemToCart,
    RemoveItemFromCart,
    SaveCart,
    ClearCart,
    DisplayCart,
    MakePurchase,
    ProvideFeedback,
    GetBuyerPurchases,
}

/// The databases that a request goes through, in turn: `C` is `db_customer`, `P` is `db_product`. A small letter stands for
/// one that answers once what was changed is on disk. A vote is not among these: most of those that a client of the
/// benchmark gives change nothing.
pub(crate) type Hops = &'static str;

struct Entry {
    api: Api,
    name: &'static str,
    buyers: bool,
    sellers: bool,
    hops: Hops,
}

const fn both(api: Api, name: &'static str, hops: Hops) -> Entry {
    Entry { api, name, buyers: true, sellers: true, hops }
}

const fn sellers(api: Api, name: &'static str, hops: Hops) -> Entry {
    Entry { api, name, buyers: false, sellers: true, hops }
}

const fn buyers(api: Api, name: &'static str, hops: Hops) -> Entry {
    Entry { api, name, buyers: true, sellers: false, hops }
}

/// In the order of [`Api`].
const ENTRIES: [Entry; 19] = [
    both(Api::Ping, "Ping", ""),
    both(Api::CreateAccount, "CreateAccount", "c"),
    both(Api::Login, "Login", "c"),
    both(Api::Logout, "Logout", "c"),
    both(Api::GetSellerRating, "GetSellerRating", "C"),
    sellers(Api::RegisterItemForSale, "RegisterItemForSale", "Cp"),
    sellers(Api::ChangeItemPrice, "ChangeItemPrice", "Cp"),
    sellers(Api::UpdateUnitsForSale, "UpdateUnitsForSale", "Cp"),
    sellers(Api::DisplayItemsForSale, "DisplayItemsForSale", "CP"),
    buyers(Api::SearchItemsForSale, "SearchItemsForSale", "P"),
    buyers(Api::GetItem, "GetItem", "P"),
    buyers(Api::AddItemToCart, "AddItemToCart", "Pc"),
    buyers(Api::RemoveItemFromCart, "RemoveItemFromCart", "c"),
    buyers(Api::SaveCart, "SaveCart", "c"),
    buyers(Api::ClearCart, "ClearCart", "c"),
    buyers(Api::DisplayCart, "DisplayCart", "C"),
    buyers(Api::MakePurchase, "MakePurchase", "cpc"),
    buyers(Api::ProvideFeedback, "ProvideFeedback", "CPC"),
    buyers(Api::GetBuyerPurchases, "GetBuyerPurchases", "C"),
];

impl Api {
    /// How many there are; each is less than this as a number.
    pub(crate) const COUNT: usize = ENTRIES.len();

    pub(crate) fn all() -> impl Iterator<Item = Api> {
        ENTRIES.iter().map(|entry| entry.api)
    }

    pub(crate) fn from_name(name: &str) -> Option<Api> {
        Self::all().find(|api| api.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        self.entry().name
    }

    pub(crate) fn hops(self) -> Hops {
        self.entry().hops
    }

    /// Whether the frontend of this role offers it.
    pub(crate) fn is_for(self, role: Role) -> bool {
        match role {
            Role::Buyer => self.entry().buyers,
            Role::Seller => self.entry().sellers,
        }
    }

    /// Whether it cannot be called without a session.
    pub(crate) fn needs_session(self) -> bool {
        use Api::{CreateAccount, GetItem, Login, Ping, SearchItemsForSale};
        !matches!(self, Ping | CreateAccount | Login | SearchItemsForSale | GetItem)
    }

    /// Whether a second call changes nothing that the first has not: all but those that the documentation says act each
    /// time. That is harmless here, because nobody else changes the item, the cart or the votes of a client of the
    /// benchmark meanwhile.
    pub(crate) fn may_be_repeated(self) -> bool {
        use Api::{
            AddItemToCart, CreateAccount, RegisterItemForSale, RemoveItemFromCart, UpdateUnitsForSale,
        };
        !matches!(
            self,
            CreateAccount | RegisterItemForSale | UpdateUnitsForSale | AddItemToCart | RemoveItemFromCart
        )
    }

    /// Whether the request of a buyer is about an item or a seller.
    pub(crate) fn needs_items(self) -> bool {
        use Api::{
            AddItemToCart, GetItem, GetSellerRating, MakePurchase, ProvideFeedback, RemoveItemFromCart,
        };
        matches!(
            self,
            AddItemToCart | GetItem | GetSellerRating | MakePurchase | ProvideFeedback | RemoveItemFromCart
        )
    }

    fn entry(self) -> &'static Entry {
        &ENTRIES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_stand_in_the_order_of_the_apis() {
        for (number, api) in Api::all().enumerate() {
            assert_eq!(api as usize, number, "{}", api.name());
            assert_eq!(Api::from_name(api.name()), Some(api));
        }
        assert_eq!(Api::from_name("MakeTea"), None);
    }

    #[test]
    fn the_documentation_allows_what_is_repeated() {
        let documentation = include_str!("../../services/README.md");
        let (_, section) =
            documentation.split_once("### When the outcome is not known\n").expect("there is such a section");
        let section = section.split("\n#").next().expect("a split has a first part");
        let points: Vec<&str> = section.split("\n- ").skip(1).collect();
        // The first that names an API is about it; a later one may name it as a place to look.
        let names = |point: &str, api: Api| point.contains(&format!("`{}`", api.name()));
        for api in Api::all() {
            let point = points.iter().find(|point| names(point, api));
            let point = point.unwrap_or_else(|| panic!("nothing is said of {}", api.name()));
            assert_eq!(api.may_be_repeated(), !point.contains("act each time"), "{}", api.name());
        }
    }
}
