//! Opening accounts, and how sellers are rated.

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::columns::feedback;
use super::super::domain::Carry;
use super::super::operation::{Refused, Step, Transaction};
use super::super::wire::{Call, Row, Statement};
use super::values::{int, text, user_id_of};
use super::{Flow, RemoteCustomer, account_lane, username_lane};
use crate::api::Effect;
use crate::api::accounts::{CreateAccount, CreateBuyer, CreateSeller, GetSellerRating, Rating, SellerId};
use crate::api::error::Error;
use crate::api::sessions::SessionCheck;
use crate::api::values::{Role, UserId};
use crate::customer::accounts::Identity;
use crate::customer::hashing::Request;
use crate::customer::rules::{created, no_numbers_left, no_seller, username_taken};
use crate::engine::caller::Caller;

const FIND_SELLER: Statement =
    Statement::kept("seller_find", "SELECT seller_id, password_hash FROM sellers WHERE username = $1");
const FIND_BUYER: Statement =
    Statement::kept("buyer_find", "SELECT buyer_id, password_hash FROM buyers WHERE username = $1");
/// It keeps others from the row until the account is there, so no number is given twice.
const NUMBER: Statement = Statement::kept(
    "account_number",
    "UPDATE account_numbers SET last = last + 1 WHERE role = $1 AND last < 4294967295 RETURNING last",
);
const OPEN_SELLER: Statement = Statement::kept(
    "seller_open",
    "INSERT INTO sellers (seller_id, username, name, password_hash, up, down, items_sold)
        SELECT last, $2::text, $3::text, $4::text, 0, 0, 0 FROM account_numbers WHERE role = $1",
);
const OPEN_BUYER: Statement = Statement::kept(
    "buyer_open",
    "INSERT INTO buyers (buyer_id, username, name, password_hash)
        SELECT last, $2::text, $3::text, $4::text FROM account_numbers WHERE role = $1",
);
const RATING: Statement = Statement::kept(
    "seller_rating",
    "SELECT seller_id, name, up, down, items_sold FROM sellers WHERE seller_id = $1",
);
const OWN_RATING: Statement = Statement::kept(
    "seller_own_rating",
    "SELECT seller_id, name, up, down, items_sold FROM sellers
        WHERE seller_id = (SELECT user_id FROM sessions WHERE digest = $1 AND role = 'seller')",
);

const HOLD_BUYER: Statement =
    Statement::kept("buyer_hold", "UPDATE buyers SET name = name WHERE buyer_id = $1 RETURNING buyer_id");

/// What finds the number and the password hash of an account.
pub(super) fn find(role: Role, username: &str) -> Call {
    let find = match role {
        Role::Seller => FIND_SELLER,
        Role::Buyer => FIND_BUYER,
    };
    find.with([text(username)])
}

impl Carry<CreateBuyer> for RemoteCustomer {
    fn carry(&mut self, now: Time, caller: Caller, CreateBuyer(account): CreateBuyer) -> Flow {
        self.create(now, caller, Role::Buyer, account)
    }
}

impl Carry<CreateSeller> for RemoteCustomer {
    fn carry(&mut self, now: Time, caller: Caller, CreateSeller(account): CreateSeller) -> Flow {
        self.create(now, caller, Role::Seller, account)
    }
}

impl RemoteCustomer {
    /// A name that is taken is not worth a hash.
    fn create(&mut self, _: Time, caller: Caller, role: Role, account: CreateAccount) -> Flow {
        let find = find(role, &account.username.0);
        let lane = username_lane(role, &account.username.0);
        Step::ask(Transaction::lookup(lane, find), move |customer: &mut Self, now, answer| {
            if first(&carried_out(answer)?, 0).is_some() {
                return Err(username_taken(&account.username.0));
            }
            let salt = (customer.random)().to_be_bytes();
            let job = customer.hashing.submit(now, caller, Request::create(role, account, salt))?;
            customer.start_hashing(now);
            Ok(Step::Work(job))
        })
    }

    /// The password of a new account is hashed.
    pub(super) fn open(role: Role, identity: Identity) -> Flow {
        let Identity { username, name, password_hash } = identity;
        let open = match role {
            Role::Seller => OPEN_SELLER,
            Role::Buyer => OPEN_BUYER,
        };
        let role_text = || text(role.as_str());
        let values = [role_text(), text(&username), text(&name), text(&password_hash)];
        let calls = vec![NUMBER.with([role_text()]), open.with(values)];
        let lane = username_lane(role, &username);
        let transaction = Transaction::write(lane, Effect::Once, calls).alone();
        Step::ask(transaction, move |_, _, answer| match answer {
            Ok(replies) => {
                let row = first(&replies, 0).ok_or_else(no_numbers_left)?;
                Step::reply(&created(role, user_id_of(row, 0)?))
            }
            Err(Refused) => Self::explain(role, &username, lane),
        })
    }

    /// An account cannot be opened: its name is taken, or there is no number for it.
    fn explain(role: Role, username: &str, lane: u64) -> Flow {
        let taken = username_taken(username);
        Step::ask(Transaction::lookup(lane, find(role, username)), move |_, _, answer| {
            Err(if first(&carried_out(answer)?, 0).is_some() { taken } else { no_numbers_left() })
        })
    }
}

/// The rating of a seller, or of the seller whose session it is. A session that is sent is checked.
impl Carry<GetSellerRating<Option<SessionCheck>, Option<SellerId>>> for RemoteCustomer {
    fn carry(
        &mut self,
        now: Time,
        _: Caller,
        request: GetSellerRating<Option<SessionCheck>, Option<SellerId>>,
    ) -> Flow {
        let asked_id = request.of.map(|SellerId { seller_id: UserId(seller_id) }| seller_id);
        let used = request.session.map(|check| self.used(now, check));
        let of_asked = asked_id.map(|id| RATING.with([int(id)]));
        let of_own = used.map(|used| OWN_RATING.with([used.key.value()]));
        let rating = of_asked.or(of_own).ok_or_else(SellerId::missing)?;
        let lane = asked_id.map(|id| account_lane(Role::Seller, id)).or(used.map(|used| used.key.lane()));
        let calls = used.map(|used| used.read()).into_iter().chain([rating]).collect();
        Step::ask(Transaction::reads(lane, calls), move |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            let holder = used.map(|used| customer.admit(used, first(&replies, 0))).transpose()?;
            let own_id = holder.filter(|holder| holder.role == Role::Seller).map(|holder| holder.user_id);
            let seller_id = asked_id.or(own_id).ok_or_else(SellerId::missing)?;
            let row = first(&replies, replies.len() - 1).ok_or_else(|| no_seller(seller_id))?;
            let items_sold = u64::try_from(row.int(4)?).map_err(|_| nonsense("fewer than none are sold"))?;
            let feedback = feedback(row, 2)?;
            Step::reply(&Rating { seller_id, name: row.text(1)?, feedback, items_sold })
        })
    }
}

/// The account of a row that [`find`] has found.
///
/// # Errors
/// The row is something else.
pub(super) fn found(row: Option<&Row>) -> Result<Option<(u32, Box<str>)>, Error> {
    row.map(|row| Ok((user_id_of(row, 0)?, row.text(1)?.into()))).transpose()
}

/// Keeps others from what is a buyer's until the transaction ends. It returns the buyer, if there is this one.
pub(super) fn hold_buyer(buyer_id: u32) -> Call {
    HOLD_BUYER.with([int(buyer_id)])
}
