//! Votes for items.

use net::Time;

use super::super::answers::{carried_out, first, nonsense, number};
use super::super::columns::{feedback, item_value};
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::Value;
use super::{RemoteProduct, item_key, statements};
use crate::api::Api;
use crate::api::accounts::BuyerId;
use crate::api::error::Error;
use crate::api::values::{Revision, UserId, Vote};
use crate::api::votes::{ProvideFeedback, Voted};
use crate::engine::caller::Caller;
use crate::product::rules;

impl Carry<ProvideFeedback<Option<BuyerId>>> for RemoteProduct {
    fn carry(
        &mut self,
        _: Time,
        _: Caller,
        vote: ProvideFeedback<Option<BuyerId>>,
    ) -> Result<Step<Self>, Error> {
        let ProvideFeedback { item_id, vote, by } = vote;
        let id = item_value(item_id);
        let calls = match by {
            Some(BuyerId { buyer_id: UserId(buyer_id) }) => {
                let buyer = Value::Int(buyer_id.into());
                let word = Value::Text(vote.as_str().to_owned());
                vec![
                    statements::ADD_BALLOT.with([id.clone(), buyer.clone()]),
                    statements::VOTE.with([id.clone(), buyer.clone(), word]),
                    statements::COUNT_BALLOT.with([id, buyer]),
                ]
            }
            None => {
                let [up, down] = [Vote::Up, Vote::Down].map(|other| Value::Int((other == vote).into()));
                vec![statements::COUNT_VOTES.with([id, up, down])]
            }
        };
        let counting = calls.len() - 1;
        let effect = ProvideFeedback::<Option<BuyerId>>::EFFECT;
        Step::ask(Transaction::write(item_key(item_id), effect, calls), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, counting).ok_or_else(|| rules::no_item(item_id))?;
            let revision = match by {
                // Nobody has voted before.
                None => 1,
                Some(_) => {
                    let ballot = first(&replies, 1).ok_or_else(|| nonsense("a vote has no ballot"))?;
                    number(ballot, 0, u32::MAX)?
                }
            };
            Step::reply(&Voted {
                item_id,
                feedback: feedback(row, 0)?,
                seller_id: UserId(number(row, 2, u32::MAX)?),
                revision: Revision(revision),
            })
        })
    }
}
