//! What sellers do with their items: register them, price them, stock them.

use std::rc::Rc;

use net::Time;

use super::super::answers::{carried_out, first, nonsense, number};
use super::super::columns::{item_number, item_value};
use super::super::domain::Carry;
use super::super::json;
use super::super::operation::{Answer, Step, Transaction};
use super::super::wire::{Call, Reply, Value};
use super::columns::keywords;
use super::descriptions::Terms;
use super::{ATTEMPTS_MAX, RemoteProduct, category_key, item_key, statements};
use crate::api::accounts::SellerId;
use crate::api::carts::Counted;
use crate::api::error::{Code, Error};
use crate::api::items::{ChangeItemPrice, Priced, RegisterItem, Registered, UpdateUnitsForSale};
use crate::api::values::{Category, ItemId, QUANTITY_MAX, QuantityDelta, UserId};
use crate::api::{Api, Effect};
use crate::engine::caller::Caller;
use crate::product::rules;

/// An item that is to be registered.
struct NewItem {
    request: RegisterItem<SellerId>,
    seller_id: u32,
    category: u32,
    terms: Rc<Terms>,
}

impl Carry<RegisterItem<SellerId>> for RemoteProduct {
    fn carry(&mut self, _: Time, _: Caller, request: RegisterItem<SellerId>) -> Result<Step<Self>, Error> {
        let SellerId { seller_id: UserId(seller_id) } = request.by;
        let Category(category) = request.category;
        let terms = Rc::new(Terms::new(category, seller_id, &request.name.0, &request.keywords.0));
        let item = NewItem { request, seller_id, category, terms };
        let effect = RegisterItem::<SellerId>::EFFECT;
        let write = Transaction::write(category_key(category), effect, item.calls());
        Step::ask(write, move |product, _, answer| match answer {
            Ok(replies) => item.registered(product, &replies),
            Err(_) => item.explain(),
        })
    }
}

impl NewItem {
    /// Where in these calls the number is given.
    const NUMBER: usize = 3;

    /// The seller's count and the category's numbers are made where they are missing, because both must change with the
    /// item or not at all. The category comes last, because others wait for its numbers.
    fn calls(&self) -> Vec<Call> {
        let Self { request, seller_id, category, terms } = self;
        let (seller, category) = (Value::Int((*seller_id).into()), Value::Int((*category).into()));
        let quantity = request.quantity.0;
        let mut calls = vec![
            statements::ADD_SHELF.with([seller.clone()]),
            statements::COUNT_ITEM.with([seller.clone()]),
            statements::ADD_CATEGORY.with([category.clone()]),
            statements::NEXT_NUMBER.with([category.clone()]),
            statements::ADD_ITEM.with([
                category,
                seller,
                Value::Text(request.name.0.clone()),
                Value::Text(json::from_keywords(&request.keywords.0)),
                Value::Text(request.condition.as_str().to_owned()),
                Value::Int(i64::try_from(request.price.0).expect("prices are far below")),
                Value::Int(quantity.into()),
            ]),
        ];
        if quantity > 0 {
            calls.extend(terms.adding(statements::ADD_TERMS, self.category.into(), &[]));
        }
        calls
    }

    fn registered(
        self,
        product: &mut RemoteProduct,
        replies: &[Reply],
    ) -> Result<Step<RemoteProduct>, Error> {
        let row = first(replies, Self::NUMBER).ok_or_else(|| nonsense("a category has no numbers"))?;
        let item_id = ItemId { category: self.category, n: number(row, 0, u32::MAX)? };
        product.descriptions.put(item_id, self.terms);
        Step::reply(&Registered { item_id })
    }

    /// A check has refused the item: reads which.
    fn explain(self) -> Result<Step<RemoteProduct>, Error> {
        let Self { seller_id, category, .. } = self;
        let calls = vec![
            statements::SHELF.with([Value::Int(seller_id.into())]),
            statements::LAST_NUMBER.with([Value::Int(category.into())]),
        ];
        let read = Transaction::reads(Some(category_key(category)), calls);
        Step::ask(read, move |_, _, answer| {
            let replies = carried_out(answer)?;
            let is_reached = |call, max: u32| -> Result<bool, Error> {
                let count = first(&replies, call).map_or(Ok(0), |row| row.int(0))?;
                Ok(count >= i64::from(max))
            };
            if is_reached(0, rules::ITEMS_OF_SELLER_MAX)? {
                return Err(rules::shelf_full(seller_id));
            }
            if is_reached(1, u32::MAX)? {
                return Err(rules::category_full(category));
            }
            Err(nonsense("a new item is refused, and nothing is full"))
        })
    }
}

