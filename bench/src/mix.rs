//! [`Mix`]: which APIs the clients call, and how often in relation to each other.

use fastrand::Rng;

use crate::api::{Api, Role};

/// APIs with their weights.
type Weights = Vec<(Api, u32)>;

/// What the clients of each role call once they are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    name: String,
    buyers: Weights,
    sellers: Weights,
}

impl Mix {
    /// The names that [`Mix::from_name`] takes beside those of single APIs.
    pub const NAMES: [&str; 3] = ["default", "shopping", "purchase"];

    /// `default`: buyers search, and sellers change the price of their item. `shopping`: every API, with weights
    /// like a shop's. `purchase`: buyers put a unit of an item into their cart, and buy it. The name of an API: only that
    /// one, by the clients of the roles that have it.
    pub fn from_name(name: &str) -> Option<Self> {
        let (buyers, sellers) = match name {
            "default" => (vec![(Api::SearchItemsForSale, 1)], vec![(Api::ChangeItemPrice, 1)]),
            "shopping" => (shopping_buyers(), shopping_sellers()),
            // Whoever has nothing in the cart fills it first.
            "purchase" => (vec![(Api::MakePurchase, 1)], Vec::new()),
            single => {
                let api = Api::from_name(single)?;
                let only = |role| if api.is_for(role) { vec![(api, 1)] } else { Vec::new() };
                (only(Role::Buyer), only(Role::Seller))
            }
        };
        Some(Self { name: name.to_owned(), buyers, sellers })
    }

    /// The name that it was made from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next API that a client of this role calls. Only roles that call anything are asked.
    pub(crate) fn choose(&self, role: Role, rng: &mut Rng) -> Api {
        let weights = self.of(role);
        if let [(api, _)] = weights[..] {
            return api;
        }
        let mut place = rng.u32(0..weights.iter().map(|(_, weight)| weight).sum());
        for &(api, weight) in weights {
            if place < weight {
                return api;
            }
            place -= weight;
        }
        unreachable!("the place is below the sum of the weights")
    }

    /// Whether it is the name of a single API.
    pub(crate) fn is_single(&self) -> bool {
        !Self::NAMES.contains(&self.name.as_str())
    }

    /// Whether it is `purchase`, of which is said how many items are bought.
    pub fn is_purchase(&self) -> bool {
        self.name == "purchase"
    }

    /// Whether buyers buy.
    pub(crate) fn buys(&self) -> bool {
        self.buyers.iter().any(|(api, _)| *api == Api::MakePurchase)
    }

    /// Whether sellers change the prices of what is bought.
    pub(crate) fn changes_prices(&self) -> bool {
        self.sellers.iter().any(|(api, _)| *api == Api::ChangeItemPrice)
    }

    /// Whether clients of this role call anything.
    pub(crate) fn calls(&self, role: Role) -> bool {
        !self.of(role).is_empty()
    }

    /// Whether clients of this role need an account. Sellers always do: their items are what is searched for.
    pub(crate) fn needs_account(&self, role: Role) -> bool {
        role == Role::Seller
            || self.needs_session(role)
            || self.of(role).iter().any(|(api, _)| *api == Api::Login)
    }

    /// Whether clients of this role call anything with their session.
    pub(crate) fn needs_session(&self, role: Role) -> bool {
        self.of(role).iter().any(|(api, _)| api.needs_session())
    }

    /// Whether buyers ask for items of the run, so that there must be a seller.
    pub(crate) fn needs_items(&self) -> bool {
        self.buyers.iter().any(|(api, _)| api.needs_items())
    }

    fn of(&self, role: Role) -> &Weights {
        match role {
            Role::Buyer => &self.buyers,
            Role::Seller => &self.sellers,
        }
    }
}

/// Buyers look far more often than they put anything into a cart. Accounts and logins are rare, because hashing a
/// password costs as much as some thousand searches: one login in 5,000 calls is a visit of some size.
fn shopping_buyers() -> Weights {
    vec![
        (Api::SearchItemsForSale, 4000),
        (Api::GetItem, 3400),
        (Api::DisplayCart, 700),
        (Api::AddItemToCart, 600),
        (Api::GetSellerRating, 400),
        (Api::RemoveItemFromCart, 200),
        (Api::GetBuyerPurchases, 200),
        (Api::SaveCart, 150),
        (Api::ProvideFeedback, 120),
        (Api::MakePurchase, 100),
        (Api::Ping, 67),
        (Api::ClearCart, 60),
        (Api::Logout, 2),
        (Api::CreateAccount, 1),
    ]
}

fn shopping_sellers() -> Weights {
    vec![
        (Api::DisplayItemsForSale, 6000),
        (Api::GetSellerRating, 1500),
        (Api::ChangeItemPrice, 1000),
        (Api::UpdateUnitsForSale, 1000),
        (Api::RegisterItemForSale, 400),
        (Api::Ping, 97),
        (Api::Logout, 2),
        (Api::CreateAccount, 1),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shopping_calls_every_api_of_each_role_and_reads_more_than_it_writes() {
        let mix = Mix::from_name("shopping").expect("it is one of the names");
        for role in [Role::Buyer, Role::Seller] {
            let mut rng = Rng::with_seed(1);
            let mut counts = [0; Api::COUNT];
            for _ in 0..100_000 {
                counts[mix.choose(role, &mut rng) as usize] += 1;
            }
            for api in Api::all().filter(|api| api.is_for(role) && *api != Api::Login) {
                assert!(counts[api as usize] > 0, "{role:?} never calls {}", api.name());
            }
            let reads = [Api::SearchItemsForSale, Api::GetItem, Api::DisplayItemsForSale, Api::DisplayCart];
            let reads: u32 = reads.iter().map(|api| counts[*api as usize]).sum();
            assert!(reads > 50_000, "{role:?}: {reads} reads");
        }
    }

    #[test]
    fn a_single_api_is_called_by_those_who_have_it() {
        let mix = Mix::from_name("GetItem").expect("it is an API");
        assert!(mix.calls(Role::Buyer) && !mix.calls(Role::Seller));
        let mix = Mix::from_name("Ping").expect("it is an API");
        assert!(mix.calls(Role::Buyer) && mix.calls(Role::Seller));
        assert_eq!(Mix::from_name("ping"), None);
    }
}
