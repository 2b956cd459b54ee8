//! Moments as people read them, from milliseconds since 1970.

const SECONDS_A_DAY: u64 = 24 * 60 * 60;
/// From March 1st of the year 0 to January 1st, 1970.
const DAYS_TO_EPOCH: u64 = 719_468;
/// In 400 years.
const DAYS_AN_ERA: u64 = 146_097;

/// `millis`, a JSON integer, as date and time of day in UTC; as it is if it is no such moment.
pub(crate) fn in_utc(millis: &str) -> String {
    let Some(seconds) = millis.parse().ok().map(|millis: u64| millis / 1000) else {
        return millis.to_owned();
    };
    let (year, month, day) = date(seconds / SECONDS_A_DAY);
    let second = seconds % SECONDS_A_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day, so many days after January 1st, 1970. Years are counted from March, so that a leap day is the
/// last of its year and the lengths of all months before it follow a pattern: 153 days in each five.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day) = (days / DAYS_AN_ERA, days % DAYS_AN_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_AN_ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_and_times() {
        for (millis, shown) in [
            ("0", "1970-01-01 00:00:00"),
            ("951782399999", "2000-02-28 23:59:59"),
            ("951782400000", "2000-02-29 00:00:00"),
            ("951868800000", "2000-03-01 00:00:00"),
            ("1798761599000", "2026-12-31 23:59:59"),
            ("4107542400000", "2100-03-01 00:00:00"),
            ("-", "-"),
            ("1e3", "1e3"),
        ] {
            assert_eq!(in_utc(millis), shown);
        }
        // No year is too large to be shown.
        in_utc(&u64::MAX.to_string());
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut yesterday = date(0);
        for days in 1..200_000 {
            let (year, month, day) = date(days);
            let is_next = yesterday == (year, month, day - 1)
                || day == 1 && (yesterday.0 * 12 + yesterday.1 + 1 == year * 12 + month) && yesterday.2 >= 28;
            assert!(is_next, "{yesterday:?} is not before {:?}", (year, month, day));
            yesterday = (year, month, day);
        }
    }
}
