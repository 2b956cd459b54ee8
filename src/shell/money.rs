//! Amounts of money as people write them, from the digits that a service sent: no digit passes through binary
//! floating point.

/// `amount`, a JSON number, with two decimals; with more if it has more, and as it is if it is no plain number.
pub(crate) fn with_cents(amount: &str) -> String {
    match split(amount) {
        Some((whole, decimals)) => format!("{whole}.{decimals:0<2}"),
        None => amount.to_owned(),
    }
}

/// The cents of a JSON number, unless it has a fraction of one or is beyond all reason.
pub(crate) fn cents(amount: &str) -> Option<i128> {
    let (whole, decimals) = split(amount)?;
    if decimals.len() > 2 {
        return None;
    }
    format!("{whole}{decimals:0<2}").parse().ok()
}

/// So many cents as an amount with two decimals.
pub(crate) fn of_cents(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// What stands before the decimal point, and behind it without zeros at the end.
fn split(amount: &str) -> Option<(&str, &str)> {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_plain = !digits.is_empty() && is_digits(digits) && is_digits(decimals);
    is_plain.then(|| (whole, decimals.trim_end_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_decimals() {
        for (sent, shown) in [
            ("17.5", "17.50"),
            ("10.0", "10.00"),
            ("19.90", "19.90"),
            ("7", "7.00"),
            ("0.05", "0.05"),
            ("-1.5", "-1.50"),
            ("1.0050", "1.005"),
            ("123456789012345678901234567890.1", "123456789012345678901234567890.10"),
            ("1e2", "1e2"),
            ("-", "-"),
            (".5", ".5"),
        ] {
            assert_eq!(with_cents(sent), shown);
        }
    }

    #[test]
    fn cents_are_exact() {
        for (sent, expected) in [
            ("17.5", Some(1750)),
            ("0.29", Some(29)),
            ("-0.29", Some(-29)),
            ("1000000000.0", Some(100_000_000_000)),
            ("1.005", None),
            ("1e2", None),
            ("-", None),
        ] {
            assert_eq!(cents(sent), expected, "{sent}");
        }
        assert_eq!([of_cents(5), of_cents(-1750), of_cents(0)], ["0.05", "-17.50", "0.00"]);
    }
}
