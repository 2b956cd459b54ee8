//! How values that both databases store look in SQLite. What they look like elsewhere may change without this.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::api::values::{Condition, ItemId, Price, PurchaseId, Role, Vote};

/// One integer that orders as the ID does, so that a category's items lie together in a table.
impl ToSql for ItemId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok((i64::from(self.category) << 32 | i64::from(self.n)).into())
    }
}

impl FromSql for ItemId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let key = value.as_i64()?;
        let category = u32::try_from(key >> 32).map_err(|_| FromSqlError::InvalidType)?;
        let n = (key & i64::from(u32::MAX)) as u32;
        if n > 0 { Ok(Self { category, n }) } else { Err(FromSqlError::InvalidType) }
    }
}

impl ToSql for PurchaseId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).expect("IDs of purchases are bounded").into())
    }
}

impl FromSql for PurchaseId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u64::try_from(value.as_i64()?).ok();
        number.and_then(Self::from_number).ok_or(FromSqlError::InvalidType)
    }
}

/// In cents.
impl ToSql for Price {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).expect("prices are bounded").into())
    }
}

impl FromSql for Price {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let cents = u64::try_from(value.as_i64()?).ok();
        cents.and_then(Self::from_cents).ok_or(FromSqlError::InvalidType)
    }
}

/// The words of votes.
const VOTES: [(Vote, &str); 2] = [(Vote::Up, "up"), (Vote::Down, "down")];
/// The words of conditions.
const CONDITIONS: [(Condition, &str); 2] = [(Condition::New, "new"), (Condition::Used, "used")];
/// The words of roles.
const ROLES: [(Role, &str); 2] = [(Role::Buyer, "buyer"), (Role::Seller, "seller")];

impl ToSql for Vote {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(word(&VOTES, self))
    }
}

impl FromSql for Vote {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        from_word(&VOTES, value)
    }
}

impl ToSql for Condition {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(word(&CONDITIONS, self))
    }
}

impl FromSql for Condition {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        from_word(&CONDITIONS, value)
    }
}

impl ToSql for Role {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(word(&ROLES, self))
    }
}

impl FromSql for Role {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        from_word(&ROLES, value)
    }
}

fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> ToSqlOutput<'static> {
    let (_, word) = words.iter().find(|(known, _)| known == value).expect("each value has a word");
    (*word).into()
}

fn from_word<T: Copy>(words: &[(T, &str)], column: ValueRef<'_>) -> FromSqlResult<T> {
    let text = column.as_str()?;
    let known = words.iter().find(|(_, word)| *word == text);
    known.map(|(value, _)| *value).ok_or(FromSqlError::InvalidType)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Stores a value and reads it again.
    #[track_caller]
    fn comes_back<T: ToSql + FromSql + PartialEq + Debug>(value: T) {
        let stored = value.to_sql().expect("it can be stored");
        let column = match &stored {
            ToSqlOutput::Borrowed(value) => *value,
            ToSqlOutput::Owned(value) => value.into(),
            other => panic!("{other:?} is no value"),
        };
        assert_eq!(T::column_result(column).expect("it can be read"), value);
    }

    #[test]
    fn what_is_stored_comes_back() {
        comes_back(ItemId { category: 0, n: 1 });
        comes_back(ItemId { category: 2_147_483_647, n: u32::MAX });
        comes_back(Price(100_000_000_000));
        comes_back(PurchaseId(0));
        comes_back(PurchaseId((1 << 62) - 1));
        [Vote::Up, Vote::Down].into_iter().for_each(comes_back);
        [Condition::New, Condition::Used].into_iter().for_each(comes_back);
        [Role::Buyer, Role::Seller].into_iter().for_each(comes_back);
    }

    #[test]
    fn what_can_be_no_number_of_a_purchase_is_none() {
        for number in [-1, 1 << 62, i64::MAX] {
            assert!(PurchaseId::column_result(ValueRef::Integer(number)).is_err(), "{number}");
        }
    }

    #[test]
    fn keys_order_as_items_do_and_not_each_is_one() {
        let key = |category, n| match (ItemId { category, n }).to_sql().expect("it can be stored") {
            ToSqlOutput::Owned(rusqlite::types::Value::Integer(key)) => key,
            other => panic!("{other:?} is no key"),
        };
        assert_eq!(key(1, 42), (1 << 32) + 42);
        assert!(key(1, u32::MAX) < key(2, 1));
        for key in [-1, 0, 1 << 32] {
            assert!(ItemId::column_result(ValueRef::Integer(key)).is_err(), "{key}");
        }
    }
}
