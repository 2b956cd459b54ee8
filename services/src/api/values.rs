//! The values that requests carry, each with its bounds. The one place that says what a name, a price or a
//! quantity may be; it does not say what they mean.

mod ids;
mod price;
mod text;
mod unicode;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::ids::decimal;
pub(crate) use self::ids::{ItemId, PurchaseId, SessionId};
pub(crate) use self::price::{Price, Total};
pub(crate) use self::text::{
    IdempotencyKey, Keywords, KnownUsername, Name, Password, Username, string, text,
};
pub(crate) use self::unicode::{folded, is_punctuation, nfc, other_nfd};

/// The largest number of units of anything.
pub(crate) const QUANTITY_MAX: u32 = 1_000_000_000;
/// The longest page that a client may ask for, and the one that it gets without asking.
const LIMIT_MAX: i64 = 1000;
const LIMIT_DEFAULT: usize = 100;

/// A value as it stands in the `data` of a request.
pub(crate) trait Value: Sized {
    /// What the value must be, as it follows "must be" in an error message.
    const RULE: &'static str;

    /// The value, or `None` if the rule is broken.
    fn decode(raw: &RawValue) -> Option<Self>;
}

/// A category of items.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Category(pub(crate) u32);

impl Value for Category {
    const RULE: &'static str = "an integer from 0 to 2147483647";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, 0, i64::from(i32::MAX)).map(|value| Self(value as u32))
    }
}

impl FromStr for Category {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        decimal(text).filter(|category| i32::try_from(*category).is_ok()).map(Self).ok_or(())
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether an item is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    /// Never used.
    New,
    /// Used before.
    Used,
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::New, Self::Used].into_iter().find(|condition| condition.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Used => "used",
        }
    }
}

impl Value for Condition {
    const RULE: &'static str = "\"new\" or \"used\"";

    fn decode(raw: &RawValue) -> Option<Self> {
        Self::parse(&text(raw, 4)?.to_ascii_lowercase())
    }
}

/// A number of units.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quantity(pub(crate) u32);

impl Value for Quantity {
    const RULE: &'static str = "an integer from 0 to 1000000000";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, 0, i64::from(QUANTITY_MAX)).map(|value| Self(value as u32))
    }
}

/// A number of units, at least one.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Units(pub(crate) u32);

impl Value for Units {
    const RULE: &'static str = "an integer from 1 to 1000000000";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, 1, i64::from(QUANTITY_MAX)).map(|value| Self(value as u32))
    }
}

/// A change of a number of units.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct QuantityDelta(pub(crate) i64);

impl Value for QuantityDelta {
    const RULE: &'static str = "an integer from -1000000000 to 1000000000";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, -i64::from(QUANTITY_MAX), i64::from(QUANTITY_MAX)).map(Self)
    }
}

/// The number of a seller or a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserId(pub(crate) u32);

impl Value for UserId {
    const RULE: &'static str = "an integer from 1 to 4294967295";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, 1, i64::from(u32::MAX)).map(|value| Self(value as u32))
    }
}

/// The two kinds of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Buyer,
    Seller,
}

impl Role {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Buyer, Self::Seller].into_iter().find(|value| value.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
        }
    }
}

impl Value for Role {
    const RULE: &'static str = "\"buyer\" or \"seller\"";

    fn decode(raw: &RawValue) -> Option<Self> {
        Self::parse(&text(raw, 6)?)
    }
}

/// A buyer's opinion of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Vote {
    Up,
    Down,
}

impl Vote {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Up, Self::Down].into_iter().find(|value| value.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Value for Vote {
    const RULE: &'static str = "\"up\" or \"down\"";

    fn decode(raw: &RawValue) -> Option<Self> {
        Self::parse(&text(raw, 4)?)
    }
}

/// How often a buyer's vote for an item has changed: what tells the later of two votes from the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Revision(pub(crate) u32);

impl Value for Revision {
    const RULE: &'static str = "an integer from 1 to 4294967295";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, 1, i64::from(u32::MAX)).map(|value| Self(value as u32))
    }
}

/// A buyer's vote for an item, as it counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ballot {
    pub(crate) vote: Vote,
    pub(crate) revision: Revision,
}

/// How many votes there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Feedback {
    pub(crate) up: u32,
    pub(crate) down: u32,
}

impl Feedback {
    /// Counts a vote; `replaced` is the same voter's vote before, which counts no more. It may have been
    /// counted elsewhere: where one database was replaced and the other was not, an item ID can have come to
    /// mean another seller's item.
    pub(crate) fn count(&mut self, vote: Vote, replaced: Option<Vote>) {
        if let Some(replaced) = replaced {
            let count = self.of(replaced);
            *count = count.saturating_sub(1);
        }
        let count = self.of(vote);
        *count = count.saturating_add(1);
    }

    fn of(&mut self, vote: Vote) -> &mut u32 {
        match vote {
            Vote::Up => &mut self.up,
            Vote::Down => &mut self.down,
        }
    }
}

/// The length of a page.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Limit(pub(crate) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl Value for Limit {
    const RULE: &'static str = "an integer from 1 to 1000";

    fn decode(raw: &RawValue) -> Option<Self> {
        integer(raw, 1, LIMIT_MAX).map(|value| Self(value as usize))
    }
}

impl Value for bool {
    const RULE: &'static str = "true or false";

    fn decode(raw: &RawValue) -> Option<Self> {
        raw.get().parse().ok()
    }
}

/// An integer, written without a fraction or an exponent.
fn integer(raw: &RawValue, min: i64, max: i64) -> Option<i64> {
    raw.get().parse().ok().filter(|value| (min..=max).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn decode<V: Value>(json: &str) -> Option<V> {
        V::decode(serde_json::from_str(json).expect("the test sends JSON"))
    }

    #[test]
    fn integers_are_integers() {
        let quantity = |json| decode::<Quantity>(json).map(|Quantity(value)| value);
        assert_eq!(quantity("1000000000"), Some(1_000_000_000));
        for json in ["-1", "1000000001", "1.0", "1e3", "\"1\"", "null", "1e400"] {
            assert_eq!(quantity(json), None, "{json}");
        }
        assert!(decode::<Units>("0").is_none());
        assert!(decode::<Category>("2147483647").is_some() && decode::<Category>("2147483648").is_none());
        assert!(decode::<Limit>("1000").is_some() && decode::<Limit>("1001").is_none());
        assert!(decode::<QuantityDelta>("-1000000000").is_some());
    }

    #[test]
    fn enums_are_one_of_their_words() {
        assert_eq!(decode::<Condition>("\"NEW\""), Some(Condition::New));
        assert!(decode::<Vote>("\"UP\"").is_none() && decode::<Vote>("\"up\"").is_some());
        assert!(decode::<Role>("\"buyer\"").is_some() && decode::<Role>("\"admin\"").is_none());
    }

    #[test]
    fn a_repeated_vote_replaces() {
        let mut feedback = Feedback::default();
        feedback.count(Vote::Up, None);
        feedback.count(Vote::Down, Some(Vote::Up));
        assert_eq!(feedback, Feedback { up: 0, down: 1 });
    }
}
