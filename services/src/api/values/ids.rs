//! What items, sessions and purchases are called.

use std::fmt;
use std::str::FromStr;

use net::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Category, Value, string, text};

/// The name of an item: its category and its number in it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// 0 to 2147483647.
    pub category: u32,
    /// Counts from 1 in each category.
    pub n: u32,
}

impl ItemId {
    /// Reads `<category>:<n>`, in decimal digits without leading zeros.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (category, n) = text.split_once(':')?;
        let Category(category) = category.parse().ok()?;
        let n = decimal(n).filter(|n: &u32| *n > 0)?;
        Some(Self { category, n })
    }
}

impl FromStr for ItemId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::parse(text).ok_or(())
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.category, self.n)
    }
}

impl Serialize for ItemId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an item ID"))
    }
}

impl Value for ItemId {
    const RULE: &'static str =
        "a string \"<category>:<n>\" with a category from 0 to 2147483647 and n from 1 to 4294967295";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, 32).and_then(|text| Self::parse(&text))
    }
}

/// What a session is known by: the number that finds it, and 128 random bits that prove it. It has no
/// `Debug`, so that it reaches no log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId {
    /// Counts from 1, so that sessions lie together in a table.
    pub(crate) number: u64,
    pub(crate) secret: u128,
}

impl SessionId {
    /// Number 0 is never given, so this is as unknown as a session can be.
    const UNKNOWN: Self = Self { number: 0, secret: 0 };

    fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 48 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        hex.then_some(())?;
        Some(Self {
            number: u64::from_str_radix(&text[..16], 16).ok()?,
            secret: u128::from_str_radix(&text[16..], 16).ok()?,
        })
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hex = [0; 48];
        write_hex(&mut hex[..16], self.number.into());
        write_hex(&mut hex[16..], self.secret);
        serializer.serialize_str(str::from_utf8(&hex).expect("digits are text"))
    }
}

impl Value for SessionId {
    const RULE: &'static str = "a string";

    /// Any string may be sent; one that was never issued is an unknown session, not a bad request.
    fn decode(raw: &RawValue) -> Option<Self> {
        Some(Self::parse(&string(raw)?).unwrap_or(Self::UNKNOWN))
    }
}

/// The name of a purchase: a number that is given once and for ever. It grows from purchase to purchase, and its upper
/// bits are the time at which the purchase was begun, so that not even a database that was brought back from a backup
/// gives one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurchaseId(pub(crate) u64);

impl PurchaseId {
    /// How many of its bits number the purchases that were begun in the same millisecond. With the 41 bits of the time
    /// it stays below 2^62, so it fits wherever 63 bits do.
    const BITS_WITHIN_MS: u32 = 20;
    /// No purchase has this ID or a greater one: its time would be in the year 4199.
    const END: u64 = 1 << 62;

    /// The ID of this number, if one may have it.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        (number < Self::END).then_some(Self(number))
    }

    /// The first ID of a purchase that is begun at this time.
    pub(crate) fn first_at(time: Time) -> Self {
        Self(time.as_millis().saturating_mul(1 << Self::BITS_WITHIN_MS).min(Self::END - 1))
    }

    /// When the purchase of this ID has begun, in seconds since 1970, by the clock of whoever gave it.
    pub(crate) fn begun_at_secs(self) -> u64 {
        (self.0 >> Self::BITS_WITHIN_MS) / 1000
    }

    /// The ID of a purchase that is begun at this time, after the one of this ID.
    pub(crate) fn after(self, time: Time) -> Self {
        Self::first_at(time).max(Self(self.0 + 1))
    }

    /// From when on all IDs that are given are greater, whatever is known of those before.
    pub(crate) fn greater_from(self) -> Time {
        Time::from_millis((self.0 >> Self::BITS_WITHIN_MS) + 1)
    }
}

impl fmt::Display for PurchaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PurchaseId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        decimal(text).and_then(Self::from_number).ok_or(())
    }
}

impl Serialize for PurchaseId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PurchaseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("it is no ID of a purchase"))
    }
}

impl Value for PurchaseId {
    const RULE: &'static str = "the ID of a purchase";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, 32)?.parse().ok()
    }
}

/// Fills `hex` with the last digits of a number. Each request with a session has one written, and the formatter of the
/// standard library takes ten times as long.
fn write_hex(hex: &mut [u8], mut number: u128) {
    for digit in hex.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

/// Decimal digits without a sign or leading zeros.
pub(super) fn decimal<N: FromStr>(text: &str) -> Option<N> {
    let canonical = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::tests::decode;
    use super::*;

    #[test]
    fn item_ids_have_one_spelling() {
        let id = ItemId { category: 1, n: 42 };
        assert_eq!(decode::<ItemId>("\"1:42\""), Some(id));
        assert_eq!(id.to_string(), "1:42");
        for text in ["1:0", "01:1", "1:01", "+1:1", "1:+1", "2147483648:1", "1", ":", "1:4294967296", " 1:1"]
        {
            assert_eq!(ItemId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn purchases_are_numbered_by_the_time_and_never_twice() {
        let now = Time::from_millis(1_800_000_000_000);
        let first = PurchaseId(0).after(now);
        let second = first.after(now);
        assert!(first < second && second < PurchaseId::first_at(Time::from_millis(1_800_000_000_001)));
        let set_back = Time::from_millis(1);
        assert_eq!(second.after(set_back), PurchaseId(second.0 + 1), "whatever the clock says");
        assert_eq!(second.greater_from(), Time::from_millis(1_800_000_000_001));
        assert!(PurchaseId(0).after(second.greater_from()) > second);
        assert_eq!(second.to_string().parse(), Ok(second));
        for text in ["", "01", "-1", "1.0", "4611686018427387904", "99999999999999999999"] {
            assert_eq!(text.parse::<PurchaseId>(), Err(()), "{text}");
        }
        assert!(PurchaseId::first_at(Time::from_millis(u64::MAX)).0 < PurchaseId::END);
    }

    #[test]
    fn a_session_id_survives_the_way() {
        let id = SessionId { number: 7, secret: u128::MAX - 1 };
        let json = serde_json::to_string(&id).expect("a string");
        assert!(decode::<SessionId>(&json).is_some_and(|decoded| decoded == id));
        assert!(decode::<SessionId>("\"nonsense\"").is_some_and(|decoded| decoded == SessionId::UNKNOWN));
        assert!(decode::<SessionId>("7").is_none());
    }
}
