//! The demo's sellers, and what they sell.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use indicatif::ProgressBar;

use super::market::{Failure, Market};
use super::member::Member;
use crate::client::{CallError, Data, raw};
use crate::shell::reply::elements;
use crate::shell::trade::carry_out::{Stop, Watch, carry_out};
use crate::shell::trade::item::{Description, Item, Row};
use crate::shell::trade::listing::all_items;
use crate::shell::trade::plan::plan;
use crate::shell::trade::sheet;
use crate::shell::trade::under_way::UnderWay;

/// A table like those that sellers import. Who sells what, the categories tell.
const CATALOGUE: &[u8] = include_bytes!("catalogue.csv");

/// Who sells the items of these categories.
struct Seller {
    username: &'static str,
    name: &'static str,
    categories: &'static [u32],
}

const SELLERS: [Seller; 6] = [
    Seller { username: "demo-page", name: "The Open Page", categories: &[1] },
    Seller { username: "demo-tune", name: "Tune & String", categories: &[2] },
    Seller { username: "demo-volt", name: "Volt Works", categories: &[3] },
    Seller { username: "demo-copper", name: "Copper Kitchen", categories: &[4] },
    Seller { username: "demo-thread", name: "Needle and Thread", categories: &[5, 6] },
    Seller { username: "demo-green", name: "Green Field", categories: &[7, 8] },
];

/// All that is to be sold.
pub(super) fn catalogue() -> Vec<Row> {
    sheet::read(CATALOGUE).expect("the table is right")
}

/// The categories in which there is something.
pub(super) fn categories() -> impl Iterator<Item = u32> {
    SELLERS.iter().flat_map(|seller| seller.categories.iter().copied())
}

pub(super) fn usernames() -> [&'static str; 6] {
    SELLERS.map(|seller| seller.username)
}

/// Whether there is anything for sale in these categories.
///
/// # Errors
/// A call failed.
pub(super) fn has_items(market: &Market) -> Result<bool, Failure> {
    let mut client = market.buyer_client();
    for category in categories() {
        let data = Data::from([("category", raw(&category)), ("limit", raw(&1))]);
        if !elements(&client.call("SearchItemsForSale", &data, true)?, "items").is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the demo was here before.
///
/// # Errors
/// A call failed.
pub(super) fn was_here(market: &Market) -> Result<bool, Failure> {
    Ok(Member::log_in(market.seller_client(), SELLERS[0].username)?.is_some())
}

/// Has each seller sell what is theirs, and returns the IDs of the items, in the order of the catalogue.
///
/// # Errors
/// An account is somebody else's, or a call failed.
pub(super) fn open_shops(market: &Market) -> Result<Vec<String>, Failure> {
    let rows = catalogue();
    let mut ids: HashMap<Description, String> = HashMap::new();
    for seller in &SELLERS {
        let own = rows.iter().filter(|row| seller.categories.contains(&row.description.category));
        for item in open_shop(market, seller, own.cloned().collect())? {
            ids.insert(item.description, item.item_id);
        }
    }
    Ok(rows.iter().filter_map(|row| ids.get(&row.description).cloned()).collect())
}

/// Registers those of a seller's rows of which there is no item yet, in their order, and returns all items.
fn open_shop(market: &Market, seller: &Seller, rows: Vec<Row>) -> Result<Vec<Item>, Failure> {
    let mut member = Member::enter(market.seller_client(), seller.name, seller.username)?;
    let mut mark = UnderWay::of_seller(&market.seller, &member.user_id).map_err(Failure::Refused)?;
    let plan = plan(rows, &items(&mut member)?).map_err(|found| Failure::Refused(found.text()))?;
    if let Some(mark) = &mut mark {
        mark.begin().map_err(|error| Failure::Refused(error.to_string()))?;
    }
    let (bar, is_stopped) = (ProgressBar::hidden(), AtomicBool::new(false));
    let watch = Watch { bar: &bar, mark: mark.as_ref(), is_stopped: &is_stopped };
    let outcome = carry_out(vec![market.seller_client()], &member.session_id, &plan.tasks, &watch);
    if let Some(mark) = &mark
        && !outcome.has_unknown()
    {
        mark.end();
    }
    if let Some(Stop::Session(error) | Stop::Failed(error)) = outcome.stop {
        return Err(error.into());
    }
    let items = items(&mut member)?;
    member.leave();
    Ok(items)
}

fn items(member: &mut Member) -> Result<Vec<Item>, CallError> {
    all_items(|data| member.call_again("DisplayItemsForSale", data))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn the_catalogue_is_what_is_said_of_it() {
        let rows = catalogue();
        assert_eq!(rows.len(), 200);
        let descriptions: HashSet<_> = rows.iter().map(|row| &row.description).collect();
        assert_eq!(
            descriptions.len(),
            rows.len(),
            "an item that is there twice could not be told from another"
        );
        assert!(rows.iter().any(|row| row.description.condition == "used"));
        assert!(rows.iter().all(|row| row.listing.price_cents > 0 && row.listing.quantity > 0));
        let sold: BTreeSet<u32> = categories().collect();
        assert_eq!(rows.iter().map(|row| row.description.category).collect::<BTreeSet<_>>(), sold);
    }
}