impl Carry<ChangeItemPrice<Option<SellerId>>> for RemoteProduct {
    fn carry(
        &mut self,
        _: Time,
        _: Caller,
        change: ChangeItemPrice<Option<SellerId>>,
    ) -> Result<Step<Self>, Error> {
        let ChangeItemPrice { item_id, price, by } = change;
        let key = item_key(item_id);
        let seller_id = by.map_or(0, |SellerId { seller_id: UserId(seller_id) }| seller_id);
        let cents = i64::try_from(price.0).expect("prices are far below");
        let values = [item_value(item_id), Value::Int(cents), Value::Int(seller_id.into())];
        let effect = ChangeItemPrice::<Option<SellerId>>::EFFECT;
        let write = Transaction::write(key, effect, vec![statements::REPRICE.with(values)]);
        Step::ask(write, move |_, _, answer| {
            if first(&carried_out(answer)?, 0).is_some() {
                return Step::reply(&Priced { item_id, price });
            }
            let read = Transaction::lookup(key, statements::OWNER.with([item_value(item_id)]));
            Step::ask(read, move |_, _, answer| {
                let replies = carried_out(answer)?;
                let row = first(&replies, 0).ok_or_else(|| rules::no_item(item_id))?;
                rules::check_owner(item_id, number(row, 0, u32::MAX)?, by)?;
                Err(nonsense("an item has changed its seller"))
            })
        })
    }
}

/// A change of an item's stock.
struct Restocking {
    item_id: ItemId,
    delta: QuantityDelta,
    attempts: u32,
}

impl Carry<UpdateUnitsForSale<Option<SellerId>>> for RemoteProduct {
    /// What the item is found by has to be known, because it comes into stock or goes in the same transaction. With it,
    /// whose item it is is known.
    fn carry(
        &mut self,
        _: Time,
        _: Caller,
        update: UpdateUnitsForSale<Option<SellerId>>,
    ) -> Result<Step<Self>, Error> {
        let UpdateUnitsForSale { item_id, quantity_delta: delta, by } = update;
        let restocking = Restocking { item_id, delta, attempts: 0 };
        if let Some(terms) = self.descriptions.get(item_id) {
            rules::check_owner(item_id, terms.seller_id, by)?;
            return restocking.carry_out(terms);
        }
        let call = statements::DESCRIPTION.with([item_value(item_id)]);
        Step::ask(Transaction::lookup(item_key(item_id), call), move |product: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            let terms = product.learn(item_id, &replies, 0)?.ok_or_else(|| rules::no_item(item_id))?;
            rules::check_owner(item_id, terms.seller_id, by)?;
            restocking.carry_out(terms)
        })
    }
}

impl RemoteProduct {
    /// Takes in the description that a call has returned, if there is such an item.
    pub(super) fn learn(
        &mut self,
        id: ItemId,
        replies: &[Reply],
        call: usize,
    ) -> Result<Option<Rc<Terms>>, Error> {
        let Some(row) = first(replies, call) else { return Ok(None) };
        let seller_id = number(row, 0, u32::MAX)?;
        let terms = Rc::new(Terms::new(id.category, seller_id, row.text(1)?, &keywords(row, 2)?));
        self.descriptions.put(id, Rc::clone(&terms));
        Ok(Some(terms))
    }
}

impl Restocking {
    fn carry_out(self, terms: Rc<Terms>) -> Result<Step<RemoteProduct>, Error> {
        const EFFECT: Effect = UpdateUnitsForSale::<Option<SellerId>>::EFFECT;
        let write = Transaction::write(item_key(self.item_id), EFFECT, self.calls(&terms));
        Step::ask(write, move |_, _, answer| self.carried_out(answer, terms))
    }

    fn calls(&self, terms: &Terms) -> Vec<Call> {
        let (id, QuantityDelta(delta)) = (item_number(self.item_id), self.delta);
        if delta < 0 {
            let units = statements::REMOVE_UNITS.with([Value::Int(id), Value::Int(-delta)]);
            return vec![units, terms.removing(self.item_id)];
        }
        let mut calls = vec![statements::ADD_UNITS.with([Value::Int(id), Value::Int(delta)])];
        if delta > 0 {
            calls.extend(terms.adding(statements::RESTORE_TERMS, id, &[Value::Int(delta)]));
        }
        calls
    }

    fn carried_out(self, answer: Answer, terms: Rc<Terms>) -> Result<Step<RemoteProduct>, Error> {
        // A check refuses too many, and of too few nothing is returned.
        if let Ok(replies) = &answer
            && let Some(row) = first(replies, 0)
        {
            let quantity = number(row, 0, QUANTITY_MAX)?;
            return Step::reply(&Counted { item_id: self.item_id, quantity });
        }
        self.explain(terms)
    }

    /// Reads why the stock could not be changed. If it could by now, it is tried again.
    fn explain(self, terms: Rc<Terms>) -> Result<Step<RemoteProduct>, Error> {
        let Self { item_id, delta, attempts } = self;
        let call = statements::STOCK.with([item_value(item_id)]);
        Step::ask(Transaction::lookup(item_key(item_id), call), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, 0).ok_or_else(|| rules::no_item(item_id))?;
            rules::changed_stock(item_id, number(row, 0, QUANTITY_MAX)?, delta)?;
            let attempts = attempts + 1;
            if attempts == ATTEMPTS_MAX {
                return Err(contended(item_id));
            }
            Self { item_id, delta, attempts }.carry_out(terms)
        })
    }
}

/// Others change an item all the time.
fn contended(id: ItemId) -> Error {
    Error::new(
        Code::Unavailable,
        format!("others change the stock of {id} all the time: nothing was changed"),
    )
}
