//! The demo's buyers, and what they do: some buy and vote, the others fill a cart and leave it.

use super::market::{Failure, Market};
use super::member::Member;
use crate::client::{CallError, Data, raw};
use crate::shell::reply::{cell_at, fields, find};

const BUYERS: [&str; 10] = [
    "demo-ada",
    "demo-ben",
    "demo-cleo",
    "demo-dev",
    "demo-eva",
    "demo-finn",
    "demo-gita",
    "demo-hugo",
    "demo-iris",
    "demo-jon",
];
/// So many of them buy.
const BUYING: usize = 6;
/// Each of them buys once, whatever happens.
const PURCHASE_KEY: &str = "demo";

pub(super) fn usernames() -> [&'static str; 10] {
    BUYERS
}

/// Has each buyer do what is theirs, if it is not done yet, with the items of these IDs.
///
/// # Errors
/// An account is somebody else's, or a call failed.
pub(super) fn go_shopping(market: &Market, item_ids: &[String]) -> Result<(), Failure> {
    for (place, username) in BUYERS.into_iter().enumerate() {
        let name = username.trim_start_matches("demo-");
        let name = name[..1].to_uppercase() + &name[1..];
        let mut member = Member::enter(market.buyer_client(), &name, username)?;
        let wanted = wanted(place, item_ids);
        if place < BUYING {
            buy(&mut member, place, &wanted)?;
        } else {
            fill_cart(&mut member, &wanted)?;
        }
        member.leave();
    }
    Ok(())
}

/// What a buyer wants. Strides take the place of chance.
fn wanted(buyer: usize, item_ids: &[String]) -> Vec<&String> {
    let places = (0..2 + buyer % 3).map(|n| buyer * 41 + n * 67);
    places.filter_map(|place| item_ids.get(place % item_ids.len().max(1))).collect()
}

/// Buys, unless the buyer has bought before. Votes come first, so that they are not given twice either.
fn buy(member: &mut Member, place: usize, wanted: &[&String]) -> Result<(), Failure> {
    let history = member.call_again("GetBuyerPurchases", Data::from([("limit", raw(&1))]))?;
    if cell_at(&history, "purchases_count") != "0" || !put_into_cart(member, wanted)? {
        return Ok(());
    }
    for (n, item_id) in wanted.iter().enumerate() {
        let vote = if (place + n) % 4 == 3 { "down" } else { "up" };
        member
            .call_again("ProvideFeedback", Data::from([("item_id", raw(*item_id)), ("vote", raw(vote))]))?;
    }
    member.call_again("MakePurchase", Data::from([("idempotency_key", raw(PURCHASE_KEY))]))?;
    Ok(())
}

/// Leaves a cart for the next login, unless there is one.
fn fill_cart(member: &mut Member, wanted: &[&String]) -> Result<(), Failure> {
    let cart = member.call_again("DisplayCart", Data::new())?;
    let is_empty = find(&cart, "cart").and_then(fields).is_none_or(|lines| lines.is_empty());
    if is_empty && put_into_cart(member, wanted)? {
        member.call_once("SaveCart", Data::new())?;
    }
    Ok(())
}

/// Puts one of each into the cart, and returns whether there was any.
fn put_into_cart(member: &mut Member, wanted: &[&String]) -> Result<bool, Failure> {
    let mut is_filled = false;
    for item_id in wanted {
        match member
            .call_once("AddItemToCart", Data::from([("item_id", raw(*item_id)), ("quantity", raw(&1))]))
        {
            Ok(_) => is_filled = true,
            // Somebody else has bought it since.
            Err(CallError::Refused(refusal)) if refusal.code == "OUT_OF_STOCK" => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(is_filled)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn buyers_want_other_things_and_none_twice() {
        let item_ids: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let all: Vec<_> = (0..BUYERS.len()).map(|buyer| wanted(buyer, &item_ids)).collect();
        assert!(all.iter().all(|wanted| (2..=4).contains(&wanted.len())));
        let different: BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(different.len(), all.iter().map(Vec::len).sum::<usize>());
        assert!(wanted(0, &[]).is_empty());
    }
}
