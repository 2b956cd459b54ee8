//! `TakeStock`: what a purchase is of leaves the stock, all of it or nothing, and once.
//!
//! The decision is a row under the purchase's ID, in the same transaction as the stock, so whoever decides first has
//! decided, whichever process that is. Checks refuse what cannot be taken, and then it is read what was in the way.
//!
//! What was decided is forgotten when the purchase has ended (`upkeep.rs`). From then on it is below the floor, and
//! nothing is taken for it, whoever asks, and whatever their transaction has seen of that.

use std::rc::Rc;

use net::Time;

use super::super::answers::{carried_out, first, nonsense, number};
use super::super::columns::{item_id, item_value, purchase_value};
use super::super::domain::Carry;
use super::super::json;
use super::super::operation::{Answer, Step, Transaction};
use super::super::wire::{Call, Reply, Row, Value};
use super::columns::price;
use super::descriptions::Terms;
use super::{ATTEMPTS_MAX, RemoteProduct, item_key, purchase_key, statements};
use crate::api::error::{Code, Error};
use crate::api::purchases::{Decision, Lines, Shortage, TakeStock, TakenItem, TakenItems, Unfinished};
use crate::api::values::{ItemId, PurchaseId, QUANTITY_MAX};
use crate::api::{Api, Effect};
use crate::engine::caller::Caller;
use crate::product::rules;

const EFFECT: Effect = TakeStock::EFFECT;

/// Whoever asks, and how often, is told the same until the purchase has ended.
impl Carry<TakeStock> for RemoteProduct {
    fn carry(&mut self, _: Time, _: Caller, TakeStock(purchase): TakeStock) -> Result<Step<Self>, Error> {
        let Unfinished { purchase_id, lines: Lines(lines), ended_before } = purchase;
        self.ended_before = self.ended_before.max(ended_before);
        if purchase_id < self.ended_before {
            return raise_floor(purchase_id, self.ended_before);
        }
        let line = |(item_id, quantity)| Line { item_id, quantity, terms: None };
        let lines = lines.into_iter().map(line).collect();
        Taking { purchase_id, lines, attempts: 0 }.begin(self)
    }
}

/// Refuses a purchase that has ended. Whoever hears this may rely on it, so the engine is told first.
fn raise_floor(purchase_id: PurchaseId, floor: PurchaseId) -> Result<Step<RemoteProduct>, Error> {
    let calls = vec![statements::RAISE_FLOOR.with([purchase_value(floor)])];
    let write = Transaction::write(purchase_key(purchase_id), EFFECT, calls);
    Step::ask(write, move |_, _, answer| {
        carried_out(answer)?;
        Err(rules::purchase_ended(purchase_id))
    })
}

/// A purchase whose stock is to be taken.
struct Taking {
    purchase_id: PurchaseId,
    /// In the order of their items, in which all transactions lock them.
    lines: Vec<Line>,
    attempts: u32,
}

struct Line {
    item_id: ItemId,
    quantity: u32,
    /// What the item is found by; `None` if that is not known, or there is no such item.
    terms: Option<Rc<Terms>>,
}

/// What is read where nothing could be taken: these, and then the stock of each item.
const DECISION: usize = 0;
const LINES: usize = 1;
const FLOOR: usize = 2;
const STOCK: usize = 3;

impl Taking {
    /// Finds out what the items are found by, which goes when they are sold out.
    fn begin(mut self, product: &mut RemoteProduct) -> Result<Step<RemoteProduct>, Error> {
        for line in self.lines.iter_mut().filter(|line| line.terms.is_none()) {
            line.terms = product.descriptions.get(line.item_id);
        }
        let unknown = self.lines.iter().filter(|line| line.terms.is_none());
        let calls: Vec<Call> =
            unknown.map(|line| statements::DESCRIPTION.with([item_value(line.item_id)])).collect();
        if calls.is_empty() {
            return self.take();
        }
        let read = Transaction::reads(Some(purchase_key(self.purchase_id)), calls);
        Step::ask(read, move |product: &mut RemoteProduct, _, answer| {
            let replies = carried_out(answer)?;
            for (call, line) in self.lines.iter_mut().filter(|line| line.terms.is_none()).enumerate() {
                line.terms = product.learn(line.item_id, &replies, call)?;
            }
            match self.lines.iter().all(|line| line.terms.is_some()) {
                true => self.take(),
                false => self.look(),
            }
        })
    }

    fn take(self) -> Result<Step<RemoteProduct>, Error> {
        Step::ask(self.taking(), move |_, _, answer: Answer| match answer {
            Ok(replies) => Step::reply(&Decision::Taken(taken(&replies, replies.len().saturating_sub(1))?)),
            Err(_) => self.look(),
        })
    }

    /// What takes all of it. Where that is of one item, it shares a transaction with others of the same: an item that
    /// everybody wants leaves as fast as a group is committed. What is of several items holds all of them until its own
    /// commit, so it is alone.
    fn taking(&self) -> Transaction {
        match &*self.lines {
            [line] => Transaction::write(item_key(line.item_id), EFFECT, self.calls()),
            _ => Transaction::write(purchase_key(self.purchase_id), EFFECT, self.calls()).alone(),
        }
    }

