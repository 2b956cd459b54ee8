//! [`Price`] and [`Total`]: exact cents, read from a JSON number and written as one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Value;

/// The largest price, in whole units of the currency.
const PRICE_MAX: u64 = 1_000_000_000;

/// A price, as an exact number of cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price(pub u64);

impl Value for Price {
    const RULE: &'static str = "a number from 0 to 1000000000 with at most two decimals";

    fn decode(raw: &RawValue) -> Option<Self> {
        cents(raw.get()).and_then(Self::from_cents)
    }
}

impl Price {
    /// A price of so many cents, unless it is too large.
    pub(crate) fn from_cents(cents: u64) -> Option<Self> {
        (cents <= PRICE_MAX * 100).then_some(Self(cents))
    }
}

impl Serialize for Price {
    /// As a number with at least one decimal. A price has at most 12 digits, and a double writes up to 15
    /// digits back as they were.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::decode(raw).ok_or_else(|| serde::de::Error::custom("it is no price"))
    }
}

/// What a purchase costs in all, in cents. A thousand lines of 10^9 units at the highest price are 10^23 cents, so it
/// takes more than 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Total(pub u128);

impl Serialize for Total {
    /// As prices are written, and with all digits where a double does not have them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (whole, cents) = (self.0 / 100, self.0 % 100);
        let digits = if cents.is_multiple_of(10) {
            format!("{whole}.{}", cents / 10)
        } else {
            format!("{whole}.{cents:02}")
        };
        RawValue::from_string(digits).expect("digits are JSON").serialize(serializer)
    }
}

/// The cents in a JSON number that is a whole number of cents, 0 or more; `None` for any other. Read digit by
/// digit, because 19.99 is no binary fraction.
fn cents(number: &str) -> Option<u64> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()),
        None => (number, Some(0)),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (value, zeros) = integer(whole.bytes().chain(fraction.bytes()))?;
    if value == 0 {
        return Some(0);
    }
    // The number is `value` times ten to the power of `shift` cents.
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    let shift = exponent?.checked_sub(fraction_digits)?.checked_add(2)?.checked_add(zeros)?;
    let cents = value.checked_mul(10u64.checked_pow(u32::try_from(shift).ok()?)?)?;
    (!negative).then_some(cents)
}

/// The integer that digits make, without the zeros at its end, and how many those are. `None`: it is too large, or
/// there is something else than digits.
fn integer(digits: impl Iterator<Item = u8>) -> Option<(u64, i32)> {
    let (mut value, mut zeros) = (0u64, 0i32);
    for digit in digits {
        match digit {
            b'0' if value == 0 => {}
            b'0' => zeros = zeros.checked_add(1)?,
            b'1'..=b'9' => {
                let places = 10u64.checked_pow(u32::try_from(zeros).ok()? + 1)?;
                value = value.checked_mul(places)?.checked_add(u64::from(digit - b'0'))?;
                zeros = 0;
            }
            _ => return None,
        }
    }
    Some((value, zeros))
}

#[cfg(test)]
mod tests {
    use super::super::tests::decode;
    use super::*;

    #[test]
    fn prices_are_exact_cents() {
        let price = |json| decode::<Price>(json).map(|Price(cents)| cents);
        for (json, cents) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("0.01", 1),
            ("19.99", 1999),
            ("10", 1000),
            ("10.0", 1000),
            ("10.500", 1050),
            ("1e1", 1000),
            ("1.999E1", 1999),
            ("1000e-5", 1),
            ("1000000000", 100_000_000_000),
            ("1e9", 100_000_000_000),
            ("0e400", 0),
        ] {
            assert_eq!(price(json), Some(cents), "{json}");
        }
        for json in [
            "-0.01",
            "-1",
            "0.001",
            "19.999",
            "1000000000.01",
            "1e10",
            "1e400",
            "1e-400",
            "1e99999999999",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "99999999999999999999",
        ] {
            assert_eq!(price(json), None, "{json}");
        }
    }

    #[test]
    fn prices_are_written_as_they_were_read() {
        for (cents, json) in [
            (0, "0.0"),
            (1, "0.01"),
            (50, "0.5"),
            (1000, "10.0"),
            (1999, "19.99"),
            (99_999_999_999, "999999999.99"),
            (100_000_000_000, "1000000000.0"),
        ] {
            assert_eq!(serde_json::to_string(&Price(cents)).expect("a number"), json);
            assert_eq!(decode::<Price>(json), Some(Price(cents)));
            assert_eq!(serde_json::to_string(&Total(cents.into())).expect("a number"), json, "totals alike");
        }
    }

    #[test]
    fn totals_are_exact_however_great() {
        for (cents, json) in [
            (9_007_199_254_740_993, "90071992547409.93"),
            (u128::from(u64::MAX) * 1000, "184467440737095516150.0"),
            (100_000_000_000 * 1_000_000_000 * 1000, "1000000000000000000000.0"),
        ] {
            assert_eq!(serde_json::to_string(&Total(cents)).expect("a number"), json);
        }
    }
}
