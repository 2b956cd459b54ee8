//! Votes for items, as they count for the items' sellers.
//!
//! The vote is written before the seller is, so whoever counts for the seller is alone with the vote until that is
//! committed. A vote that comes again, or was overtaken by a later one on its way, changes nothing.

use net::Time;

use super::super::answers::{carried_out, first};
use super::super::columns::item_value;
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::Statement;
use super::values::{int, text};
use super::{Flow, RemoteCustomer, account_lane};
use crate::api::Api;
use crate::api::accounts::SellerId;
use crate::api::values::{Ballot, Revision, Role, UserId, Vote};
use crate::api::votes::{RateSeller, Rated};
use crate::customer::rules::no_seller;
use crate::engine::caller::Caller;

const FIND: Statement =
    Statement::kept("vote_find_seller", "SELECT seller_id FROM sellers WHERE seller_id = $1");
const ADD: Statement = Statement::kept(
    "vote_add",
    "INSERT INTO seller_votes (buyer_id, item_id, vote, vote_before, revision, is_counted)
        SELECT $1, $2, 'none'::text, 'none'::text, 0, 1 FROM sellers WHERE seller_id = $3
        ON CONFLICT (buyer_id, item_id) DO NOTHING",
);
const CAST: Statement = Statement::kept(
    "vote_cast",
    "UPDATE seller_votes SET vote_before = vote, vote = $3::text, revision = $4, is_counted = 0
        WHERE buyer_id = $1 AND item_id = $2 AND revision < $4
        AND EXISTS (SELECT 1 FROM sellers WHERE seller_id = $5)",
);
/// The one before counts no more. It may have counted for another seller, who then has one more than none.
const COUNT: Statement = Statement::kept(
    "vote_count",
    "UPDATE sellers SET
        up = $4 + CASE WHEN up > 0 AND (SELECT vote_before FROM seller_votes WHERE buyer_id = $2 AND item_id = $3) = 'up'
            THEN up - 1 ELSE up END,
        down = $5 + CASE WHEN down > 0 AND (SELECT vote_before FROM seller_votes WHERE buyer_id = $2 AND item_id = $3) = 'down'
            THEN down - 1 ELSE down END
        WHERE seller_id = $1 AND (SELECT is_counted FROM seller_votes WHERE buyer_id = $2 AND item_id = $3) = 0",
);
const COUNTED: Statement = Statement::kept(
    "vote_counted",
    "UPDATE seller_votes SET is_counted = 1 WHERE buyer_id = $1 AND item_id = $2 AND is_counted = 0",
);

impl Carry<RateSeller> for RemoteCustomer {
    fn carry(&mut self, _: Time, _: Caller, request: RateSeller) -> Flow {
        let RateSeller { buyer_id: UserId(buyer_id), item_id, seller, ballot } = request;
        let SellerId { seller_id: UserId(seller_id) } = seller;
        let Ballot { vote, revision: Revision(revision) } = ballot;
        let vote_key = || [int(buyer_id), item_value(item_id)];
        let with = |values: &[_]| [&vote_key()[..], values].concat();
        let [up, down] = [Vote::Up, Vote::Down].map(|kind| int(i64::from(kind == vote)));
        let calls = vec![
            FIND.with([int(seller_id)]),
            ADD.with(with(&[int(seller_id)])),
            CAST.with(with(&[text(vote.as_str()), int(revision), int(seller_id)])),
            COUNT.with([int(seller_id), int(buyer_id), item_value(item_id), up, down]),
            COUNTED.with(vote_key()),
        ];
        let lane = account_lane(Role::Seller, seller_id);
        Step::ask(Transaction::write(lane, RateSeller::EFFECT, calls), move |_, _, answer| {
            first(&carried_out(answer)?, 0).ok_or_else(|| no_seller(seller_id))?;
            Step::reply(&Rated { rated: true })
        })
    }
}