    /// Three for each line, of which there are at most a thousand.
    fn calls(&self) -> Vec<Call> {
        let id = purchase_value(self.purchase_id);
        let count = i64::try_from(self.lines.len()).expect("a purchase has few lines");
        let mut calls = vec![statements::DECIDE_TAKEN.with([id.clone(), Value::Int(count)])];
        for line in &self.lines {
            let (item, quantity) = (item_value(line.item_id), Value::Int(line.quantity.into()));
            calls.push(statements::TAKE_UNITS.with([item.clone(), quantity.clone()]));
            calls.push(statements::ADD_LINE.with([id.clone(), item, quantity]));
            let terms = line.terms.as_ref().expect("it is known what is taken");
            calls.push(terms.removing(line.item_id));
        }
        calls.push(statements::COUNT_LINES.with([id.clone()]));
        calls.push(statements::LINES.with([id]));
        calls
    }

    /// Reads why nothing could be taken.
    fn look(self) -> Result<Step<RemoteProduct>, Error> {
        let stock = self.lines.iter().map(|line| statements::STOCK.with([item_value(line.item_id)]));
        let calls = self.asking_what_is_decided().chain(stock).collect();
        let read = Transaction::reads(Some(purchase_key(self.purchase_id)), calls);
        Step::ask(read, move |product, _, answer| {
            let replies = carried_out(answer)?;
            if let Some(decision) = self.decided(product, &replies)? {
                return Step::reply(&decision);
            }
            let shortages = self.shortages(&replies)?;
            match shortages.is_empty() {
                true => self.again(product),
                false => self.refuse(&shortages),
            }
        })
    }

    /// There is enough by now.
    fn again(self, product: &mut RemoteProduct) -> Result<Step<RemoteProduct>, Error> {
        let Self { purchase_id, lines, attempts } = self;
        let attempts = attempts + 1;
        if attempts == ATTEMPTS_MAX {
            let message =
                format!("others change the stock of purchase {purchase_id} all the time: nothing was taken");
            return Err(Error::new(Code::Unavailable, message));
        }
        Self { purchase_id, lines, attempts }.begin(product)
    }

    /// Decides that nothing is taken, unless somebody else has decided meanwhile.
    fn refuse(self, shortages: &[Shortage]) -> Result<Step<RemoteProduct>, Error> {
        let column = Value::Text(json::from_shortages(shortages));
        let refusal = statements::DECIDE_REFUSED.with([purchase_value(self.purchase_id), column]);
        let mut calls: Vec<Call> = self.asking_what_is_decided().collect();
        calls.insert(0, refusal);
        let write = Transaction::write(purchase_key(self.purchase_id), EFFECT, calls);
        Step::ask(write, move |product, _, answer| {
            let replies = carried_out(answer)?;
            let decided = self.decided(product, replies.get(1..).unwrap_or_default())?;
            Step::reply(&decided.ok_or_else(|| nonsense("a decision was made and is missing"))?)
        })
    }

    fn asking_what_is_decided(&self) -> impl Iterator<Item = Call> + use<> {
        let id = purchase_value(self.purchase_id);
        let [decision, lines] = [statements::DECISION, statements::LINES].map(|read| read.with([id.clone()]));
        [decision, lines, statements::FLOOR.with([])].into_iter()
    }

    /// What was decided, if anything was.
    ///
    /// # Errors
    /// The purchase has ended.
    fn decided(
        &self,
        product: &mut RemoteProduct,
        replies: &[Reply],
    ) -> Result<Option<Decision<'static>>, Error> {
        let floor = first(replies, FLOOR).ok_or_else(|| nonsense("there is no floor of decisions"))?;
        let floor = u64::try_from(floor.int(0)?).ok().and_then(PurchaseId::from_number);
        let floor = floor.ok_or_else(|| nonsense("the floor of decisions is no purchase"))?;
        product.ended_before = product.ended_before.max(floor);
        if self.purchase_id < floor {
            return Err(rules::purchase_ended(self.purchase_id));
        }
        let Some(row) = first(replies, DECISION) else { return Ok(None) };
        match row.text(0)? {
            "taken" => {
                let taken = taken(replies, LINES)?;
                let is_whole = i64::try_from(taken.0.len()) == Ok(row.int(1)?);
                is_whole.then_some(Some(Decision::Taken(taken))).ok_or_else(|| nonsense("a line is missing"))
            }
            "refused" => {
                let shortages = json::shortages(row.text(2)?).filter(|shortages| !shortages.is_empty());
                let shortages = shortages.ok_or_else(|| nonsense("a refusal has no reason"))?;
                Ok(Some(Decision::Refused(shortages)))
            }
            _ => Err(nonsense("a decision is none")),
        }
    }

    /// What there is too little of. An item that does not exist is one of which there are no units.
    fn shortages(&self, replies: &[Reply]) -> Result<Vec<Shortage>, Error> {
        let mut shortages = Vec::new();
        for (call, &Line { item_id, quantity, .. }) in (STOCK..).zip(&self.lines) {
            let available = first(replies, call).map_or(Ok(0), |row| number(row, 0, QUANTITY_MAX))?;
            if available < quantity {
                shortages.push(Shortage { item_id, available, quantity });
            }
        }
        Ok(shortages)
    }
}

/// The lines of a decision, which this call has returned.
fn taken(replies: &[Reply], call: usize) -> Result<TakenItems<'static>, Error> {
    let rows = replies.get(call).map_or(&[][..], |reply| &reply.rows);
    rows.iter().map(taken_item).collect::<Result<_, _>>().map(TakenItems)
}

fn taken_item(row: &Row) -> Result<TakenItem<'static>, Error> {
    Ok(TakenItem {
        item_id: item_id(row, 0)?,
        quantity: number(row, 1, QUANTITY_MAX)?,
        price: price(row, 2)?,
        name: row.text(3)?.to_owned().into(),
        seller_id: number(row, 4, u32::MAX)?,
    })
}
